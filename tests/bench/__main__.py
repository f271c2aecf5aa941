"""`make bench`: speed and memory of both services, as a table and as `bench-results.json`."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import machine, report, start_up, store, streams

PARTS = ("start", "store", "streams")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part only; may be repeated")
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each load run (default 4)")
    parser.add_argument("--starts", type=int, default=5, help="cold starts per service (default 5)")
    parser.add_argument("--output", type=Path, default=Path("bench-results.json"))
    chosen = parser.parse_args()
    parts = chosen.only or PARTS

    results: dict[str, Any] = {"machine": {**machine.description(), "python_loop_us": machine.microseconds_of_python()}}
    show(report.machine_lines(results["machine"]))
    if "start" in parts:
        starts = start_up.measure(chosen.starts)
        results["start"] = [asdict(row) for row in starts]
        show(report.start_lines(starts))
    if "store" in parts:
        stored = store.measure(chosen.seconds)
        results["store"] = asdict(stored)
        show(report.store_lines(stored))
    if "streams" in parts:
        streamed = streams.measure()
        results["streams"] = asdict(streamed)
        show(report.stream_lines(streamed))
    chosen.output.write_text(json.dumps(results, indent=2) + "\n")
    show([f"All figures: {chosen.output}"])


def show(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
