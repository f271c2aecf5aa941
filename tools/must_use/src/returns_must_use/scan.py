"""Finds, in the syntax tree of one file, every expression whose value may go nowhere.

It works on the tree as mypy's parser leaves it: nothing is resolved or typed yet. What is found here is a candidate,
and its type decides later. The code is written for speed where it is called for every expression of a program.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mypy import nodes, patterns
from mypy.nodes import Expression, NameExpr, Node, Statement

from returns_must_use.callbacks import CALLBACK_TAKERS
from returns_must_use.candidates import (
    Awaited,
    Callback,
    CallbackDecorator,
    Candidate,
    Dropped,
    Looped,
    Overwritten,
    SpecialMethod,
    Unwrap,
)
from returns_must_use.matching import may_be_complete
from returns_must_use.notebooks import Cells
from returns_must_use.scopes import EACH, Path, Scope, Site, Store
from returns_must_use.syntax import (
    CHILDREN,
    chain,
    children,
    is_empty,
    is_kept,
    is_looked_up,
    last_name,
    nodes_in,
    not_picked,
    unpack,
)

UNWRAPS = frozenset({"unwrap", "failure"})

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
_LITERALS = (nodes.IntExpr, nodes.StrExpr, nodes.BytesExpr, nodes.FloatExpr, nodes.ComplexExpr, nodes.EllipsisExpr)
_MAKES = (nodes.AwaitExpr, nodes.CallExpr, nodes.ConditionalExpr)
_DISPLAYS = (nodes.TupleExpr, nodes.ListExpr, nodes.SetExpr)
_CALLS = (nodes.CallExpr, nodes.AwaitExpr)
_ASKS_THE_CHECKER = frozenset({"reveal_type", "assert_type"})
# What these tell of a value is all that is left of it.
_ONLY_TELL = frozenset({"isinstance", "is_successful", "bool", "str", "repr", "len", "id", "type", "hash", "callable"})
_WAITS_FOR_ALL = frozenset({"gather", "wait_for", "shield"})
# A look-up that is a statement of its own is there for the exception.
_CATCHING_MANAGERS = frozenset({"suppress", "raises", "assertRaises", "assertRaisesRegex"})


@dataclass(frozen=True, slots=True)
class Findings:
    candidates: list[tuple[Site, Candidate]]
    matches: list[nodes.MatchStmt]  # that may have a case for every Result


def scan(file: nodes.MypyFile) -> Findings:
    scanner = _Scanner(Cells(file), file.defs)
    scanner.block(file.defs)
    scanner.close_scope()
    return Findings(scanner.candidates, scanner.matches)


class _Scanner:
    def __init__(self, cells: Cells, body: list[Statement]) -> None:
        self.candidates: list[tuple[Site, Candidate]] = []
        self.matches: list[nodes.MatchStmt] = []
        self._cells = cells
        self._scope = Scope("module")
        self._read_names = self._scope.read
        self._function: nodes.Block | None = None
        self._outermost = body  # of the module, or of the function in it or in a class of it
        self._decorators: tuple[Expression, ...] = ()
        self._site = Site([], None)
        self._after: Site | None = None  # while in the header of a compound statement: the place after all of it
        self._in_class = False  # then the site is the place after the class
        self._looks_up = False  # in a block that expects an exception
        self._loops = 0
        self._returns: list[nodes.ReturnStmt] | None = None  # in a `try` whose `finally` leaves the function

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

    def _add(self, candidate: Candidate) -> None:
        self.candidates.append((self._site, candidate))

    def _dropped(self, value: Expression, problem: str = "is dropped", if_never_false: bool = False) -> None:
        site = self._site
        self.candidates.append((site, Dropped(value, problem, value, site.managers, if_never_false=if_never_false)))

    # Statements

    def block(self, body: list[Statement], managers: Sequence[Expression] = ()) -> None:
        for index, stmt in enumerate(body):
            kind = type(stmt)
            if not self._in_class:
                leaves = kind is nodes.ReturnStmt or kind is nodes.RaiseStmt
                self._site = Site(body, stmt, leaves, tuple(managers) if managers and stmt is body[-1] else ())
            if kind is nodes.ExpressionStmt:
                self._expression_statement(stmt, body, index)
            elif kind is nodes.AssignmentStmt:
                self._assignment(stmt)
            else:
                self._statement(stmt)

    def _branch(self, block: nodes.Block | None) -> None:
        if block is not None:
            self._after = None
            self.block(block.body)

    def _loop_body(self, block: nodes.Block) -> None:
        self._loops += 1
        self._branch(block)
        self._loops -= 1

    def _header(self, block: nodes.Block, stmt_site: Site) -> None:
        """What stands before the colon of a compound statement is looked at on the way into its block."""
        if not self._in_class:
            self._site = Site(block.body, None)
            self._after = stmt_site

    def _expression_statement(self, stmt: Statement, body: list[Statement], index: int) -> None:
        assert isinstance(stmt, nodes.ExpressionStmt)  # noqa: S101 - for the type checker
        expr = stmt.expr
        looks_up = self._looks_up and isinstance(expr, nodes.IndexExpr | nodes.MemberExpr) and is_looked_up(expr)
        if looks_up or (self._is_top_level(body) and self._cells.displays(body, index)):
            self._read(expr)
        else:
            self._discard(expr)

    def _is_top_level(self, body: list[Statement]) -> bool:
        return self._function is None and body is self._outermost

    def _statement(self, stmt: Statement) -> None:
        match stmt:
            case nodes.ReturnStmt():
                if stmt.expr is not None:
                    self._read(stmt.expr)
                    if self._returns is not None:
                        self._returns.append(stmt)
            case nodes.OperatorAssignmentStmt():
                self._bind(stmt.lvalue)
                self._read_all(children(stmt))
            case nodes.DelStmt():
                self._bind(stmt.expr)
                self._deleted(stmt.expr)
            case nodes.AssertStmt():
                self._test(stmt.expr)
                self._read_all([stmt.msg])
            case nodes.IfStmt() | nodes.ForStmt() | nodes.WithStmt() | nodes.TryStmt() | nodes.WhileStmt():
                self._compound(stmt, self._site)
            case nodes.MatchStmt() | nodes.Block():
                self._compound(stmt, self._site)
            case _:
                self._read_all(children(stmt))
                self._definition(stmt)

    def _definition(self, stmt: Statement) -> None:
        match stmt:
            case nodes.GlobalDecl() | nodes.NonlocalDecl():
                self._scope.declared_outer.update(stmt.names)
            case nodes.Import():
                for name, alias in stmt.ids:
                    self._scope.bind(alias or name.split(".")[0])
            case nodes.ImportFrom():
                for name, alias in stmt.names:
                    self._scope.bind(alias or name)
            case nodes.OverloadedFuncDef():
                for item in stmt.items:
                    self._definition(item)
            case nodes.FuncDef():
                self._define(stmt, ())
            case nodes.Decorator():
                self._read_all(stmt.decorators)
                for decorator in stmt.decorators:
                    if last_name(decorator) in CALLBACK_TAKERS:
                        self._add(CallbackDecorator(decorator, stmt))
                self._define(stmt.func, stmt.decorators)
            case nodes.ClassDef():
                self._class(stmt)

    def _compound(self, stmt: Statement, site: Site) -> None:
        match stmt:
            case nodes.IfStmt():
                for condition, block in zip(stmt.expr, stmt.body, strict=True):
                    self._header(block, site)
                    self._test(condition)
                    self._branch(block)
                self._branch(stmt.else_body)
            case nodes.WhileStmt():
                self._header(stmt.body, site)
                self._test(stmt.expr)
                self._loop_body(stmt.body)
                self._branch(stmt.else_body)
            case nodes.ForStmt():
                self._header(stmt.body, site)
                self._consume(stmt.expr)
                self._looped(stmt.expr)
                self._loop_target(stmt)
                self._loop_body(stmt.body)
                self._branch(stmt.else_body)
            case nodes.WithStmt():
                self._with(stmt, site)
            case nodes.TryStmt():
                self._try(stmt, site)
            case nodes.MatchStmt():
                self._match(stmt, site)
            case nodes.Block():
                self._branch(stmt)

    def _define(self, function: nodes.FuncDef, decorators: Sequence[Expression]) -> None:
        self._scope.bind(function.name)
        self._function_body(function, decorators)

    def _function_body(self, function: nodes.FuncItem, decorators: Sequence[Expression]) -> None:
        initializers = [argument.initializer for argument in function.arguments if argument.initializer]
        self._read_all(initializers)
        state = self._function, self._decorators, self._site, self._after, self._in_class
        expected, outermost = (self._looks_up, self._returns, self._loops), self._outermost
        if self._function is None and isinstance(function, nodes.FuncDef):
            self._outermost = function.body.body
        self._function, self._decorators, self._after = function.body, tuple(decorators), None
        self._looks_up, self._returns, self._loops = False, None, 0
        self._enter("function")
        scope = self._scope
        for argument in function.arguments:
            scope.bind(argument.variable.name)
            default = argument.initializer
            if isinstance(default, _CALLS) and not _is_only_declared(function.body):
                name = NameExpr(argument.variable.name)
                scope.stores.append(Store(name, (name.name,), default, self._site, (), False, default))
        if isinstance(function, nodes.LambdaExpr):
            # A lambda is one expression: its types are known after the statement that it is part of.
            self._read(function.expr())
        else:
            self._in_class = False
            self.block(function.body.body)
        self._leave()
        self._function, self._decorators, self._site, self._after, self._in_class = state
        (self._looks_up, self._returns, self._loops), self._outermost = expected, outermost

    def _class(self, definition: nodes.ClassDef) -> None:
        self._scope.bind(definition.name)
        self._read_all([*definition.decorators, *definition.base_type_exprs, *definition.keywords.values()])
        self._read_all([definition.metaclass])
        around, after = self._in_class, self._after
        # No probe stands in a class: some classes allow nothing but fields, and other plugins read them.
        self._in_class, self._after = True, None
        self._enter("class")
        self.block(definition.defs.body)
        self._leave()
        self._in_class, self._after = around, after

    def _with(self, stmt: nodes.WithStmt, site: Site) -> None:
        self._header(stmt.body, site)
        for manager, target in zip(stmt.expr, stmt.target, strict=True):
            self._read(manager)
            if target is not None:
                self._store(target, manager, path=None)
            else:
                self._add(SpecialMethod(manager, "__aenter__" if stmt.is_async else "__enter__"))
        around = self._looks_up
        self._looks_up = around or any(
            isinstance(manager, nodes.CallExpr) and last_name(manager.callee) in _CATCHING_MANAGERS
            for manager in stmt.expr
        )
        self._after = None
        self.block(stmt.body.body, stmt.expr)
        self._looks_up = around

    def _try(self, stmt: nodes.TryStmt, site: Site) -> None:
        around, outer_returns = self._looks_up, self._returns
        if stmt.finally_body is not None and any(
            isinstance(last, nodes.ReturnStmt | nodes.BreakStmt | nodes.ContinueStmt) for last in stmt.finally_body.body
        ):
            self._returns = []
        self._looks_up = around or bool(stmt.handlers)
        self._branch(stmt.body)
        self._looks_up = around
        for caught, name, handler in zip(stmt.types, stmt.vars, stmt.handlers, strict=True):
            self._header(handler, site)
            self._read_all([caught])
            if name is not None:
                self._bind(name)
            self._branch(handler)
        self._branch(stmt.else_body)
        lost = self._returns if self._returns is not outer_returns else None
        self._returns = outer_returns
        if stmt.finally_body is not None:
            if not self._in_class:
                self._site = Site(stmt.finally_body.body, None)
            for returned in lost or ():
                assert returned.expr is not None  # noqa: S101 - for the type checker
                self._dropped(returned.expr, 'is lost: the "finally" block leaves in another way')
        self._branch(stmt.finally_body)

    def _match(self, stmt: nodes.MatchStmt, site: Site) -> None:
        if may_be_complete(stmt):
            self.matches.append(stmt)
        self._header(stmt.bodies[0], site)
        match stmt.patterns:
            case [patterns.AsPattern(pattern=None, name=None)]:
                self._discard(stmt.subject)
            case _:
                self._read(stmt.subject)
        for pattern, guard, block in zip(stmt.patterns, stmt.guards, stmt.bodies, strict=True):
            self._header(block, site)
            self._pattern(pattern)
            if guard is not None:
                self._test(guard)
            self._branch(block)

    def _pattern(self, pattern: Node) -> None:
        match pattern:
            case patterns.AsPattern(name=NameExpr() as capture):
                self._bind(capture)
            case patterns.StarredPattern(capture=NameExpr() as capture):
                self._bind(capture)
            case patterns.MappingPattern(rest=NameExpr() as capture):
                self._bind(capture)
            case _:
                pass
        for child in children(pattern):
            if isinstance(child, patterns.Pattern):
                self._pattern(child)
            elif isinstance(child, Expression):
                self._read(child)

    # Assignments

    def _assignment(self, stmt: Statement) -> None:
        assert isinstance(stmt, nodes.AssignmentStmt)  # noqa: S101 - for the type checker
        lvalues, value = stmt.lvalues, stmt.rvalue
        if type(value) is nodes.TempNode:  # `name: Type` without a value
            for lvalue in lvalues:
                self._bind(lvalue)
            return
        self._read(value)
        if len(lvalues) == 1:
            self._store(lvalues[0], value)
            return
        names = [lvalue for lvalue in lvalues if isinstance(lvalue, NameExpr)]
        for lvalue in lvalues:
            self._bind(lvalue)
            self._set_item(lvalue)
        if len(names) == len(lvalues):
            self._add_store(names, value)

    def _store(self, target: Expression, value: Expression, path: Path | None = ()) -> None:
        kind = type(target)
        if kind is NameExpr:
            assert isinstance(target, NameExpr)  # noqa: S101 - for the type checker
            self._scope.bind(target.name)
            if not isinstance(value, _LITERALS) and not is_empty(value):
                self._add_store([target], value, path)
            return
        match target:
            case nodes.TupleExpr() | nodes.ListExpr():
                for assigned in unpack(target.items, value, path):
                    self._store(*assigned)
            case nodes.StarExpr():
                self._store(target.expr, value, path)
            case _:
                self._read(target)
                self._set_item(target)

    def _add_store(self, targets: list[NameExpr], value: Expression, path: Path | None = ()) -> None:
        names = [target.name for target in targets]
        computes = isinstance(value, _MAKES)
        self._scope.stores.append(Store(targets[0], names, value, self._site, path, computes, in_loop=self._loops > 0))

    def _set_item(self, target: Expression) -> None:
        if type(target) is nodes.IndexExpr:
            self._add(SpecialMethod(target.base, "__setitem__"))

    def _deleted(self, target: Expression) -> None:
        if isinstance(target, nodes.IndexExpr):
            self._add(SpecialMethod(target.base, "__delitem__"))
        elif isinstance(target, nodes.TupleExpr):
            for item in target.items:
                self._deleted(item)

    def _loop_target(self, stmt: nodes.ForStmt) -> None:
        if isinstance(stmt.expr, _CALLS + _DISPLAYS) and not is_kept(stmt.expr):
            self._store_each(stmt.index, stmt.expr, (EACH,))
        else:
            self._bind(stmt.index)

    def _store_each(self, target: Expression, value: Expression, path: Path) -> None:
        match target:
            case NameExpr():
                self._scope.bind(target.name)
                self._scope.stores.append(Store(target, (target.name,), value, self._site, path, computes=False))
            case nodes.TupleExpr() | nodes.ListExpr():
                for part, _, place in unpack(target.items, value, path):
                    self._store_each(part, value, place or ())
            case _:
                self._bind(target)

    def _looped(self, iterable: Expression) -> None:
        if isinstance(iterable, nodes.CallExpr):
            self._add(Looped(iterable))

    def _walrus(self, expr: nodes.AssignmentExpr, dropped: bool = False) -> None:
        self._read(expr.value)
        scope = self._scope.assigned_by_walrus()
        scope.bind(expr.target.name)
        if dropped:
            name = expr.target.name
            scope.stores.append(Store(expr.target, (name,), expr.value, self._site, computes=False))

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
                if isinstance(expr.left, _CALLS):
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
            if isinstance(part, _CALLS):
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
            if name in UNWRAPS:
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
        if expr.op == "and" and isinstance(expr.left, _CALLS):
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
            if isinstance(other, _CALLS):
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


# Any: each of them is called with an expression of the class that it stands beside.
_READERS: dict[type[Expression], Callable[[_Scanner, Any], None]] = {
    getattr(nodes, name): _Scanner._read_parts for name in CHILDREN if name.endswith("Expr") and hasattr(nodes, name)
}
_READERS |= {
    nodes.AssignmentExpr: _Scanner._walrus,
    nodes.AwaitExpr: _Scanner._read_inner,
    nodes.CallExpr: _Scanner._read_call,
    nodes.ComparisonExpr: _Scanner._read_comparison,
    nodes.ConditionalExpr: _Scanner._read_conditional,
    nodes.DictExpr: _Scanner._read_dict,
    nodes.DictionaryComprehension: _Scanner._comprehension,
    nodes.GeneratorExpr: _Scanner._read_generator,
    nodes.IndexExpr: _Scanner._read_index,
    nodes.LambdaExpr: _Scanner._read_lambda,
    nodes.ListComprehension: _Scanner._read_eager,
    nodes.ListExpr: _Scanner._read_items,
    nodes.MemberExpr: _Scanner._read_member,
    nodes.NameExpr: _Scanner._read_name,
    nodes.OpExpr: _Scanner._read_op,
    nodes.SetComprehension: _Scanner._read_eager,
    nodes.SetExpr: _Scanner._read_items,
    nodes.StarExpr: _Scanner._read_star,
    nodes.TupleExpr: _Scanner._read_items,
    nodes.UnaryExpr: _Scanner._read_unary,
}


def _awaited(expr: nodes.AwaitExpr) -> frozenset[str] | None:
    """The tasks that somebody else has too: `await task`, `await gather(*tasks)`."""
    value = expr.expr
    if isinstance(value, nodes.CallExpr) and last_name(value.callee) in _WAITS_FOR_ALL:
        arguments = [
            argument.expr if isinstance(argument, nodes.StarExpr) else argument
            for argument, name in zip(value.args, value.arg_names, strict=True)
            if name is None and not isinstance(argument, _LITERALS)
        ]
        if last_name(value.callee) == "wait_for":
            arguments = arguments[:1]
    else:
        arguments = [value]
    chains = [chain(argument) for argument in arguments]
    return frozenset(text for text in chains if text) if chains and all(chains) else None


def _is_only_declared(body: nodes.Block) -> bool:
    """The function of a protocol, an overload or an abstract class: others do what it says."""
    return all(
        isinstance(stmt, nodes.PassStmt | nodes.RaiseStmt)
        or (isinstance(stmt, nodes.ExpressionStmt) and isinstance(stmt.expr, nodes.StrExpr | nodes.EllipsisExpr))
        for stmt in body.body
    )
