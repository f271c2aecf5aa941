"""Child processes: start, watch, stop, and read what they last said."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, fold
from devstack.failures import refusal

POLL_SECONDS = 0.01
STOP_SECONDS = 8.0
_TAIL_LINES = 15
_NOT_YET = ErrorTable.of((httpx.TransportError, service_unavailable))


class StartError(RuntimeError):
    """A process that a test or a benchmark needs did not start; the text holds its last lines."""


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """The exit status; negative is the number of the signal that ended it."""
        return self.process.wait(timeout)

    def output(self) -> str:
        """All that the process has written so far."""
        return self.log.read_text(errors="replace")

    def last_words(self) -> str:
        """The end of its output as a sentence and indented lines."""
        lines = self.output().splitlines()[-_TAIL_LINES:]
        if not lines:
            return "It wrote nothing."
        return "\n".join([f"Its last lines ({self.log}):", *(f"    {line}" for line in lines)])

    def death(self) -> ErrorDetail:
        """The failure that says how a process which should run has ended."""
        return refusal(f"{self.name} ended unexpectedly ({_reason(self.process.returncode)}). {self.last_words()}")


def start(name: str, module: str, *arguments: str, environment: Mapping[str, str], log_dir: Path) -> Child:
    """Run `python -m module arguments` with exactly `environment`; its output goes to a file in `log_dir`."""
    log = log_dir / f"{name.replace(' ', '-')}.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "devstack.child", str(os.getpid()), module, *arguments],
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    return Child(name, process, log)


def wait_until_answers(
    child: Child, url: str, *, timeout: float, on_wait: Callable[[float], None] | None = None
) -> Result[float, ErrorDetail]:
    """Seconds until `url` answered 200. Fails when the process ends before, or after `timeout` seconds.

    `on_wait` is told the seconds so far after every look.
    """
    begun = time.monotonic()
    answer: Result[int, ErrorDetail] = Failure(service_unavailable())
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        while (waited := time.monotonic() - begun) < timeout:
            answer = attempt(client.get, url, errors=_NOT_YET).map(lambda response: response.status_code)
            if answer == Success(httpx.codes.OK):
                return Success(time.monotonic() - begun)
            if not child.is_running:
                return Failure(child.death())
            if on_wait is not None:
                on_wait(waited)
            time.sleep(POLL_SECONDS)
    seen = answer.map(lambda status: f"it answers with status {status}").value_or("it does not answer")
    return Failure(refusal(f"{child.name} was not ready after {timeout:.0f} s: {seen} at {url}. {child.last_words()}"))


def or_raise[T](result: Result[T, ErrorDetail]) -> T:
    """The value, for a test or a benchmark that cannot go on without it: a Failure becomes a `StartError`."""
    return fold(result, success=lambda value: value, failure=_refuse)


def stop(children: Iterable[Child], *, within: float = STOP_SECONDS) -> None:
    """Ask all to end at once, and kill what still runs after `within` seconds."""
    running = [child for child in children if child.is_running]
    for child in running:
        child.terminate()
    deadline = time.monotonic() + within
    while any(child.is_running for child in running) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for child in running:
        if child.is_running:
            child.kill()
        child.wait()


def _reason(status: int | None) -> str:
    if status is not None and status < 0:
        return f"signal {-status}"
    return f"exit status {status}"


def _refuse(error: ErrorDetail) -> NoReturn:
    raise StartError(error.message)
