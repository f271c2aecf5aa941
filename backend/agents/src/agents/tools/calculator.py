"""`calculator`: hands expressions to processes that may end themselves."""

import json

from agents.tools import processes
from agents.tools.processes import ToolProcesses
from agents.tools.results import Envelope, error_text, text_result
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import Failure, Result, Success, fold

calculations = ToolProcesses("-m", "agents.tools.calculation")

_TEXTS = {
    processes.BUSY.message: "The calculator is busy. Try again in a moment.",
    processes.TOO_LARGE.message: "The expression is too large.",
    processes.TOO_SLOW.message: "The calculation takes too long.",
    processes.DIED.message: "The expression cannot be evaluated.",
}


async def calculator(
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
    task = {
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
    answer = await calculations.ask(json.dumps(task))
    return fold(
        answer.bind(_value),
        success=lambda value: text_result(f"Result: {value}"),
        failure=lambda error: error_text(_TEXTS.get(error.message, error.message)),
    )


def _value(line: str) -> Result[str, ErrorDetail]:
    reply = json.loads(line)
    error = reply.get("error")
    return Success(str(reply["value"])) if error is None else Failure(bad_request(str(error)))
