"""Looks through expressions: which names they read, and which values in them go nowhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from mypy import nodes
from mypy.nodes import Expression, NameExpr, Node, Statement

from returns_must_use.callbacks import CALLBACK_TAKERS
from returns_must_use.candidates import Awaited, Callback, Candidate, Dropped, Looped, Overwritten, Unwrap
from returns_must_use.scopes import Scope, Site, Store
from returns_must_use.syntax import CALLS, CHILDREN, LITERALS, chain, children, last_name, nodes_in, not_picked

_UNWRAPS = frozenset({"unwrap", "failure"})

_COMPUTES = (
    nodes.AwaitExpr,
    nodes.CallExpr,
    nodes.ComparisonExpr,
    nodes.IndexExpr,
    nodes.MemberExpr,
    nodes.OpExpr,
    nodes.UnaryExpr,
    nodes.YieldFromExpr,
)
_ASKS_THE_CHECKER = frozenset({"reveal_type", "assert_type"})
# What these tell of a value is all that is left of it.
_ONLY_TELL = frozenset({"isinstance", "is_successful", "bool", "str", "repr", "len", "id", "type", "hash", "callable"})
_WAITS_FOR_ALL = frozenset({"gather", "wait_for", "shield"})


class ExpressionScanner(ABC):
    """The half of the scan that looks into expressions, and what it shares with the other half: where it is."""

    def __init__(self, body: list[Statement]) -> None:
        self.candidates: list[tuple[Site, Candidate]] = []
        self._scope = Scope("module")
        self._read_names = self._scope.read
        self._function: nodes.Block | None = None
        self._outermost = body  # of the module, or of the function in it or in a class of it
        self._decorators: tuple[Expression, ...] = ()
        self._site = Site([], None)
        self._after: Site | None = None  # while in the header of a compound statement: the place after all of it

    @abstractmethod
    def _function_body(self, function: nodes.FuncItem, decorators: Sequence[Expression]) -> None:
        """Look through a function, or a lambda, in a scope of its own."""

    # Scopes

    def _enter(self, kind: Literal["class", "function", "comprehension"]) -> None:
        self._scope = Scope(kind, self._scope)
        self._read_names = self._scope.read

    def _leave(self) -> None:
        self.close_scope()
        assert self._scope.parent is not None  # noqa: S101 - for the type checker
        self._scope = self._scope.parent
        self._read_names = self._scope.read

    def close_scope(self) -> None:
        unread, perhaps_overwritten = self._scope.close()
        for store in unread:
            problem = f'is assigned to "{store.target.name}" and never read'
            candidate = Dropped(store.value, problem, store.place or store.target, store.site.managers, store.path)
            self.candidates.append((store.site, candidate))
            if store.path == ():
                self._lost(store.value, store.site)
        for store in perhaps_overwritten:
            statement = store.site.beside
            if statement is None or self._function is None or store.site.before:
                continue
            problem = f'is assigned to "{store.target.name}" and never read before the name is assigned again'
            overwritten = Overwritten(statement, store.target.name, self._function)
            candidate = Dropped(
                store.value, problem, store.target, store.site.managers, store.path, overwritten=overwritten
            )
            self.candidates.append((store.site, candidate))

    def _bind(self, target: Node) -> None:
        """A target that is not looked at as a store: the element of an iteration, a capture, a `del`."""
        match target:
            case NameExpr():
                self._scope.bind(target.name)
            case nodes.TupleExpr() | nodes.ListExpr():
                for item in target.items:
                    self._bind(item)
            case nodes.StarExpr():
                self._bind(target.expr)
            case Expression():
                self._read(target)

    def _add(self, candidate: Candidate) -> None:
        self.candidates.append((self._site, candidate))

    def _dropped(self, value: Expression, problem: str = "is dropped", if_never_false: bool = False) -> None:
        site = self._site
        self.candidates.append((site, Dropped(value, problem, value, site.managers, if_never_false=if_never_false)))

    # Expressions whose value nothing takes

    def _discard(self, expr: Expression) -> None:
        """A statement ends with the value of this expression, and nothing takes it."""
        match expr:
            case nodes.CallExpr():
                self._discard_call(expr)
            case nodes.AwaitExpr():
                self._discard_await(expr)
            case nodes.ConditionalExpr():
                self._test(expr.cond)
                self._discard(expr.if_expr)
                self._discard(expr.else_expr)
            case nodes.OpExpr(op="and" | "or"):
                self._test(expr.left)
                if isinstance(expr.left, CALLS):
                    self._dropped(expr.left)
                self._discard(expr.right)
            case nodes.TupleExpr() | nodes.ListExpr() | nodes.SetExpr() | nodes.DictExpr() | nodes.StarExpr():
                self._discard_all(children(expr))
            case _ if type(expr).__name__ == "TemplateStrExpr":
                self._discard_all(children(expr))
            case _:
                self._discard_other(expr)

    def _discard_other(self, expr: Expression) -> None:
        match expr:
            case nodes.ListComprehension() | nodes.SetComprehension():
                self._comprehension(expr.generator, dropped=True)
            case nodes.GeneratorExpr() | nodes.DictionaryComprehension():
                self._comprehension(expr, dropped=True)
            case nodes.AssignmentExpr():
                self._walrus(expr, dropped=True)
            case NameExpr():  # neither computes nor uses anything
                pass
            case _:
                self._read(expr)
                if isinstance(expr, _COMPUTES):
                    self._dropped(expr)
                    self._lost(expr, self._site)

    def _discard_await(self, expr: nodes.AwaitExpr) -> None:
        self._read(expr.expr)
        chains = _awaited(expr)
        if chains and self._function is not None:
            awaits = Awaited(chains, self._function)
            self._add(Dropped(expr, "is dropped", expr, self._site.managers, awaits=awaits))
        else:
            self._dropped(expr)

    def _discard_call(self, expr: nodes.CallExpr) -> None:
        match expr.callee:
            case nodes.MemberExpr(name="join" | "format", expr=nodes.StrExpr()):  # an f-string
                self._discard_all(expr.args)
                return
            case NameExpr(name=name) if name in _ASKS_THE_CHECKER:
                self._read(expr)
                return
        self._read_call(expr)
        self._dropped(expr)
        self._lost(expr, self._site)

    def _discard_all(self, expressions: Iterable[Node]) -> None:
        for expr in expressions:
            if isinstance(expr, Expression):
                self._discard(expr)

    def _lost(self, expr: Expression, site: Site) -> None:
        """Nothing takes the value of this expression, so what it only tells of a value is no use of that value."""
        match expr:
            case nodes.CallExpr() if last_name(expr.callee) in _ONLY_TELL:
                parts: Iterable[Expression] = expr.args
            case nodes.ComparisonExpr():
                parts = expr.operands
            case nodes.UnaryExpr():
                parts = [expr.expr]
            case _:
                return
        for part in parts:
            if isinstance(part, CALLS):
                self.candidates.append((site, Dropped(part, "is dropped", part, site.managers)))
            self._lost(part, site)

    # Expressions whose value something takes

    def _read_all(self, expressions: Iterable[Node | None]) -> None:
        for expr in expressions:
            if isinstance(expr, Expression):
                self._read(expr)

    def _read(self, expr: Expression) -> None:
        reader = _READERS.get(type(expr))
        if reader is not None:
            reader(self, expr)

    def _consume(self, expr: Expression) -> None:
        """Something iterates over the value here and now."""
        if type(expr) is nodes.GeneratorExpr:
            self._comprehension(expr)
        else:
            self._read(expr)

    def _test(self, expr: Expression) -> None:
        """Only the truth of the value counts."""
        match expr:
            case nodes.OpExpr(op="and" | "or"):
                self._test(expr.left)
                self._test(expr.right)
            case nodes.UnaryExpr(op="not"):
                self._test(expr.expr)
            case _:
                self._read(expr)

    def _read_name(self, expr: NameExpr) -> None:
        self._read_names.add(expr.name)

    def _read_member(self, expr: nodes.MemberExpr) -> None:
        inner = expr.expr
        if type(inner) is NameExpr:
            self._read_names.add(inner.name)
        else:
            self._read(inner)

    def _read_call(self, call: nodes.CallExpr) -> None:
        callee = call.callee
        name = None
        if isinstance(callee, nodes.MemberExpr):
            name = callee.name
            self._read_member(callee)
            if name in _UNWRAPS:
                self._unwrap(call, callee.expr, name)
        elif isinstance(callee, NameExpr):
            name = callee.name
            self._read_names.add(name)
        else:
            self._read(callee)
        takes_callbacks = name in CALLBACK_TAKERS
        for index, argument in enumerate(call.args):
            reader = _READERS.get(type(argument))
            if reader is None:
                continue
            if isinstance(argument, nodes.GeneratorExpr):
                self._comprehension(argument)
            else:
                reader(self, argument)
            if takes_callbacks or type(argument) is nodes.LambdaExpr:
                self._add(Callback(call, index))

    def _unwrap(self, call: nodes.CallExpr, receiver: Expression, method: str) -> None:
        if method == "unwrap" and type(receiver) is NameExpr and call.args:  # `Result.unwrap(result)`
            receiver = call.args[0]
        candidate = Unwrap(call, receiver, method, self._decorators, self._outermost)
        self._add(candidate)
        if self._after is not None:  # mypy may find that the block is never entered
            self.candidates.append((self._after, candidate))

    def _read_op(self, expr: nodes.OpExpr) -> None:
        self._read(expr.left)
        if expr.op == "and" and isinstance(expr.left, CALLS):
            self._dropped(expr.left, "is dropped: it is always true", if_never_false=True)
        self._read(expr.right)

    def _read_unary(self, expr: nodes.UnaryExpr) -> None:
        if expr.op == "not":
            self._test(expr.expr)
        else:
            self._read(expr.expr)

    def _read_conditional(self, expr: nodes.ConditionalExpr) -> None:
        self._test(expr.cond)
        self._read(expr.if_expr)
        self._read(expr.else_expr)

    def _read_index(self, expr: nodes.IndexExpr) -> None:
        self._read(expr.base)
        self._read(expr.index)
        for other in not_picked(expr):
            if isinstance(other, CALLS):
                self._dropped(other)

    def _read_star(self, expr: nodes.StarExpr) -> None:
        self._consume(expr.expr)

    def _read_comparison(self, expr: nodes.ComparisonExpr) -> None:
        for operand in expr.operands:
            self._consume(operand)

    def _read_lambda(self, expr: nodes.LambdaExpr) -> None:
        self._function_body(expr, ())

    def _read_eager(self, expr: nodes.ListComprehension | nodes.SetComprehension) -> None:
        self._comprehension(expr.generator)

    def _read_generator(self, expr: nodes.GeneratorExpr) -> None:
        self._comprehension(expr, lazy=True)

    def _read_items(self, expr: nodes.TupleExpr | nodes.ListExpr | nodes.SetExpr) -> None:
        for item in expr.items:
            self._read(item)

    def _read_dict(self, expr: nodes.DictExpr) -> None:
        for key, value in expr.items:
            if key is not None:
                self._read(key)
            self._read(value)

    def _read_inner(self, expr: nodes.AwaitExpr) -> None:
        self._read(expr.expr)

    def _read_parts(self, expr: Expression) -> None:
        for attribute in CHILDREN[type(expr).__name__]:
            self._read_all(nodes_in(getattr(expr, attribute)))

    def _walrus(self, expr: nodes.AssignmentExpr, dropped: bool = False) -> None:
        self._read(expr.value)
        scope = self._scope.assigned_by_walrus()
        scope.bind(expr.target.name)
        if dropped:
            name = expr.target.name
            scope.stores.append(Store(expr.target, (name,), expr.value, self._site, computes=False))

    def _comprehension(
        self, expr: nodes.GeneratorExpr | nodes.DictionaryComprehension, dropped: bool = False, lazy: bool = False
    ) -> None:
        """A generator expression that is kept for later runs outside of this function: no railway is around it."""
        self._consume(expr.sequences[0])
        if not self._site.before:  # what is returned is only looked at where it is likely to matter
            self._looped(expr.sequences[0])
        around = self._decorators
        if lazy:
            self._decorators = ()
        self._enter("comprehension")
        for index, sequence in enumerate(expr.sequences):
            if index:
                self._consume(sequence)
            self._bind(expr.indices[index])
            for condition in expr.condlists[index]:
                self._test(condition)
        for element in [expr.left_expr] if isinstance(expr, nodes.GeneratorExpr) else [expr.key, expr.value]:
            if element is None:  # `{**mapping for ...}`
                continue
            if dropped:
                self._discard(element)
            else:
                self._read(element)
        self._leave()
        self._decorators = around

    def _looped(self, iterable: Expression) -> None:
        if isinstance(iterable, nodes.CallExpr):
            self._add(Looped(iterable))


# Any: each of them is called with an expression of the class that it stands beside.
_READERS: dict[type[Expression], Callable[[ExpressionScanner, Any], None]] = {
    getattr(nodes, name): ExpressionScanner._read_parts
    for name in CHILDREN
    if name.endswith("Expr") and hasattr(nodes, name)
}
_READERS |= {
    nodes.AssignmentExpr: ExpressionScanner._walrus,
    nodes.AwaitExpr: ExpressionScanner._read_inner,
    nodes.CallExpr: ExpressionScanner._read_call,
    nodes.ComparisonExpr: ExpressionScanner._read_comparison,
    nodes.ConditionalExpr: ExpressionScanner._read_conditional,
    nodes.DictExpr: ExpressionScanner._read_dict,
    nodes.DictionaryComprehension: ExpressionScanner._comprehension,
    nodes.GeneratorExpr: ExpressionScanner._read_generator,
    nodes.IndexExpr: ExpressionScanner._read_index,
    nodes.LambdaExpr: ExpressionScanner._read_lambda,
    nodes.ListComprehension: ExpressionScanner._read_eager,
    nodes.ListExpr: ExpressionScanner._read_items,
    nodes.MemberExpr: ExpressionScanner._read_member,
    nodes.NameExpr: ExpressionScanner._read_name,
    nodes.OpExpr: ExpressionScanner._read_op,
    nodes.SetComprehension: ExpressionScanner._read_eager,
    nodes.SetExpr: ExpressionScanner._read_items,
    nodes.StarExpr: ExpressionScanner._read_star,
    nodes.TupleExpr: ExpressionScanner._read_items,
    nodes.UnaryExpr: ExpressionScanner._read_unary,
}


def _awaited(expr: nodes.AwaitExpr) -> frozenset[str] | None:
    """The tasks that somebody else has too: `await task`, `await gather(*tasks)`."""
    value = expr.expr
    if isinstance(value, nodes.CallExpr) and last_name(value.callee) in _WAITS_FOR_ALL:
        arguments = [
            argument.expr if isinstance(argument, nodes.StarExpr) else argument
            for argument, name in zip(value.args, value.arg_names, strict=True)
            if name is None and not isinstance(argument, LITERALS)
        ]
        if last_name(value.callee) == "wait_for":
            arguments = arguments[:1]
    else:
        arguments = [value]
    chains = [chain(argument) for argument in arguments]
    return frozenset(text for text in chains if text) if chains and all(chains) else None
