"""Arithmetic and algebra with sympy, in a process of its own: `python -m agents.tools.calculation`.

The expression comes from a model that has read a user's text, so it is never evaluated as Python: it is parsed, and
only numbers, names, arithmetic and the functions of a list become sympy objects. What size limits do not bound, the
process does: it ends itself after `SECONDS` of processor time for one expression, cannot take more than `MEMORY` bytes,
and writes no file.

Protocol: one JSON line when it is ready; then one JSON object per line, the arguments of `calculate`, and one JSON line
back, `{"value"}` or `{"error"}`.
"""

import ast
import importlib
import json
import operator
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, fold, railway

MAX_LENGTH = 1000
MAX_EXPONENT = 1000
MAX_DIGITS = 200
MAX_DEPTH = 50
MAX_RESULT_LENGTH = 20_000
SECONDS = 3
MEMORY = 1 << 30

type Expression = Any  # Any: sympy is untyped

_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "ln", "sqrt", "Abs", "abs"}
    | {"factorial", "floor", "ceiling", "sign", "gcd", "lcm", "Min", "Max", "log10", "log2", "cbrt"}
    | {"det", "inv", "transpose", "trace", "rank", "eigenvals"}
)
_CONSTANTS = {"pi": "pi", "e": "E", "E": "E", "I": "I", "oo": "oo", "inf": "oo"}
_OPERATORS: dict[type[ast.operator], Callable[[Expression, Expression], Expression]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}
_DEFAULT_ORDER = {"derive": 1, "series": 5}
_MODES = ("evaluate", "solve", "derive", "integrate", "limit", "series", "matrix")
_ERRORS = ErrorTable.of(
    (SyntaxError, lambda _: bad_request("The expression cannot be read.")),
    (ZeroDivisionError, lambda _: bad_request("Division by zero.")),
    (ArithmeticError, lambda _: bad_request("The expression has no value.")),
    (NotImplementedError, lambda _: bad_request("This cannot be solved in closed form.")),
    (ValueError, lambda _: bad_request("The expression cannot be evaluated.")),
    (TypeError, lambda _: bad_request("The expression cannot be evaluated.")),
    (MemoryError, lambda _: bad_request("The expression is too large.")),
    (RecursionError, lambda _: bad_request("The expression is too deep.")),
)


@railway
def calculate(
    expression: str,
    mode: str = "evaluate",
    precision: int = 10,
    scientific: bool = False,
    force_numeric: bool = False,
    variables: Mapping[str, float] | None = None,
    wrt: str | None = None,
    point: str | None = None,
    order: int | None = None,
) -> Result[str, ErrorDetail]:
    """The value as text. Fails with `bad_request`, whose message says what is wrong with the expression."""
    import sympy  # noqa: PLC0415 - lazy: half a second that only this process needs

    if mode not in _MODES:
        return Failure(bad_request(f"The mode must be one of {', '.join(_MODES)}."))
    order = order if order is not None else _DEFAULT_ORDER.get(mode, 1)
    if not 1 <= order <= 20:
        return Failure(bad_request("The order must be between 1 and 20."))
    reader = _Reader(sympy, variables or {})
    parsed = reader.read(expression, equation=mode == "solve").unwrap()
    variable = reader.variable(parsed, wrt, needed=mode in {"derive", "integrate", "limit", "series"}).unwrap()
    at = reader.read(point or "0").unwrap()
    value = attempt(_apply, sympy, mode, parsed, variable, at, order, errors=_ERRORS).unwrap()
    if isinstance(value, sympy.Basic) and value.has(sympy.zoo, sympy.nan):
        return Failure(bad_request("The expression has no value, as a division by zero has none."))
    digits = max(1, min(precision, 100))
    return attempt(_write, sympy, value, digits, scientific, force_numeric, errors=_ERRORS)


