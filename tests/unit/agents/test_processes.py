"""Work of tools in real processes: bounded, apart from everything else, and ended with its turn."""

import asyncio
import inspect
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.tools import processes
from agents.tools.calculator import calculations, calculator
from agents.tools.processes import Limits, ToolProcesses, on_behalf_of
from agents.tools.registry import LOCAL_TOOLS, load_tools
from apis.shared.result import Failure, Result, Success

SLOW = "(a + b + c + d + f + g + h + k)**900"
WORKER = """
import json, os, sys, time
print("ready", flush=True)
for line in sys.stdin:
    task = json.loads(line)
    if "note" in task:
        open(task["note"], "w").write(str(os.getpid()))
    time.sleep(task.get("sleep", 0))
    if "die" in task:
        os._exit(3)
    if "cpu" in task:
        import signal
        signal.setitimer(signal.ITIMER_PROF, 0.1)
        while True: pass
    about = {"environment": dict(os.environ), "cwd": os.getcwd(), "nice": os.nice(0), "pid": os.getpid()}
    sys.stdout.write((json.dumps(about) if "about" in task else "x" * task.get("length", 1)) + "\\n")
    sys.stdout.flush()
"""

type Pool = Callable[..., ToolProcesses]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    program = tmp_path / "worker.py"
    program.write_text(WORKER)
    made: list[ToolProcesses] = []

    def make(**limits: Any) -> ToolProcesses:
        made.append(ToolProcesses(str(program), limits=Limits(**limits)))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def ask(tools: ToolProcesses, **task: Any) -> Result[str, Any]:
    return await tools.ask(json.dumps(task))


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)


async def about(tools: ToolProcesses) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await ask(tools, about=True)).unwrap())
    return found


async def test_a_process_knows_no_secret_and_not_the_folder_of_the_service(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "ENTRA_CLIENT_SECRET", "PYTHONPATH", "ANYTHING"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.chdir(tmp_path)
    found = await about(pool())
    assert found["environment"].keys() <= {"PATH", "LD_LIBRARY_PATH", "LC_CTYPE"}
    assert "secret" not in json.dumps(found)
    assert found["cwd"] == "/"
    assert found["nice"] > os.nice(0), "a turn comes first"


async def test_no_file_of_the_working_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds data in the images: a file there that is named like a module must not become one."""
    (tmp_path / "sympy.py").write_text("raise SystemExit")
    (tmp_path / "agents").mkdir()
    monkeypatch.chdir(tmp_path)
    calculations.close()
    assert (await calculator("1 + 1"))["status"] == "success"


async def test_more_than_fits_is_refused_at_once(pool: Pool) -> None:
    tools = pool(workers=1, waiting=2)
    work = [asyncio.create_task(ask(tools, sleep=0.5)) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert await ask(tools) == Failure(processes.BUSY)
    assert not any(task.done() for task in work[1:]), "it did not wait for a place"
    assert await asyncio.gather(*work) == [Success("x\n")] * 3
    assert await ask(tools) == Success("x\n"), "there is room again"


async def test_one_user_does_not_get_all_places(pool: Pool) -> None:
    tools = pool(workers=2, waiting=10, of_one_user=2)

    async def of(user_id: str) -> Result[str, Any]:
        on_behalf_of.set(user_id)
        return await ask(tools, sleep=0.3)

    outcomes = await asyncio.gather(*(of("ada") for _ in range(8)), of("bob"))
    assert outcomes.count(Failure(processes.BUSY)) == 6
    assert outcomes[-1] == Success("x\n")
    assert await of("ada") == Success("x\n")


async def test_who_waits_too_long_for_a_place_is_told(pool: Pool) -> None:
    tools = pool(workers=1, wait_seconds=0.3)
    first = asyncio.create_task(ask(tools, sleep=1.5))
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    assert await ask(tools) == Failure(processes.BUSY)
    assert time.monotonic() - begun > 0.2
    assert await first == Success("x\n"), "what has begun is not cut off by the wait for a place"


async def test_what_is_asked_and_answered_is_bounded(pool: Pool) -> None:
    tools = pool(request_bytes=1000, answer_bytes=100_000)
    assert await tools.ask("x" * 1001) == Failure(processes.TOO_LARGE)
    assert len((await ask(tools, length=90_000)).unwrap()) == 90_001
    assert await ask(tools, length=10_000_000) == Failure(processes.TOO_LONG)
    assert await ask(tools) == Success("x\n"), "by another process"


@pytest.mark.parametrize(
    ("task", "error"),
    [({"die": True}, processes.DIED), ({"cpu": True}, processes.TOO_SLOW), ({"sleep": 60}, processes.TOO_SLOW)],
)
async def test_a_process_that_does_not_answer_is_replaced(pool: Pool, task: dict[str, Any], error: Any) -> None:
    tools = pool(workers=1, seconds=1)
    assert await ask(tools, **task) == Failure(error)
    assert await ask(tools) == Success("x\n")


async def test_a_process_is_used_again(pool: Pool) -> None:
    tools = pool(workers=1)
    assert (await about(tools))["pid"] == (await about(tools))["pid"]


async def test_cancelling_ends_the_process_and_gives_the_place_back(pool: Pool, tmp_path: Path) -> None:
    tools = pool(workers=1, waiting=1)
    note = tmp_path / "pid"
    working = asyncio.create_task(ask(tools, sleep=60, note=str(note)))
    await until(lambda: note.exists() and note.read_text() != "")
    waiting = asyncio.create_task(ask(tools))
    await asyncio.sleep(0.05)
    for task in (waiting, working):
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
    assert await ask(tools) == Success("x\n")
    await until(lambda: not Path(f"/proc/{note.read_text()}").exists())


async def test_no_pool_but_its_own_is_used(pool: Pool) -> None:
    """The loop's own pool is full of work that does not end: tools and turns do not share it."""
    tools = pool()
    let_go = asyncio.Event()
    loop = asyncio.get_running_loop()
    blocked = [
        loop.run_in_executor(None, lambda: asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result(30))
        for _ in range(40)
    ]
    try:
        async with asyncio.timeout(20):
            assert await ask(tools) == Success("x\n")
    finally:
        let_go.set()
        await asyncio.gather(*blocked)


def test_every_tool_runs_on_the_loop_or_in_a_process() -> None:
    """The framework runs any other function in the loop's own pool, whose few threads everything else needs."""
    for tool in load_tools(list(LOCAL_TOOLS)):
        assert inspect.iscoroutinefunction(tool._tool_func), tool.tool_name


async def test_a_long_result_is_an_error_that_says_so() -> None:
    column, row = "],[".join(["9" * 12] * 50), ",".join(["9" * 4] * 30)
    result = await calculator(f"[[{column}]] * [[{row}]]", mode="matrix")
    assert result == {"status": "error", "content": [{"text": "The result is too long."}]}


async def test_a_large_expression_is_refused_before_it_is_sent() -> None:
    result = await calculator("1 + " * 1_000_000 + "1")
    assert result == {"status": "error", "content": [{"text": "The expression is too large."}]}
