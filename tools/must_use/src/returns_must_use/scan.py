"""Finds, in the syntax tree of one file, every expression whose value may go nowhere.

It works on the tree as mypy's parser leaves it: nothing is resolved or typed yet. What is found here is a candidate,
and its type decides later.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mypy import nodes, patterns
from mypy.nodes import Expression, NameExpr, Node, Statement

from returns_must_use.matching import may_be_complete
from returns_must_use.scopes import Path, Scope, Site, Store
from returns_must_use.syntax import Position, children, is_empty, overwritten_before_read, position, unpack

UNWRAPS = frozenset({"unwrap", "failure"})

_COMPUTES = (
    nodes.AwaitExpr,
    nodes.CallExpr,
    nodes.IndexExpr,
    nodes.MemberExpr,
    nodes.OpExpr,
    nodes.UnaryExpr,
    nodes.YieldFromExpr,
)
_ASKS_THE_CHECKER = frozenset({"reveal_type", "assert_type"})


@dataclass(frozen=True)
class Callback:
    """An argument of a call: the callee's signature tells what becomes of the value that the lambda returns."""

    call: nodes.CallExpr
    argument: int


@dataclass(frozen=True)
class Candidate:
    """A value that goes nowhere; an error if its type says that it must not."""

    value: Expression
    problem: str  # completes the sentence "Value of type ... "
    place: Expression  # what is dropped, or the name that it is assigned to
    managers: tuple[Expression, ...]  # that see what the statement raises
    path: Path | None = ()  # the part of the value that counts; None: what the name at `place` gets from a manager
    callback: Callback | None = None  # then the value is what a lambda returns


@dataclass(frozen=True)
class Findings:
    candidates: list[tuple[Site, Candidate]]
    matches: list[nodes.MatchStmt]  # that may have a case for every Result
    # Where `.unwrap()` or `.failure()` is called -> the decorators of the function around the call.
    unwraps: dict[Position, tuple[Expression, ...]]


def scan(file: nodes.MypyFile) -> Findings:
    scanner = _Scanner()
    scanner.block(file.defs)
    scanner.close_scope()
    return Findings(scanner.candidates, scanner.matches, scanner.unwraps)