def _apply(sympy: Any, mode: str, value: Expression, variable: Expression, at: Expression, order: int) -> Expression:
    match mode:
        case "solve":
            return sympy.solve(value, variable) if variable is not None else sympy.solve(value)
        case "derive":
            return sympy.diff(value, variable, order)
        case "integrate":
            return sympy.integrate(value, variable)
        case "limit":
            return sympy.limit(value, variable, at)
        case "series":
            return sympy.series(value, variable, at, order)
        case _:
            return sympy.simplify(value) if isinstance(value, sympy.Expr) else value


def _write(sympy: Any, value: Expression, precision: int, scientific: bool, force_numeric: bool) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_write(sympy, member, precision, scientific, force_numeric) for member in value)}]"
    if isinstance(value, sympy.Expr) and value.is_number:
        if value.is_Integer and not scientific:
            return str(value)
        number = sympy.N(value, precision)
        if scientific and number.is_real:
            # More digits than are shown: the last of a sympy number is not rounded to the nearest.
            return f"{float(sympy.N(value, precision + 15)):.{precision}e}"
        if force_numeric or value.is_infinite or value.has(sympy.Float) or value.is_Rational:
            return _without_trailing_zeros(str(number))
        return f"{value} = {_without_trailing_zeros(str(number))}"
    return str(value)


def _without_trailing_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


