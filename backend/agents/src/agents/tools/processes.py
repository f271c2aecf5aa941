"""Work of tools that takes processor time: in processes of its own, a few of them, at a low priority.

Nothing of it waits in the thread pool of the event loop or of a client, so that a turn that calls no such tool does not
notice. A call that cannot be served fails, and its tool tells the model so; the turn goes on.
"""

import asyncio
import atexit
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass

from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

BUSY = service_unavailable().model_copy(update={"message": "Too much is being worked on. Try again in a moment."})
TOO_LARGE = bad_request("The input is too large.")
TOO_SLOW = bad_request("The work takes too long.")
TOO_LONG = bad_request("The result is too long.")
DIED = bad_request("The work cannot be done.")
STOPPED = bad_request("The work was stopped.")

on_behalf_of: ContextVar[str | None] = ContextVar("on_behalf_of", default=None)
"""The user whose turn is running: nobody gets all places."""

_LOW_PRIORITY = 5
# What a process may know of its surroundings: where the system's libraries are, and no key or token.
_PASSED_ON = ("LD_LIBRARY_PATH", "PATH")
_TIMERS = {-signal.SIGPROF, -signal.SIGALRM, -signal.SIGXCPU}
_ERRORS = ErrorTable.of((OSError, DIED.caused_by))


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is for one piece of work from its beginning, `wait_seconds` for its turn to come; starting a process
    has a time of its own."""

    workers: int = min(4, os.process_cpu_count() or 1)
    waiting: int = 16
    of_one_user: int = 4
    wait_seconds: float = 10.0
    seconds: float = 10.0
    start_seconds: float = 30.0
    request_bytes: int = 65_536
    answer_bytes: int = 65_536


class ToolProcesses:
    """Hands lines to processes of `program`: what Python is told to run, a file, or `-m` and a module.

    Such a process says a line when it is ready, and answers each line with one. When it has answered it waits for the
    next; when it has not it is ended.
    """

    def __init__(self, *program: str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._program = program
        # One thread for each process, which mostly waits for it.
        self._threads = ThreadPoolExecutor(self.limits.workers, thread_name_prefix="tool")
        self._lock = threading.Lock()
        self._present: Counter[str | None] = Counter()
        self._idle: list[_Worker] = []
        atexit.register(self.close)

    async def ask(self, line: str) -> Result[str, ErrorDetail]:
        """The answer. Cancelling ends the work."""
        user_id = on_behalf_of.get()
        if len(line) > self.limits.request_bytes:
            return Failure(TOO_LARGE)
        if not self._admit(user_id):
            return Failure(BUSY)
        job = _Job(line.encode() + b"\n")
        served = self._threads.submit(self._serve, job)
        served.add_done_callback(lambda _: self._leave(user_id))
        answer = asyncio.wrap_future(served)
        try:
            done, _ = await asyncio.wait((answer,), timeout=self.limits.wait_seconds)
            if not done and served.cancel():
                return Failure(BUSY)
            return await answer
        finally:
            _stop(served, job)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _admit(self, user_id: str | None) -> bool:
        with self._lock:
            is_full = self._present.total() >= self.limits.workers + self.limits.waiting
            has_many = user_id is not None and self._present[user_id] >= self.limits.of_one_user
            if is_full or has_many:
                return False
            self._present[user_id] += 1
            return True

    def _leave(self, user_id: str | None) -> None:
        with self._lock:
            self._present[user_id] -= 1
            self._present += Counter()  # forgets whom nothing is done for

    def _serve(self, job: "_Job") -> Result[str, ErrorDetail]:
        match attempt(self._take, errors=_ERRORS):
            case Success(worker):
                return self._work(job, worker)
            case Failure(error):
                return Failure(error)

    def _work(self, job: "_Job", worker: "_Worker") -> Result[str, ErrorDetail]:
        answer: Result[str, ErrorDetail] = Failure(STOPPED)
        if job.begin(worker):
            answer = attempt(worker.answer, job.line, self.limits, errors=_ERRORS).bind(lambda told: told)
        was_stopped = not job.finish()
        if isinstance(answer, Success) and not was_stopped:
            self._give_back(worker)
            return answer
        ended_by = worker.end()
        if was_stopped:
            return Failure(STOPPED)
        return Failure(TOO_SLOW) if ended_by in _TIMERS else answer

    def _take(self) -> "_Worker":
        with self._lock:
            idle, self._idle = self._idle, []
            alive = [worker for worker in idle if worker.is_alive]
            worker = alive.pop() if alive else None
            self._idle = alive
        return worker or _Worker.start(self._program)

    def _give_back(self, worker: "_Worker") -> None:
        with self._lock:
            self._idle.append(worker)


class _Job:
    """A line on its way. It can be stopped at any moment, from any thread."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._is_stopped = False

    def begin(self, worker: "_Worker") -> bool:
        with self._lock:
            self._worker = worker
            return not self._is_stopped

    def finish(self) -> bool:
        """Whether it was not stopped; from here on it cannot be."""
        with self._lock:
            self._worker = None
            return not self._is_stopped

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            if self._worker is not None:
                self._worker.kill()


def _stop(served: "Future[Result[str, ErrorDetail]]", job: _Job) -> None:
    if not served.done() and not served.cancel():
        job.stop()


class _Worker:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._is_ready = False

    @classmethod
    def start(cls, program: Sequence[str]) -> "_Worker":
        # Isolated: neither variables nor files of the working directory, which holds data, decide what is imported.
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
            [sys.executable, "-I", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        # From here, because the imports of the process take time too.
        os.setpriority(os.PRIO_PROCESS, process.pid, _LOW_PRIORITY)
        return cls(process)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @railway
    def answer(self, line: bytes, limits: Limits) -> Result[str, ErrorDetail]:
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        if not self._is_ready:
            self._read(limits.start_seconds, limits.answer_bytes).unwrap()
            self._is_ready = True
        self._process.stdin.write(line)
        return self._read(limits.seconds, limits.answer_bytes)

    def _read(self, seconds: float, most: int) -> Result[str, ErrorDetail]:
        """The next line. There is never more than one to read."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        deadline = time.monotonic() + seconds
        told = bytearray()
        readable = select.poll()
        readable.register(self._process.stdout, select.POLLIN)
        while not told.endswith(b"\n"):
            if len(told) > most:
                return Failure(TOO_LONG)
            if not readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return Failure(TOO_SLOW)
            part = self._process.stdout.read(65_536)
            if not part:
                return Failure(DIED)
            told += part
        return Success(told.decode())

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        """How it ended: by a signal of its own, or now."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code