class _Scanner:
    def __init__(self) -> None:
        self.candidates: list[tuple[Site, Candidate]] = []
        self.matches: list[nodes.MatchStmt] = []
        self.unwraps: dict[Position, tuple[Expression, ...]] = {}
        self._scope = Scope("module")
        self._decorators: tuple[Expression, ...] = ()
        self._site = Site([], None)
        self._in_try = False

    # Scopes

    @contextmanager
    def _inside(self, kind: Literal["class", "function", "comprehension"]) -> Iterator[None]:
        around = self._scope
        self._scope = Scope(kind, around)
        yield
        self.close_scope()
        self._scope = around

    @contextmanager
    def _inside_function(self, decorators: Sequence[Expression]) -> Iterator[None]:
        state = self._decorators, self._site, self._in_try
        self._decorators, self._in_try = tuple(decorators), False
        with self._inside("function"):
            yield
        self._decorators, self._site, self._in_try = state

    def close_scope(self) -> None:
        for store in self._scope.close():
            problem = f'is assigned to "{store.target.name}" and never read'
            if store.overwritten:
                problem += " before the name is assigned again"
            candidate = Candidate(store.value, problem, store.target, store.site.managers, store.path)
            self.candidates.append((store.site, candidate))

    def _dropped(self, value: Expression, problem: str = "is dropped", callback: Callback | None = None) -> None:
        self.candidates.append((self._site, Candidate(value, problem, value, self._site.managers, callback=callback)))

    # Statements

    def block(self, body: list[Statement], managers: Sequence[Expression] = ()) -> None:
        for index, stmt in enumerate(body):
            self._site = Site(
                body,
                stmt,
                before=isinstance(stmt, nodes.ReturnStmt | nodes.RaiseStmt),
                managers=tuple(managers) if stmt is body[-1] else (),
            )
            self._statement(stmt, body, index)

    def _branch(self, block: nodes.Block | None) -> None:
        if block is not None:
            self.block(block.body)

    def _header(self, block: nodes.Block) -> None:
        """What stands before the colon of a compound statement is looked at on the way into its block."""
        self._site = Site(block.body, None)

    def _statement(self, stmt: Statement, body: list[Statement], index: int) -> None:
        match stmt:
            case nodes.ExpressionStmt():
                self._discard(stmt.expr)
            case nodes.AssignmentStmt():
                self._assignment(stmt, body, index)
            case nodes.OperatorAssignmentStmt():
                self._bind(stmt.lvalue)
                self._read_all(children(stmt))
            case nodes.DelStmt():
                self._bind(stmt.expr)
            case nodes.GlobalDecl() | nodes.NonlocalDecl():
                self._scope.declared_outer.update(stmt.names)
            case nodes.Import():
                self._scope.bound.update(alias or name.split(".")[0] for name, alias in stmt.ids)
            case nodes.ImportFrom():
                self._scope.bound.update(alias or name for name, alias in stmt.names)
            case nodes.OverloadedFuncDef():
                for item in stmt.items:
                    self._definition(item)
            case nodes.FuncDef() | nodes.Decorator() | nodes.ClassDef():
                self._definition(stmt)
            case _:
                self._read_all(children(stmt))
                self._compound(stmt)

    def _definition(self, stmt: Statement) -> None:
        match stmt:
            case nodes.FuncDef():
                self._function(stmt, ())
            case nodes.Decorator():
                self._read_all(stmt.decorators)
                self._function(stmt.func, stmt.decorators)
            case nodes.ClassDef():
                self._class(stmt)

    def _compound(self, stmt: Statement) -> None:
        match stmt:
            case nodes.IfStmt():
                for condition, block in zip(stmt.expr, stmt.body, strict=True):
                    self._header(block)
                    self._read(condition)
                    self._branch(block)
                self._branch(stmt.else_body)
            case nodes.WhileStmt():
                self._header(stmt.body)
                self._read(stmt.expr)
                self._branch(stmt.body)
                self._branch(stmt.else_body)
            case nodes.ForStmt():
                self._header(stmt.body)
                self._read(stmt.expr, consumed=True)
                self._bind(stmt.index)
                self._branch(stmt.body)
                self._branch(stmt.else_body)
            case nodes.WithStmt():
                self._header(stmt.body)
                for manager, target in zip(stmt.expr, stmt.target, strict=True):
                    self._read(manager)
                    if target is not None:
                        self._store(target, manager, path=None)
                self.block(stmt.body.body, stmt.expr)
            case nodes.TryStmt():
                self._try(stmt)
            case nodes.MatchStmt():
                self._match(stmt)
            case nodes.Block():
                self._branch(stmt)

    def _function(self, function: nodes.FuncItem, decorators: Sequence[Expression]) -> None:
        if isinstance(function, nodes.FuncDef):
            self._scope.bound.add(function.name)
        self._read_all(argument.initializer for argument in function.arguments)
        with self._inside_function(decorators):
            self._scope.bound.update(argument.variable.name for argument in function.arguments)
            if isinstance(function, nodes.LambdaExpr):
                # A lambda is one expression: its types are known after the statement that it is part of.
                self._read(function.expr())
            else:
                self.block(function.body.body)

    def _class(self, definition: nodes.ClassDef) -> None:
        self._scope.bound.add(definition.name)
        self._read_all([*definition.decorators, *definition.base_type_exprs, *definition.keywords.values()])
        self._read_all([definition.metaclass])
        with self._inside("class"):
            self.block(definition.defs.body)

    def _try(self, stmt: nodes.TryStmt) -> None:
        around, self._in_try = self._in_try, True
        self._branch(stmt.body)
        for caught, name, handler in zip(stmt.types, stmt.vars, stmt.handlers, strict=True):
            self._header(handler)
            self._read_all([caught])
            if name is not None:
                self._bind(name)
            self._branch(handler)
        self._branch(stmt.else_body)
        self._branch(stmt.finally_body)
        self._in_try = around

    def _match(self, stmt: nodes.MatchStmt) -> None:
        if may_be_complete(stmt):
            self.matches.append(stmt)
        self._read(stmt.subject)
        for pattern, guard, block in zip(stmt.patterns, stmt.guards, stmt.bodies, strict=True):
            self._header(block)
            self._pattern(pattern)
            self._read_all([guard])
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

    def _assignment(self, stmt: nodes.AssignmentStmt, body: list[Statement], index: int) -> None:
        if isinstance(stmt.rvalue, nodes.TempNode):  # `name: Type` without a value
            for lvalue in stmt.lvalues:
                self._bind(lvalue)
            return
        self._read(stmt.rvalue)
        names = [lvalue for lvalue in stmt.lvalues if isinstance(lvalue, NameExpr)]
        if len(stmt.lvalues) == 1:
            self._store(stmt.lvalues[0], stmt.rvalue)
            if names and not self._in_try and overwritten_before_read(body, index, names[0].name):
                self._add_store(names, stmt.rvalue, overwritten=True)
            return
        for lvalue in stmt.lvalues:
            self._bind(lvalue)
        if len(names) == len(stmt.lvalues):
            self._add_store(names, stmt.rvalue)

    def _store(self, target: Expression, value: Expression, path: Path | None = ()) -> None:
        match target:
            case NameExpr():
                self._bind(target)
                if not is_empty(value):
                    self._add_store([target], value, path)
            case nodes.TupleExpr() | nodes.ListExpr():
                for assigned in unpack(target.items, value, path):
                    self._store(*assigned)
            case nodes.StarExpr():
                self._store(target.expr, value, path)
            case _:
                self._read(target)

    def _add_store(
        self, targets: list[NameExpr], value: Expression, path: Path | None = (), overwritten: bool = False
    ) -> None:
        names = frozenset(target.name for target in targets)
        self._scope.stores.append(Store(targets[0], names, value, self._site, path, overwritten))

    def _walrus(self, expr: nodes.AssignmentExpr, dropped: bool) -> None:
        self._read(expr.value)
        scope = self._scope.assigned_by_walrus()
        scope.bound.add(expr.target.name)
        if dropped:
            scope.stores.append(Store(expr.target, frozenset({expr.target.name}), expr.value, self._site))

    def _bind(self, target: Node) -> None:
        """A target that is not looked at as a store: the element of an iteration, a capture, a `del`."""
        match target:
            case NameExpr():
                self._scope.bound.add(target.name)
            case nodes.TupleExpr() | nodes.ListExpr():
                for item in target.items:
                    self._bind(item)
            case nodes.StarExpr():
                self._bind(target.expr)
            case Expression():
                self._read(target)

    # Expressions

    def _discard(self, expr: Expression) -> None:
        """A statement ends with the value of this expression, and nothing takes it."""
        match expr:
            case nodes.ConditionalExpr():
                self._read(expr.cond)
                self._discard(expr.if_expr)
                self._discard(expr.else_expr)
            case nodes.OpExpr(op="and" | "or"):
                self._read(expr.left)
                if isinstance(expr.left, nodes.CallExpr | nodes.AwaitExpr):
                    self._dropped(expr.left)
                self._discard(expr.right)
            case nodes.TupleExpr() | nodes.ListExpr() | nodes.SetExpr() | nodes.DictExpr() | nodes.StarExpr():
                self._discard_all(children(expr))
            case nodes.ListComprehension() | nodes.SetComprehension():
                self._comprehension(expr.generator, dropped=True)
            case nodes.GeneratorExpr() | nodes.DictionaryComprehension():
                self._comprehension(expr, dropped=True)
            case nodes.AssignmentExpr():
                self._walrus(expr, dropped=True)
            case nodes.CallExpr(callee=nodes.MemberExpr(name="join" | "format", expr=nodes.StrExpr())):  # an f-string
                self._discard_all(expr.args)
            case nodes.CallExpr(callee=NameExpr(name=name)) if name in _ASKS_THE_CHECKER:
                self._read(expr)
            case _ if not isinstance(expr, NameExpr):  # a bare name neither computes nor uses anything
                self._read(expr)
                if isinstance(expr, _COMPUTES):
                    self._dropped(expr)

    def _discard_all(self, expressions: Iterable[Node]) -> None:
        for expr in expressions:
            if isinstance(expr, Expression):
                self._discard(expr)

    def _read_all(self, expressions: Iterable[Node | None]) -> None:
        for expr in expressions:
            if isinstance(expr, Expression):
                self._read(expr)

    def _read(self, expr: Expression, consumed: bool = False) -> None:
        """Something takes the value of this expression; `consumed`: and iterates over it here and now."""
        match expr:
            case NameExpr():
                self._scope.read.add(expr.name)
            case nodes.CallExpr():
                self._call(expr)
            case nodes.StarExpr():
                self._read(expr.expr, consumed=True)
            case nodes.ComparisonExpr():
                for operand in expr.operands:
                    self._read(operand, consumed=True)
            case nodes.LambdaExpr():
                self._function(expr, ())
            case nodes.ListComprehension() | nodes.SetComprehension():
                self._comprehension(expr.generator)
            case nodes.GeneratorExpr():
                self._comprehension(expr, lazy=not consumed)
            case nodes.DictionaryComprehension():
                self._comprehension(expr)
            case nodes.AssignmentExpr():
                self._walrus(expr, dropped=False)
            case _:
                self._read_all(children(expr))

    def _call(self, call: nodes.CallExpr) -> None:
        if isinstance(call.callee, nodes.MemberExpr) and call.callee.name in UNWRAPS:
            self.unwraps[position(call)] = self._decorators
        self._read(call.callee)
        for index, argument in enumerate(call.args):
            self._read(argument, consumed=True)
            if isinstance(argument, nodes.LambdaExpr):
                problem = "is dropped by the function that gets the lambda"
                self._dropped(argument.expr(), problem, Callback(call, index))

    def _comprehension(
        self, expr: nodes.GeneratorExpr | nodes.DictionaryComprehension, dropped: bool = False, lazy: bool = False
    ) -> None:
        """A generator expression that is kept for later runs outside of this function: no railway is around it."""
        self._read(expr.sequences[0], consumed=True)
        around = self._decorators
        with self._inside("comprehension"):
            self._decorators = () if lazy else around
            for index, sequence in enumerate(expr.sequences):
                if index:
                    self._read(sequence, consumed=True)
                self._bind(expr.indices[index])
                self._read_all(expr.condlists[index])
            for element in [expr.left_expr] if isinstance(expr, nodes.GeneratorExpr) else [expr.key, expr.value]:
                if element is None:  # `{**mapping for ...}`
                    continue
                if dropped:
                    self._discard(element)
                else:
                    self._read(element)
        self._decorators = around
