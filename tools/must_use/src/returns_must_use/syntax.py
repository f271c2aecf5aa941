"""Questions about mypy's syntax tree that need no types."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from mypy import nodes
from mypy.nodes import Context, Expression, Node

from returns_must_use.scopes import Path

# A target of an assignment, an expression, and where in its value the target's part is.
Assigned: TypeAlias = tuple[Expression, Expression, Path | None]

Position: TypeAlias = tuple[int, int, int | None, int | None]

LITERALS = (nodes.IntExpr, nodes.StrExpr, nodes.BytesExpr, nodes.FloatExpr, nodes.ComplexExpr, nodes.EllipsisExpr)
CALLS = (nodes.CallExpr, nodes.AwaitExpr)

_VIEWS = frozenset({"items", "values", "keys", "copy"})

# Where a node keeps the expressions that are evaluated with it. Keyed by name: a class may be missing in an older mypy.
CHILDREN: dict[str, tuple[str, ...]] = {
    "AsPattern": ("pattern",),
    "AssertStmt": ("expr", "msg"),
    "AssertTypeExpr": ("expr",),
    "AwaitExpr": ("expr",),
    "CallExpr": ("callee", "args"),
    "CastExpr": ("expr",),
    "ClassPattern": ("class_ref", "positionals", "keyword_values"),
    "ComparisonExpr": ("operands",),
    "ConditionalExpr": ("cond", "if_expr", "else_expr"),
    "DelStmt": ("expr",),
    "DictExpr": ("items",),
    "ExpressionStmt": ("expr",),
    "IndexExpr": ("base", "index"),
    "ListComprehension": ("generator",),
    "ListExpr": ("items",),
    "MappingPattern": ("keys", "values"),
    "MemberExpr": ("expr",),
    "OpExpr": ("left", "right"),
    "OperatorAssignmentStmt": ("lvalue", "rvalue"),
    "OrPattern": ("patterns",),
    "RaiseStmt": ("expr", "from_expr"),
    "ReturnStmt": ("expr",),
    "SequencePattern": ("patterns",),
    "SetComprehension": ("generator",),
    "SetExpr": ("items",),
    "SliceExpr": ("begin_index", "end_index", "stride"),
    "StarExpr": ("expr",),
    "SuperExpr": ("call",),
    "TemplateStrExpr": ("items",),
    "TupleExpr": ("items",),
    "UnaryExpr": ("expr",),
    "ValuePattern": ("expr",),
    "YieldExpr": ("expr",),
    "YieldFromExpr": ("expr",),
}


def position(node: Context) -> Position:
    return node.line, node.column, node.end_line, node.end_column


def children(node: Node) -> Iterator[Node]:
    for attribute in CHILDREN.get(type(node).__name__, ()):
        yield from nodes_in(getattr(node, attribute))


def nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from nodes_in(item)


def chain(expr: Expression) -> str | None:
    """`name`, `name.attribute`, `name[0]` and so on as text: an expression that computes nothing."""
    match expr:
        case nodes.NameExpr():
            return expr.name
        case nodes.MemberExpr():
            start = chain(expr.expr)
            return start and f"{start}.{expr.name}"
        case nodes.IndexExpr(index=nodes.IntExpr(value=key) | nodes.StrExpr(value=key)):
            start = chain(expr.base)
            return start and f"{start}[{key!r}]"
        case nodes.IndexExpr(index=nodes.NameExpr(name=name)):
            start = chain(expr.base)
            return start and f"{start}[{name}]"
    return None


def is_looked_up(expr: Expression) -> bool:
    """`self.cache[key].last`: nothing is called, so that what is looked up stays where it is."""
    while isinstance(expr, nodes.IndexExpr | nodes.MemberExpr):
        expr = expr.base if isinstance(expr, nodes.IndexExpr) else expr.expr
    return isinstance(expr, nodes.NameExpr | nodes.SuperExpr)


def is_kept(expr: Expression) -> bool:
    """`self.results.items()`: a loop over it takes nothing away from who keeps the Results."""
    if isinstance(expr, nodes.CallExpr) and isinstance(expr.callee, nodes.MemberExpr) and expr.callee.name in _VIEWS:
        return is_kept(expr.callee.expr)
    return is_looked_up(expr)


def last_name(expr: Expression) -> str | None:
    """The name under which a function is called: `f` of `f` and of `a.b.f`."""
    return expr.name if isinstance(expr, nodes.NameExpr | nodes.MemberExpr) else None


def is_empty(value: Expression) -> bool:
    """`[]`, `{}`, `()`: the start of a container, not yet a Result."""
    return isinstance(value, nodes.ListExpr | nodes.TupleExpr | nodes.DictExpr) and not value.items


def not_picked(expr: nodes.IndexExpr) -> list[Expression]:
    """The elements of `(a, b)[1]` and the like that the index leaves behind."""
    match expr.base, expr.index:
        case nodes.TupleExpr() | nodes.ListExpr() as display, nodes.IntExpr(value=index):
            picked = index
        case (
            nodes.TupleExpr() | nodes.ListExpr() as display,
            nodes.UnaryExpr(op="-", expr=nodes.IntExpr(value=index)),
        ):
            picked = len(display.items) - index
        case nodes.DictExpr(items=items), nodes.StrExpr(value=key):
            return [value for name, value in items if not (isinstance(name, nodes.StrExpr) and name.value == key)]
        case _:
            return []
    if any(isinstance(item, nodes.StarExpr) for item in display.items):
        return []
    return [item for place, item in enumerate(display.items) if place != picked]


def unpack(targets: Sequence[Expression], value: Expression, path: Path | None) -> Iterator[Assigned]:
    """What each target of `a, *b, c = value` gets."""
    parts = value.items if isinstance(value, nodes.TupleExpr | nodes.ListExpr) and not path else []
    if parts:
        yield from _align(targets, parts)
        return
    star = _star(targets)
    for index, target in enumerate(targets):
        place: int | slice = index if index < star else index - len(targets)
        if isinstance(target, nodes.StarExpr):
            place = slice(index, index + 1 - len(targets) or None)
        yield target, value, None if path is None else (*path, place)


def _align(targets: Sequence[Expression], parts: Sequence[Expression]) -> Iterator[Assigned]:
    """`a, *b, c = w, *x, y, z`: from both ends up to the first star, then what is left between."""
    start = min(_star(targets), _star(parts))
    yield from ((target, part, ()) for target, part in zip(targets[:start], parts[:start], strict=False))
    targets, parts = targets[start:], parts[start:]
    end = min(_star(targets[::-1]), _star(parts[::-1]))
    if end:
        yield from ((target, part, ()) for target, part in zip(targets[-end:], parts[-end:], strict=False))
        targets, parts = targets[:-end], parts[:-end]
    if len(targets) == 1 and isinstance(targets[0], nodes.StarExpr):
        yield from ((targets[0], _unstarred(part), _each(part)) for part in parts)
        if not parts:
            yield targets[0], nodes.TupleExpr([]), ()
        return
    for target in targets:  # which of them a starred part fills depends on its length
        yield from ((target, _unstarred(part), _each(part)) for part in parts[:1])


def _star(expressions: Sequence[Expression]) -> int:
    return next((i for i, expr in enumerate(expressions) if isinstance(expr, nodes.StarExpr)), len(expressions))


def _unstarred(part: Expression) -> Expression:
    return part.expr if isinstance(part, nodes.StarExpr) else part


def _each(part: Expression) -> Path:
    return (slice(None),) if isinstance(part, nodes.StarExpr) else ()
