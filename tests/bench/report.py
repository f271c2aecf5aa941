"""The tables that `make bench` prints, each target with whether it is met."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench import assistant, costs, files, gate, start_up, store, streams
from tests.bench.assistant import AssistantResults
from tests.bench.costs import CostResults
from tests.bench.files import FileResults
from tests.bench.gate import GateResults
from tests.bench.start_up import StartUp
from tests.bench.store import Measured, StoreResults
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


def load_table(rows: Sequence[Measured]) -> list[str]:
    head = [
        "operation",
        "AWS ms",
        "conc.",
        "AWS calls",
        "req/s",
        "p50 ms",
        "p99 ms",
        "/health p99",
        "CPU ms",
        "failed",
        "cores",
    ]
    cells = [
        [
            row.operation,
            str(row.delay_ms),
            str(row.concurrency),
            f"{row.aws_calls:.0f}",
            f"{row.load.requests_per_second:.0f}",
            f"{row.load.p50:.1f}",
            f"{row.load.p99:.1f}",
            f"{row.load.probe_p99:.1f}",
            f"{row.cpu_ms:.2f}",
            str(row.load.failures),
            " + ".join(f"{cores:.2f}" for cores in row.cores.values()),
        ]
        for row in rows
    ]
    return table(head, cells)


def cost_lines(results: CostResults) -> list[str]:
    alone = [row for row in results.rows if row.delay_ms == 20 and row.concurrency == 1]
    together = [row for row in results.rows if row.delay_ms == 20 and row.concurrency > 1]
    return [
        "## Costs of everybody, for administrators",
        *load_table(results.rows),
        f"Resident memory afterwards {results.resident_megabytes:.0f} MB.",
        *(
            f"{row.operation}: median {row.load.p50:.0f} ms at 20 ms per AWS call, target {costs.TARGET_MS:.0f}:"
            f" {verdict(row.load.p50 < costs.TARGET_MS)}"
            for row in alone
        ),
        *(
            f"{row.operation}: /health p99 {row.load.probe_p99:.1f} ms beside {row.concurrency} of them, target"
            f" {costs.TARGET_HEALTH_P99_MS:.0f}: {verdict(row.load.probe_p99 < costs.TARGET_HEALTH_P99_MS)}"
            for row in together
        ),
    ]


def file_lines(results: FileResults) -> list[str]:
    alone = [row for row in results.rows if row.delay_ms == 20 and row.concurrency == 1]
    return [
        "## Uploaded files",
        *load_table(results.rows),
        *(
            f"{row.operation}: median {row.load.p50:.0f} ms at 20 ms per AWS call, target {files.TARGET_MS:.0f}:"
            f" {verdict(row.load.p50 < files.TARGET_MS)}"
            for row in alone
        ),
    ]


def store_lines(results: StoreResults) -> list[str]:
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
    burst = results.burst
    first = (
        f"{store.BURST_CONCURRENCY} clients list at once, {store.BURST_DELAY_MS} ms per AWS call, in a process that was"
        f" just started: /health p50 {burst.probe_p50:.1f}, p99 {burst.probe_p99:.1f},"
        f" longest {burst.probe_max:.1f} ms;"
        f" targets {store.TARGET_HEALTH_P99_MS:.0f} and {store.TARGET_HEALTH_MAX_MS:.0f}:"
        f" {verdict(burst.probe_p99 <= store.TARGET_HEALTH_P99_MS)} and"
        f" {verdict(burst.probe_max <= store.TARGET_HEALTH_MAX_MS)}"
    )
    of_sdk = results.sdk["microseconds_per_call"]
    return [
        "## Session operations of the App API, one process",
        *load_table(results.rows),
        f"cores: {' + '.join(results.rows[0].cores)}. Resident memory afterwards {results.resident_megabytes:.0f} MB.",
        first,
        *verdicts,
        "",
        "CPU of boto3 alone, one thread, no service: "
        + ", ".join(
            f"{name} {microseconds:.0f} us (at most {1e6 / microseconds:.0f}/s)"
            for name, microseconds in of_sdk.items()
        ),
        "Where it goes (cumulative, profiled, so about twice as slow):",
        *(f"  {line}" for line in results.sdk["profile"]),
    ]


def comparison_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Two results of `make bench`, side by side."""
    lines: list[str] = []
    if "start" in before:
        rows = [
            [was["service"], f"{was['median_seconds']:.2f}", f"{now['median_seconds']:.2f}"]
            for was, now in zip(before["start"], after["start"], strict=True)
        ]
        lines += ["## Start, seconds", *table(["service", "before", "after"], rows)]
    if "store" in before:
        rows = [_compared(was, now) for was, now in zip(before["store"]["rows"], after["store"]["rows"], strict=True)]
        head = ["operation", "AWS ms", "conc.", "req/s before", "after", "x", "CPU ms before", "after", "x", "target"]
        lines += ["## Session operations", *table(head, rows)]
        was, now = before["store"]["burst"], after["store"]["burst"]
        rows = [[name, f"{was[name]:.1f}", f"{now[name]:.1f}"] for name in ("probe_p50", "probe_p99", "probe_max")]
        lines += ["", *table(["/health in the first burst, ms", "before", "after"], rows)]
    if "streams" in before:
        rows = [
            [
                f"{was['streams']} streams",
                *(f"{row['paced']['first_p50'] / 1000:.2f}" for row in (was, now)),
                *(f"{row['paced']['seconds']:.1f}" for row in (was, now)),
            ]
            for was, now in zip(before["streams"]["rows"], after["streams"]["rows"], strict=True)
        ]
        head = ["paced", "first delta s before", "after", "all done s before", "after"]
        lines += ["## Streaming chat", *table(head, rows)]
    return lines


