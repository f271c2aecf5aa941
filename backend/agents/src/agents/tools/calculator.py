"""`calculator`: hands expressions to processes that may end themselves."""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading

from agents.tools.results import Envelope, error_text, text_result
from apis.shared.errors import ErrorDetail, bad_request, internal_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, fold

TOO_SLOW = bad_request("The calculation takes too long.")
NO_VALUE = bad_request("The expression cannot be evaluated.")
_DEAD = ErrorTable.of((OSError, internal_error))


def calculator(
    expression: str,
    mode: str = "evaluate",
    precision: int = 10,
    scientific: bool = False,
    force_numeric: bool = False,
    variables: dict[str, float] | None = None,
    wrt: str | None = None,
    point: str | None = None,
    order: int | None = None,
) -> Envelope:
    """Calculate, solve equations, derive, integrate, take limits and series, and work with matrices.

    Args:
        expression: The expression, for example `2 * (3 + 4)`, `x**2 - 4 = 0` or `det([[1, 2], [3, 4]])`.
        mode: `evaluate`, `solve`, `derive`, `integrate`, `limit`, `series` or `matrix`.
        precision: Number of digits of a numeric result.
        scientific: Write a numeric result in scientific notation.
        force_numeric: Write a number where the exact result is a symbol, for example for `pi`.
        variables: Values of names in the expression.
        wrt: The variable to derive, integrate, take a limit or expand in; by default the only one.
        point: Where a limit or series is taken; `0` by default.
        order: Order of a derivative (default 1) or series (default 5).
    """
    result = _calculators.calculate(
        {
            "expression": expression,
            "mode": mode,
            "precision": precision,
            "scientific": scientific,
            "force_numeric": force_numeric,
            "variables": variables,
            "wrt": wrt,
            "point": point,
            "order": order,
        }
    )
    return fold(result, success=lambda text: text_result(f"Result: {text}"), failure=lambda e: error_text(e.message))


type _Process = subprocess.Popen[str]


class _Calculators:
    """One process per core at most; one that has answered waits for the next expression."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def calculate(self, task: dict[str, object]) -> Result[str, ErrorDetail]:
        """Blocks for as long as the calculation takes, which is bounded."""
        with self._slots:
            process = self._take()
            answer = attempt(_exchange, process, json.dumps(task), errors=_DEAD)
            line = fold(answer, success=lambda text: text, failure=lambda _: "")
            if not line:
                process.communicate()
                return Failure(TOO_SLOW if process.returncode == -signal.SIGALRM else NO_VALUE)
            self._give_back(process)
        reply = json.loads(line)
        error = reply.get("error")
        return Success(str(reply["value"])) if error is None else Failure(bad_request(error))

    def close(self) -> None:
        with self._lock:
            for process in self._idle:
                process.kill()
                process.communicate()
            self._idle.clear()

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
        return subprocess.Popen(
            [sys.executable, "-m", "agents.tools.calculation"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)


def _exchange(process: _Process, line: str) -> str:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


_calculators = _Calculators()
atexit.register(_calculators.close)
