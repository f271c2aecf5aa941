"""Whether a function has another use for a task than to wait for it in a statement of its own.

Only asked for a statement that is known to await a Result.
"""

from collections.abc import Iterable

from mypy import nodes
from mypy.nodes import Expression, Node
from typing_extensions import override

from returns_must_use.candidates import Awaited
from returns_must_use.syntax import chain, last_name
from returns_must_use.walk import Walk

_GIVES_THE_OUTCOME = frozenset({"result", "exception", "add_done_callback"})
_ONLY_WAIT = frozenset({"gather", "wait", "wait_for", "shield", "as_completed", "isinstance", "len", "bool", "id"})


def is_used_otherwise(awaited: Awaited) -> bool:
    uses = _Uses()
    uses.enter(awaited.function)
    uses.pass_on_to_collections()
    return bool(awaited.chains & uses.cancelled) or awaited.chains <= uses.taken


class _Uses(Walk):
    def __init__(self) -> None:
        self.cancelled: set[str] = set()
        self.taken: set[str] = set()
        self._element_of: list[tuple[str, str]] = []

    def pass_on_to_collections(self) -> None:
        """What happens to the variable of a loop happens to what it runs over; who has that has each element."""
        for element, collection in self._element_of:
            if collection in self.taken:
                self.taken.add(element)
            for group in (self.cancelled, self.taken):
                if element in group:
                    group.add(collection)

    @override
    def enter(self, node: Node) -> None:
        match node:
            case nodes.ExpressionStmt(expr=nodes.AwaitExpr(expr=awaited)):
                self.enter(awaited)  # the value of this await is what nobody takes
                return
            case nodes.CallExpr():
                self._call(node)
            case nodes.ReturnStmt() | nodes.YieldExpr() | nodes.AwaitExpr():
                self._take([node.expr])
            case nodes.AssignmentStmt() if any(not isinstance(lvalue, nodes.NameExpr) for lvalue in node.lvalues):
                self._take([node.rvalue])
            case nodes.ListExpr() | nodes.TupleExpr() | nodes.SetExpr():
                self._take(node.items)
            case nodes.ForStmt():
                self._loop(node.index, node.expr)
            case nodes.GeneratorExpr():
                for index, sequence in zip(node.indices, node.sequences, strict=True):
                    self._loop(index, sequence)
            case _:
                pass
        self.go_on(node)

    def _call(self, call: nodes.CallExpr) -> None:
        if isinstance(call.callee, nodes.MemberExpr):
            owner = chain(call.callee.expr)
            if owner and call.callee.name == "cancel":
                self.cancelled.add(owner)
            elif owner and call.callee.name in _GIVES_THE_OUTCOME and not _only_forgets(call):
                self.taken.add(owner)
        if last_name(call.callee) not in _ONLY_WAIT:
            self._take(call.args)

    def _loop(self, index: Expression, iterable: Expression) -> None:
        element, collection = chain(index), chain(iterable)
        if element and collection:
            self._element_of.append((element, collection))

    def _take(self, expressions: Iterable[Expression | None]) -> None:
        for expr in expressions:
            inner = expr.expr if isinstance(expr, nodes.StarExpr) else expr
            text = chain(inner) if inner is not None else None
            if text:
                self.taken.add(text)


def _only_forgets(call: nodes.CallExpr) -> bool:
    """`task.add_done_callback(tasks.discard)` keeps a task alive until it is done and looks at nothing."""
    return any(last_name(argument) in {"discard", "remove"} for argument in call.args)
