"""What the operating system says about a process and this machine."""

import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


@dataclass(slots=True)
class CpuShares:
    """How many cores each process used on average while the measurement ran, and for how many seconds in all."""

    cores: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def measuring_cpu(processes: Mapping[str, int]) -> Iterator[CpuShares]:
    shares = CpuShares()
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    begun = time.perf_counter()
    yield shares
    elapsed = time.perf_counter() - begun
    shares.seconds = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items()}
    shares.cores = {name: seconds / elapsed for name, seconds in shares.seconds.items()}


def description() -> dict[str, str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "python": platform.python_version(),
        "load_average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def microseconds_of_python() -> float:
    """A fixed piece of interpreter work, median of 5: compares runs on machines that are not equally fast or idle."""

    def once() -> float:
        begun = time.perf_counter()
        total = 0
        for number in range(100_000):
            total += number % 7
        return (time.perf_counter() - begun) * 1e6

    return statistics.median(once() for _ in range(5))
