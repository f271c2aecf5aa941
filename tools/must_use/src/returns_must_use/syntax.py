"""Questions about mypy's syntax tree that need no types."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from mypy import nodes
from mypy.nodes import Context, Expression, NameExpr, Node, Statement

from returns_must_use.scopes import Path

# A target of an assignment, an expression, and where in its value the target's part is.
Assigned: TypeAlias = tuple[Expression, Expression, Path | None]

Position: TypeAlias = tuple[int, int, int | None, int | None]

# Where a node keeps the expressions that are evaluated with it. Keyed by name: a class may be missing in an older mypy.
_CHILDREN: dict[str, tuple[str, ...]] = {
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
    for attribute in _CHILDREN.get(type(node).__name__, ()):
        yield from _nodes_in(getattr(node, attribute))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _nodes_in(item)


def _mentions(node: Node) -> set[str] | None:
    """The names in a statement that does one thing after the other; None if it may branch or run something later."""
    if isinstance(node, NameExpr):
        return {node.name}
    if isinstance(node, nodes.AssignmentStmt):
        parts: Sequence[Node] = [*node.lvalues, node.rvalue]
    elif type(node).__name__ in _CHILDREN or isinstance(node, nodes.PassStmt | nodes.Import | nodes.ImportFrom):
        parts = list(children(node))
    elif isinstance(node, nodes.IntExpr | nodes.StrExpr | nodes.BytesExpr | nodes.FloatExpr | nodes.EllipsisExpr):
        parts = []
    else:
        return None
    names: set[str] = set()
    for part in parts:
        inner = _mentions(part)
        if inner is None:
            return None
        names |= inner
    return names


def overwritten_before_read(body: list[Statement], index: int, name: str) -> bool:
    for following in body[index + 1 :]:
        names = _mentions(following)
        if names is None or isinstance(following, nodes.ReturnStmt | nodes.RaiseStmt):
            return False
        if name not in names:
            continue
        return (
            isinstance(following, nodes.AssignmentStmt)
            and not isinstance(following.rvalue, nodes.TempNode)
            and any(isinstance(lvalue, NameExpr) and lvalue.name == name for lvalue in following.lvalues)
            and name not in (_mentions(following.rvalue) or ())
        )
    return False


def is_empty(value: Expression) -> bool:
    """`[]`, `{}`, `()`: the start of a container, not yet a Result."""
    return isinstance(value, nodes.ListExpr | nodes.TupleExpr | nodes.DictExpr) and not value.items


def unpack(targets: Sequence[Expression], value: Expression, path: Path | None) -> Iterator[Assigned]:
    """What each target of `a, *b, c = value` gets."""
    parts = value.items if isinstance(value, nodes.TupleExpr | nodes.ListExpr) and not path else []
    starred = [isinstance(expr, nodes.StarExpr) for expr in (*targets, *parts)]
    if parts and len(parts) == len(targets) and not any(starred):
        yield from zip(targets, parts, [()] * len(targets), strict=True)
        return
    star = starred.index(True) if True in starred[: len(targets)] else len(targets)
    for index, target in enumerate(targets):
        place: int | slice = index if index < star else index - len(targets)
        if isinstance(target, nodes.StarExpr):
            place = slice(index, index + 1 - len(targets) or None)
        yield target, value, None if path is None else (*path, place)
