"""A walk over all of a tree, for questions that are asked seldom: mypy's own visitors cannot be extended in Python."""

from collections.abc import Iterator

from mypy import nodes
from mypy.nodes import Node

from returns_must_use.syntax import CHILDREN, nodes_in

_PARTS = CHILDREN | {
    "AssignmentExpr": ("target", "value"),
    "AssignmentStmt": ("lvalues", "rvalue"),
    "Block": ("body",),
    "ClassDef": ("decorators", "base_type_exprs", "defs"),
    "Decorator": ("decorators", "func"),
    "DictionaryComprehension": ("key", "value", "sequences", "indices", "condlists"),
    "ForStmt": ("index", "expr", "body", "else_body"),
    "GeneratorExpr": ("left_expr", "sequences", "indices", "condlists"),
    "IfStmt": ("expr", "body", "else_body"),
    "MatchStmt": ("subject", "patterns", "guards", "bodies"),
    "OverloadedFuncDef": ("items",),
    "TryStmt": ("body", "types", "vars", "handlers", "else_body", "finally_body"),
    "WhileStmt": ("expr", "body", "else_body"),
    "WithStmt": ("expr", "target", "body"),
}


class Walk:
    """Calls `enter(node)` for each node, which walks on into it with `go_on(node)`, or does not."""

    def enter(self, node: Node) -> None:
        self.go_on(node)

    def go_on(self, node: Node) -> None:
        for part in _parts(node):
            self.enter(part)


def _parts(node: Node) -> Iterator[Node]:
    for attribute in _PARTS.get(type(node).__name__, ()):
        yield from nodes_in(getattr(node, attribute))
    if isinstance(node, nodes.FuncItem):
        yield from (argument.initializer for argument in node.arguments if argument.initializer is not None)
        yield node.body
