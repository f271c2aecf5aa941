"""`make bench`: speed and memory of both services, as a table and as `bench-results.json`.

`make bench ARGS="--against ../other"` measures another checkout with the same bench, too, and shows both side by side;
it must have been bootstrapped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devstack.environment import plumbing
from tests.bench import assistant, costs, files, gate, machine, report, start_up, store, streams
from tests.bench.children import ROOT

PARTS = ("start", "store", "costs", "files", "gate", "assistant", "streams")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part only; may be repeated")
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each load run (default 4)")
    parser.add_argument("--starts", type=int, default=5, help="cold starts per service (default 5)")
    parser.add_argument("--against", type=Path, help="another checkout, to be measured first")
    parser.add_argument("--as-other", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path("bench-results.json"))
    chosen = parser.parse_args()
    parts = chosen.only or PARTS

    before = _other(chosen.against, parts, chosen.seconds, chosen.starts) if chosen.against else None
    results: dict[str, Any] = {"machine": {**machine.description(), "python_loop_us": machine.microseconds_of_python()}}
    show(report.machine_lines(results["machine"]))
    if "start" in parts:
        starts = start_up.measure(chosen.starts)
        results["start"] = [asdict(row) for row in starts]
        show(report.start_lines(starts))
    if "store" in parts:
        stored = store.measure(chosen.seconds, with_sdk=not chosen.as_other)
        results["store"] = asdict(stored)
        if stored.sdk:
            show(report.store_lines(stored))
    if "costs" in parts and not chosen.as_other:
        of_everybody = costs.measure(chosen.seconds)
        results["costs"] = asdict(of_everybody)
        show(report.cost_lines(of_everybody))
    if "files" in parts and not chosen.as_other:
        uploaded = files.measure(chosen.seconds)
        results["files"] = asdict(uploaded)
        show(report.file_lines(uploaded))
    if "gate" in parts and not chosen.as_other:
        gated = gate.measure()
        results["gate"] = asdict(gated)
        show(report.gate_lines(gated))
    if "assistant" in parts and not chosen.as_other:
        assisted = assistant.measure()
        results["assistant"] = asdict(assisted)
        show(report.assistant_lines(assisted))
    if "streams" in parts:
        streamed = streams.measure()
        results["streams"] = asdict(streamed)
        show(report.stream_lines(streamed))
    if before is not None:
        results["before"] = before
        show(report.comparison_lines(before, results))
    chosen.output.write_text(json.dumps(results, indent=2) + "\n")
    show([f"All figures: {chosen.output}"])


def _other(checkout: Path, parts: Sequence[str], seconds: float, starts: int) -> dict[str, Any]:
    """What this bench, run by the interpreter of another checkout, says of that checkout's services."""
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        options = [f"--seconds={seconds}", f"--starts={starts}", f"--output={output.name}", "--as-other"]
        options += [f"--only={part}" for part in parts]
        interpreter = checkout.absolute() / ".venv" / "bin" / "python"
        subprocess.run(
            [str(interpreter), "-m", "tests.bench", *options],
            cwd=ROOT,
            env={**plumbing(), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        results: dict[str, Any] = json.load(output)
        return results


def show(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
