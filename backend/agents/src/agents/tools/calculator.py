"""`calculator`: arithmetic and algebra with sympy.

The expression comes from a model that has read a user's text, so it is never evaluated as Python: it is parsed, and
only numbers, names, arithmetic and the functions of a list become sympy objects. Sizes are bounded, because an exact
power of two large numbers would keep a thread busy for ever.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from agents.tools.results import Envelope, error_text, text_result
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, fold, railway

MAX_LENGTH = 1000
MAX_EXPONENT = 1000
MAX_DIGITS = 200
MAX_DEPTH = 50

type Expression = Any  # Any: sympy is untyped

_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "ln", "sqrt", "Abs", "abs"}
    | {"factorial", "floor", "ceiling", "sign", "gcd", "lcm", "Min", "Max"}
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
    (RecursionError, lambda _: bad_request("The expression is too deep.")),
)


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
        expression: The expression, for example `2 * (3 + 4)`, `x**2 - 4 = 0` or `[[1, 2], [3, 4]]`.
        mode: `evaluate`, `solve`, `derive`, `integrate`, `limit`, `series` or `matrix`.
        precision: Number of digits of a numeric result.
        scientific: Write a numeric result in scientific notation.
        force_numeric: Write a number where the exact result is a symbol, for example for `pi`.
        variables: Values of names in the expression.
        wrt: The variable to derive, integrate, take a limit or expand in; by default the only one.
        point: Where a limit or series is taken; `0` by default.
        order: Order of a derivative (default 1) or series (default 5).
    """
    result = _calculate(
        expression, mode, max(1, min(precision, 100)), scientific, force_numeric, variables or {}, wrt, point, order
    )
    return fold(result, success=lambda text: text_result(f"Result: {text}"), failure=lambda e: error_text(e.message))


@railway
def _calculate(
    text: str,
    mode: str,
    precision: int,
    scientific: bool,
    force_numeric: bool,
    variables: Mapping[str, float],
    wrt: str | None,
    point: str | None,
    order: int | None,
) -> Result[str, ErrorDetail]:
    import sympy  # noqa: PLC0415 - lazy: two seconds that only this tool needs

    if mode not in _MODES:
        return Failure(bad_request(f"The mode must be one of {', '.join(_MODES)}."))
    order = order if order is not None else _DEFAULT_ORDER.get(mode, 1)
    if not 1 <= order <= 20:
        return Failure(bad_request("The order must be between 1 and 20."))
    reader = _Reader(sympy, variables)
    parsed = reader.read(text).unwrap()
    variable = reader.variable(parsed, wrt, needed=mode in {"derive", "integrate", "limit", "series"}).unwrap()
    at = reader.read(point or "0").unwrap()
    value = attempt(_apply, sympy, mode, parsed, variable, at, order, errors=_ERRORS).unwrap()
    return attempt(_write, sympy, value, precision, scientific, force_numeric, errors=_ERRORS)


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
            return f"{float(number):.{precision}e}"
        if force_numeric or value.has(sympy.Float) or value.is_Rational:
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
    def read(self, text: str) -> Result[Expression, ErrorDetail]:
        if len(text) > MAX_LENGTH:
            return Failure(bad_request(f"The expression is longer than {MAX_LENGTH} characters."))
        sides = text.replace("^", "**").replace("==", "=").split("=")
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
                values = collect(self._node(row, depth + 1) for row in rows).unwrap()
                return Success(values if depth else self._sympy.Matrix(values))
            case _:
                return Failure(bad_request("The expression holds something that is not arithmetic."))

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
            if getattr(other, "is_number", False) and abs(self._sympy.N(other)) > MAX_EXPONENT:
                return Failure(bad_request(f"An exponent is larger than {MAX_EXPONENT}."))
            if _digits(self._sympy, one) > MAX_DIGITS:
                return Failure(bad_request("A number is too large."))
            return attempt(operator.pow, one, other, errors=_ERRORS)
        operate = _OPERATORS.get(type(op))
        if operate is None:
            return Failure(bad_request("The expression holds something that is not arithmetic."))
        return attempt(operate, one, other, errors=_ERRORS)

    def _call(self, name: str, values: list[Expression]) -> Result[Expression, ErrorDetail]:
        if name == "factorial" and any(value.is_number and value > MAX_EXPONENT for value in values):
            return Failure(bad_request(f"A factorial above {MAX_EXPONENT} is too large."))
        function = getattr(self._sympy, {"abs": "Abs", "ln": "log"}.get(name, name))
        return attempt(function, *values, errors=_ERRORS)


def _digits(sympy: Any, value: Expression) -> int:
    return len(str(value)) if isinstance(value, sympy.Integer) else 0