class _Reader:
    """Turns the text of an expression into sympy objects."""

    def __init__(self, sympy: Any, variables: Mapping[str, float]) -> None:
        self._sympy = sympy
        self._variables = variables

    @railway
    def read(self, text: str, *, equation: bool = False) -> Result[Expression, ErrorDetail]:
        """Of an equation the difference of its sides."""
        if len(text) > MAX_LENGTH:
            return Failure(bad_request(f"The expression is longer than {MAX_LENGTH} characters."))
        sides = text.replace("^", "**").replace("==", "=").split("=")
        if len(sides) > 1 and not equation:
            return Failure(bad_request("An equation needs the mode solve."))
        if len(sides) > 2:
            return Failure(bad_request("An equation has one equals sign."))
        trees = collect(attempt(ast.parse, side.strip(), mode="eval", errors=_ERRORS) for side in sides).unwrap()
        values = collect(self._node(tree.body, 0) for tree in trees).unwrap()
        return attempt(lambda: values[0] if len(values) == 1 else values[0] - values[1], errors=_ERRORS)

    def variable(self, value: Expression, name: str | None, *, needed: bool) -> Result[Expression, ErrorDetail]:
        if name is not None:
            return Success(self._sympy.Symbol(name)) if name.isidentifier() else Failure(bad_request("Bad variable."))
        symbols = sorted(getattr(value, "free_symbols", ()), key=str)
        if len(symbols) == 1:
            return Success(symbols[0])
        if needed and symbols:
            return Failure(bad_request("Say which variable is meant (wrt)."))
        return Success(self._sympy.Symbol("x") if needed else None)

    @railway
    def _node(self, node: ast.expr, depth: int) -> Result[Expression, ErrorDetail]:  # noqa: PLR0911 - one kind, one return
        if depth > MAX_DEPTH:
            return Failure(bad_request("The expression is too deep."))
        match node:
            case ast.Constant(value=bool() | str() | bytes() | None):
                return Failure(bad_request("Only numbers are allowed."))
            case ast.Constant(value=value):
                return self._number(value)
            case ast.Name(id=name):
                return Success(self._name(name))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Success(-self._node(operand, depth + 1).unwrap())
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._node(operand, depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                one, other = self._node(left, depth + 1).unwrap(), self._node(right, depth + 1).unwrap()
                return self._operate(op, one, other)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
                values = collect(self._node(argument, depth + 1) for argument in arguments).unwrap()
                return self._call(name, values)
            case ast.List(elts=rows):
                return self._matrix(rows, depth)
            case _:
                return Failure(bad_request("The expression holds something that is not arithmetic."))

    @railway
    def _matrix(self, rows: list[ast.expr], depth: int) -> Result[Expression, ErrorDetail]:
        """Of a list of lists its rows, of any other list one column."""
        cells = [row.elts if isinstance(row, ast.List) else [row] for row in rows]
        values = [collect(self._node(cell, depth + 1) for cell in row).unwrap() for row in cells]
        return attempt(self._sympy.Matrix, values, errors=_ERRORS)

    def _number(self, value: Any) -> Result[Expression, ErrorDetail]:
        if isinstance(value, int) and len(str(value)) > MAX_DIGITS:
            return Failure(bad_request("A number is too large."))
        if isinstance(value, complex):
            return Success(self._sympy.Float(value.real) + self._sympy.I * self._sympy.Float(value.imag))
        return Success(self._sympy.Integer(value) if isinstance(value, int) else self._sympy.Float(repr(value)))

    def _name(self, name: str) -> Expression:
        if name in self._variables:
            return self._sympy.Float(repr(float(self._variables[name])))
        if name in _CONSTANTS:
            return getattr(self._sympy, _CONSTANTS[name])
        return self._sympy.Symbol(name)

    def _operate(self, op: ast.operator, one: Expression, other: Expression) -> Result[Expression, ErrorDetail]:
        if isinstance(op, ast.Pow):
            if _size(self._sympy, other) > len(str(MAX_EXPONENT)) or _above(self._sympy, other, MAX_EXPONENT):
                return Failure(bad_request(f"An exponent is larger than {MAX_EXPONENT}."))
            if _size(self._sympy, one) > MAX_DIGITS:
                return Failure(bad_request("A number is too large."))
            return attempt(operator.pow, one, other, errors=_ERRORS)
        operate = _OPERATORS.get(type(op))
        if operate is None:
            return Failure(bad_request("The expression holds something that is not arithmetic."))
        return attempt(operate, one, other, errors=_ERRORS)

    def _call(self, name: str, values: list[Expression]) -> Result[Expression, ErrorDetail]:
        if name == "factorial" and any(_above(self._sympy, value, MAX_EXPONENT) for value in values):
            return Failure(bad_request(f"A factorial above {MAX_EXPONENT} is too large."))
        return attempt(_function(self._sympy, name), *values, errors=_ERRORS)


def _function(sympy: Any, name: str) -> Callable[..., Expression]:
    match name:
        case "log10":
            return lambda value: sympy.log(value, 10)
        case "log2":
            return lambda value: sympy.log(value, 2)
        case "det" | "inv" | "trace" | "rank":
            return lambda matrix: getattr(sympy.Matrix(matrix), name)()
        case "transpose":
            return lambda matrix: sympy.Matrix(matrix).T
        case "eigenvals":
            return lambda matrix: sorted(sympy.Matrix(matrix).eigenvals(multiple=True), key=str)
        case _:
            function: Callable[..., Expression] = getattr(sympy, {"abs": "Abs", "ln": "log"}.get(name, name))
            return function


def _above(sympy: Any, value: Expression, limit: int) -> bool:
    """Of what is not one real number too: sympy works such a power out only where it is cheap."""
    return isinstance(value, sympy.Number) and bool(abs(value) > limit)


def _size(sympy: Any, value: Expression) -> int:
    """Number of digits, roughly: counting them exactly is slow for large numbers."""
    return int(abs(value).p).bit_length() * 3 // 10 if isinstance(value, sympy.Rational) else 0


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    importlib.import_module("sympy")  # before a clock runs
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say({"ready": True})
    for line in sys.stdin:
        # Without a handler it ends the process, even in the middle of one long multiplication. Processor time: at the
        # lowest priority the clock on the wall says nothing about the work.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        reply = fold(
            calculate(**json.loads(line)).bind(_bounded),
            success=lambda value: {"value": value},
            failure=lambda error: {"error": error.message},
        )
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(reply)


def _say(reply: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def _bounded(value: str) -> Result[str, ErrorDetail]:
    return Success(value) if len(value) <= MAX_RESULT_LENGTH else Failure(bad_request("The result is too long."))


if __name__ == "__main__":
    main()
