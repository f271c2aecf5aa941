"""Processes that share one folder of local files, and what is left of what they were told was written.

By hand, for more than a test has time for: `python -m tests.integration.sessions.sharing --rounds 250 --processes 4`.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apis.shared.costs.local import LocalCostRecords
from apis.shared.costs.models import CostRecord
from apis.shared.result import Result, Success, error_of
from apis.shared.sessions.local import LocalSessions
from apis.shared.sessions.messages.local import LocalMessages
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import SessionPatch, SessionRecord, TurnPreferences

USER, SHARED = "000000001", "shared"
MOMENT = "2026-01-05T03:39:13.630257+00:00"
PREFERENCES = TurnPreferences("m", 0.2, None, "abcdef0123456789")
AT_ONCE = 4
COST = CostRecord.model_validate(
    {
        "latency": {"timeToFirstToken": 1, "endToEndLatency": 2},
        "modelInfo": {"modelId": "m", "modelName": "M", "provider": "bedrock"},
        "attribution": {"userId": USER, "sessionId": SHARED, "timestamp": MOMENT},
    }
)


@dataclass
class Outcome:
    acknowledged: int
    refused: Counter[str]
    lost: list[str]

    def __str__(self) -> str:
        return f"{self.acknowledged} acknowledged, refused: {dict(self.refused)}, lost: {self.lost or 'nothing'}"


def share(root: Path, *, processes: int, rounds: int) -> Outcome:
    """Let so many processes write so often, all to one session and its messages and costs, while sessions that one
    changes are deleted by another; then look."""
    asyncio.run(_prepare(root, rounds))
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--write", str(root)]
    running = [
        subprocess.Popen([*command, str(number), str(rounds)], stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    reports = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert [process.returncode for process in running] == [0] * processes
    acknowledged = [what for report in reports for what in report["acknowledged"]]
    refused = Counter(code for report in reports for code in report["refused"])
    return Outcome(len(acknowledged), refused, asyncio.run(_lost(root, acknowledged)))


def _service(root: Path) -> SessionService:
    return SessionService(LocalSessions(root, LocalCostRecords(root)))


async def _prepare(root: Path, rounds: int) -> None:
    service = _service(root)
    for session_id in (SHARED, *(f"deleted-{number}" for number in range(rounds))):
        (await service.update_session(USER, session_id, SessionPatch({"title": "x"}))).unwrap()


async def _write(root: Path, number: int, rounds: int) -> None:
    """What was acknowledged, as `kind detail`, and the codes of what was refused."""
    service, messages, costs = _service(root), LocalMessages(root), LocalCostRecords(root)
    acknowledged: list[str] = []
    refused: list[str] = []

    def note(what: str, result: Result[Any, Any]) -> None:
        error = error_of(result)
        if error is None:
            acknowledged.append(what)
        else:
            refused.append(f"{what.split(maxsplit=1)[0]} {error.code.value}")

    async def turn(index: int) -> None:
        name = f"{number}-{index}"
        known: SessionRecord | None = None
        note(f"turn {name}", await service.complete_turn(USER, SHARED, PREFERENCES, known))
        note(f"message {name}", await messages.append(USER, SHARED, {"role": "user", "content": [{"text": name}]}))
        note(f"cost {number * rounds + index}", await costs.put(COST, number * rounds + index))
        doomed = f"deleted-{index}"
        if index % 2 == number % 2:
            note(f"delete {doomed}", await service.delete_session(USER, doomed))
            note(f"emptied {doomed}", await messages.delete(USER, doomed))
        else:
            late = await asyncio.gather(
                service.complete_turn(USER, doomed, PREFERENCES, None),
                service.update_session(USER, doomed, SessionPatch({"title": name})),
                messages.append(USER, doomed, {"role": "user", "content": [{"text": name}]}),
            )
            assert {error.code for error in map(error_of, late) if error} <= {"conflict", "not_found"}

    for start in range(0, rounds, AT_ONCE):
        await asyncio.gather(*(turn(index) for index in range(start, min(start + AT_ONCE, rounds))))
    sys.stdout.write(json.dumps({"acknowledged": acknowledged, "refused": refused}))


async def _lost(root: Path, acknowledged: list[str]) -> list[str]:
    service, messages, costs = _service(root), LocalMessages(root), LocalCostRecords(root)
    named: dict[str, list[str]] = {}
    for what in acknowledged:
        kind, _, detail = what.partition(" ")
        named.setdefault(kind, []).append(detail)
    lost: list[str] = []
    counted = (await service.get_session(USER, SHARED)).unwrap().message_count
    if counted != len(named["turn"]):
        lost.append(f"{len(named['turn'])} turns are counted as {counted}")
    stored = [one.message["content"][0]["text"] for one in (await messages.read(USER, SHARED)).unwrap()]
    if sorted(stored) != sorted(named["message"]):
        lost.append(f"of {len(named['message'])} messages {len(stored)} are stored")
    kept = (await costs.read(SHARED)).unwrap().keys()
    lost += [f"cost {index}" for index in named["cost"] if int(index) not in kept]
    for session_id in named["delete"]:
        if not (await service.get_session(USER, session_id)).unwrap().deleted:
            lost.append(f"the deletion of {session_id}")
    for session_id in named["emptied"]:
        if await messages.read(USER, session_id) != Success([]):
            lost.append(f"the deletion of the messages of {session_id}")
    return lost


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", nargs=3, metavar=("ROOT", "NUMBER", "ROUNDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        root, number, rounds = options.write
        asyncio.run(_write(Path(root), int(number), int(rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{share(Path(folder), processes=options.processes, rounds=options.rounds)}\n")


if __name__ == "__main__":
    _main()
