"""The tables that `make bench` prints, each target with whether it is met."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench import start_up, store, streams
from tests.bench.start_up import StartUp
from tests.bench.store import StoreResults
from tests.bench.streams import StreamResults


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown, the first column to the left and all others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cells[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
        ]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(head), f"| {' | '.join(rule)} |", *(line(row) for row in rows)]


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def machine_lines(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{values['cpu']}, Python {values['python']}, load average {values['load_average']} before the start;"
        f" 100,000 turns of a Python loop take {values['python_loop_us'] / 1000:.1f} ms."
        " Service, endpoint and load generator share these cores."
    ]


def start_lines(rows: Sequence[StartUp]) -> list[str]:
    return [
        "## Cold start to the first healthy answer",
        *table(
            ["service", "median s", "best", "worst", "resident MB", "target"],
            [
                [
                    row.service,
                    f"{row.median_seconds:.2f}",
                    f"{row.runs[0]:.2f}",
                    f"{row.runs[-1]:.2f}",
                    f"{row.resident_megabytes:.0f}",
                    f"< {start_up.TARGET_SECONDS} s {verdict(row.median_seconds < start_up.TARGET_SECONDS)}",
                ]
                for row in rows
            ],
        ),
    ]


def store_lines(results: StoreResults) -> list[str]:
    rows = [
        [
            row.operation,
            str(row.delay_ms),
            str(row.concurrency),
            f"{row.aws_calls:.0f}",
            f"{row.load.requests_per_second:.0f}",
            f"{row.load.p50:.1f}",
            f"{row.load.p99:.1f}",
            f"{row.load.probe_p99:.1f}",
            str(row.load.failures),
            " + ".join(f"{cores:.2f}" for cores in row.cores.values()),
        ]
        for row in results.rows
    ]
    head = ["operation", "AWS ms", "conc.", "AWS calls", "req/s", "p50 ms", "p99 ms", "/health p99", "failed", "cores"]
    hardest = [row for row in results.rows if row.delay_ms == 20 and row.concurrency == 128]
    single = [row for row in hardest if round(row.aws_calls) == 1]
    verdicts = [
        f"{row.operation}: {row.load.requests_per_second:.0f} requests/s at 20 ms and 128 connections, target"
        f" {store.TARGET_REQUESTS_PER_SECOND:.0f}:"
        f" {verdict(row.load.requests_per_second >= store.TARGET_REQUESTS_PER_SECOND)}"
        for row in single
    ] + [
        f"{row.operation}: /health p99 {row.load.probe_p99:.1f} ms under that load, target"
        f" {store.TARGET_HEALTH_P99_MS:.0f}: {verdict(row.load.probe_p99 < store.TARGET_HEALTH_P99_MS)}"
        for row in hardest
    ]
    costs = results.sdk["microseconds_per_call"]
    return [
        "## Session operations of the App API, one process",
        *table(head, rows),
        f"cores: {' + '.join(results.rows[0].cores)}. Resident memory afterwards {results.resident_megabytes:.0f} MB.",
        *verdicts,
        "",
        "CPU of boto3 alone, one thread, no service: "
        + ", ".join(
            f"{name} {microseconds:.0f} us (at most {1e6 / microseconds:.0f}/s)" for name, microseconds in costs.items()
        ),
        "Where it goes (cumulative, profiled, so about twice as slow):",
        *(f"  {line}" for line in results.sdk["profile"]),
    ]


def stream_lines(results: StreamResults) -> list[str]:
    rows = [
        [
            str(row.streams),
            f"{row.paced.p50:.2f} / {row.paced.p99:.2f}",
            f"{row.paced_direct.p50:.2f} / {row.paced_direct.p99:.2f}",
            f"{row.added_p50:.2f} / {row.added_p99:.2f}",
            f"{row.burst.events / row.burst.seconds:.0f}",
            str(row.paced.failures + row.burst.failures),
            " + ".join(f"{cores:.2f}" for cores in row.cores.values()),
        ]
        for row in results.rows
    ]
    last = results.rows[-1]
    return [
        "## Streaming chat of the Inference API, one process",
        *table(
            ["streams", "p50 / p99 ms", "model alone", "added p50 / p99", "events/s unpaced", "failed", "cores"], rows
        ),
        f"Paced: {1000 // streams.PAUSE_MS} deltas per second and stream. cores: {' + '.join(last.cores)}."
        f" Resident memory afterwards {results.resident_megabytes:.0f} MB.",
        f"Added delay per delta at {last.streams} streams, median {last.added_p50:.2f} ms, target"
        f" {streams.TARGET_ADDED_MS:.0f} ms: {verdict(last.added_p50 < streams.TARGET_ADDED_MS)}",
    ]