def _compared(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    faster = now["load"]["requests_per_second"] / max(was["load"]["requests_per_second"], 0.1)
    cheaper = was["cpu_ms"] / now["cpu_ms"]
    target = store.TARGET_GAIN.get(now["operation"]) if now["concurrency"] > 1 else None
    return [
        now["operation"],
        str(now["delay_ms"]),
        str(now["concurrency"]),
        f"{was['load']['requests_per_second']:.0f}",
        f"{now['load']['requests_per_second']:.0f}",
        f"{faster:.1f}",
        f"{was['cpu_ms']:.2f}",
        f"{now['cpu_ms']:.2f}",
        f"{cheaper:.1f}",
        "" if target is None else f"{target} {verdict(faster >= target)}",
    ]


def gate_lines(results: GateResults) -> list[str]:
    return [
        "## Quota gate of the Inference API, one turn after the other",
        f"First delta after {results.open_ms:.1f} ms without the gate, {results.gated_ms:.1f} ms with it"
        f" ({results.gated_calls:.1f} calls of AWS), target {gate.TARGET_ADDED_MS:.0f} ms more:"
        f" {verdict(results.added_ms <= gate.TARGET_ADDED_MS)}",
    ]


def assistant_lines(results: AssistantResults) -> list[str]:
    return [
        "## Turn with an assistant, one after the other",
        f"First delta after {results.plain_ms:.1f} ms without, {results.assisted_ms:.1f} ms with one whose documents"
        f" give five passages ({results.calls:.1f} more calls of AWS), target {assistant.TARGET_ADDED_MS:.0f} ms more:"
        f" {verdict(results.added_ms <= assistant.TARGET_ADDED_MS)}",
    ]


def stream_lines(results: StreamResults) -> list[str]:
    rows = [
        [
            str(row.streams),
            f"{row.paced.p50:.2f} / {row.paced.p99:.2f}",
            f"{row.paced_direct.p50:.2f} / {row.paced_direct.p99:.2f}",
            f"{row.added_p50:.2f} / {row.added_p99:.2f}",
            f"{row.burst.events / row.burst.seconds:.0f}",
            f"{row.paced.first_p50:.0f}",
            f"{row.paced.seconds:.1f}",
            str(row.paced.failures + row.burst.failures),
            " + ".join(f"{cores:.2f}" for cores in row.cores.values()),
        ]
        for row in results.rows
    ]
    last = results.rows[-1]
    return [
        "## Streaming chat of the Inference API, one process",
        *table(
            [
                "streams",
                "p50 / p99 ms",
                "model alone",
                "added p50 / p99",
                "events/s unpaced",
                "first delta ms",
                "all done s",
                "failed",
                "cores",
            ],
            rows,
        ),
        f"Paced: {1000 // streams.PAUSE_MS} deltas per second and stream. cores: {' + '.join(last.cores)}."
        f" Resident memory afterwards {results.resident_megabytes:.0f} MB.",
        f"Added delay per delta at {last.streams} streams, median {last.added_p50:.2f} ms, target"
        f" {streams.TARGET_ADDED_MS:.0f} ms: {verdict(last.added_p50 < streams.TARGET_ADDED_MS)}",
        f"First delta of {last.streams} streams at once, median {last.paced.first_p50:.0f} ms, target"
        f" {streams.TARGET_FIRST_MS:.0f}: {verdict(last.paced.first_p50 <= streams.TARGET_FIRST_MS)}; all done after"
        f" {last.paced.seconds:.1f} s, target {streams.TARGET_DONE_SECONDS:.0f}:"
        f" {verdict(last.paced.seconds <= streams.TARGET_DONE_SECONDS)}",
    ]
