"""Finds, in the syntax tree of one file, every expression whose value may go nowhere.

It works on the tree as mypy's parser leaves it: nothing is resolved or typed yet. What is found here is a candidate,
and its type decides later. The code is written for speed where it is called for every statement of a program, and in
`expressions` for every expression.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mypy import nodes, patterns
from mypy.nodes import Expression, NameExpr, Node, Statement
from typing_extensions import override

from returns_must_use.callbacks import CALLBACK_TAKERS
from returns_must_use.candidates import CallbackDecorator, Candidate, SpecialMethod
from returns_must_use.expressions import ExpressionScanner
from returns_must_use.matching import may_be_complete
from returns_must_use.notebooks import Cells
from returns_must_use.scopes import EACH, Path, Site, Store
from returns_must_use.syntax import CALLS, LITERALS, children, is_empty, is_kept, is_looked_up, last_name, unpack

_MAKES = (nodes.AwaitExpr, nodes.CallExpr, nodes.ConditionalExpr)
_DISPLAYS = (nodes.TupleExpr, nodes.ListExpr, nodes.SetExpr)
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


class _Scanner(ExpressionScanner):
    def __init__(self, cells: Cells, body: list[Statement]) -> None:
        super().__init__(body)
        self.matches: list[nodes.MatchStmt] = []
        self._cells = cells
        self._in_class = False  # then the site is the place after the class
        self._looks_up = False  # in a block that expects an exception
        self._loops = 0
        self._returns: list[nodes.ReturnStmt] | None = None  # in a `try` whose `finally` leaves the function

    # Statements

    def block(self, body: list[Statement], managers: Sequence[Expression] = ()) -> None:
        for index, stmt in enumerate(body):
            kind = type(stmt)
            if not self._in_class:
                leaves = kind is nodes.ReturnStmt or kind is nodes.RaiseStmt
                self._site = Site(body, stmt, leaves, tuple(managers) if managers and stmt is body[-1] else ())
            if kind is nodes.ExpressionStmt:
                self._expression_statement(stmt, body, index)
            else:
                look = _STATEMENTS.get(kind)
                if look is not None:
                    look(self, stmt)

    def _expression_statement(self, stmt: Statement, body: list[Statement], index: int) -> None:
        assert isinstance(stmt, nodes.ExpressionStmt)  # noqa: S101 - for the type checker
        expr = stmt.expr
        if isinstance(expr, LITERALS):  # most of them are docstrings
            return
        looks_up = self._looks_up and isinstance(expr, nodes.IndexExpr | nodes.MemberExpr) and is_looked_up(expr)
        if looks_up or (self._is_top_level(body) and self._cells.displays(body, index)):
            self._read(expr)
        else:
            self._discard(expr)

    def _is_top_level(self, body: list[Statement]) -> bool:
        return self._function is None and body is self._outermost

    def _return(self, stmt: nodes.ReturnStmt) -> None:
        if stmt.expr is not None:
            self._read(stmt.expr)
            if self._returns is not None:
                self._returns.append(stmt)

    def _raise(self, stmt: nodes.RaiseStmt) -> None:
        self._read_all([stmt.expr, stmt.from_expr])

    def _operator_assignment(self, stmt: nodes.OperatorAssignmentStmt) -> None:
        self._bind(stmt.lvalue)
        self._read_all(children(stmt))

    def _delete(self, stmt: nodes.DelStmt) -> None:
        self._bind(stmt.expr)
        self._deleted(stmt.expr)

    def _assert(self, stmt: nodes.AssertStmt) -> None:
        self._test(stmt.expr)
        self._read_all([stmt.msg])

    def _declare_outer(self, stmt: nodes.GlobalDecl | nodes.NonlocalDecl) -> None:
        self._scope.declared_outer.update(stmt.names)

    def _import(self, stmt: nodes.Import) -> None:
        for name, alias in stmt.ids:
            self._scope.bind(alias or name.split(".")[0])

    def _import_from(self, stmt: nodes.ImportFrom) -> None:
        for name, alias in stmt.names:
            self._scope.bind(alias or name)

    # Compound statements

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

    def _if(self, stmt: nodes.IfStmt) -> None:
        site = self._site
        for condition, block in zip(stmt.expr, stmt.body, strict=True):
            self._header(block, site)
            self._test(condition)
            self._branch(block)
        self._branch(stmt.else_body)

    def _while(self, stmt: nodes.WhileStmt) -> None:
        self._header(stmt.body, self._site)
        self._test(stmt.expr)
        self._loop_body(stmt.body)
        self._branch(stmt.else_body)

    def _for(self, stmt: nodes.ForStmt) -> None:
        self._header(stmt.body, self._site)
        self._consume(stmt.expr)
        self._looped(stmt.expr)
        self._loop_target(stmt)
        self._loop_body(stmt.body)
        self._branch(stmt.else_body)

    def _with(self, stmt: nodes.WithStmt) -> None:
        self._header(stmt.body, self._site)
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

    def _try(self, stmt: nodes.TryStmt) -> None:
        site = self._site
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

    def _match(self, stmt: nodes.MatchStmt) -> None:
        site = self._site
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

    # Definitions

    def _overloads(self, stmt: nodes.OverloadedFuncDef) -> None:
        for item in stmt.items:
            _STATEMENTS[type(item)](self, item)

    def _decorated(self, stmt: nodes.Decorator) -> None:
        self._read_all(stmt.decorators)
        for decorator in stmt.decorators:
            if last_name(decorator) in CALLBACK_TAKERS:
                self._add(CallbackDecorator(decorator, stmt))
        self._define(stmt.func, stmt.decorators)

    def _define(self, function: nodes.FuncDef, decorators: Sequence[Expression] = ()) -> None:
        self._scope.bind(function.name)
        self._function_body(function, decorators)

    @override
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
            if isinstance(default, CALLS) and not _is_only_declared(function.body):
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

    # Assignments

    def _assignment(self, stmt: nodes.AssignmentStmt) -> None:
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
            if not isinstance(value, LITERALS) and not is_empty(value):
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
        if isinstance(stmt.expr, CALLS + _DISPLAYS) and not is_kept(stmt.expr):
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


# Any: each of them is called with a statement of the class that it stands beside.
_STATEMENTS: dict[type[Statement], Callable[[_Scanner, Any], None]] = {
    nodes.AssertStmt: _Scanner._assert,
    nodes.AssignmentStmt: _Scanner._assignment,
    nodes.Block: _Scanner._branch,
    nodes.ClassDef: _Scanner._class,
    nodes.Decorator: _Scanner._decorated,
    nodes.DelStmt: _Scanner._delete,
    nodes.ForStmt: _Scanner._for,
    nodes.FuncDef: _Scanner._define,
    nodes.GlobalDecl: _Scanner._declare_outer,
    nodes.IfStmt: _Scanner._if,
    nodes.Import: _Scanner._import,
    nodes.ImportFrom: _Scanner._import_from,
    nodes.MatchStmt: _Scanner._match,
    nodes.NonlocalDecl: _Scanner._declare_outer,
    nodes.OperatorAssignmentStmt: _Scanner._operator_assignment,
    nodes.OverloadedFuncDef: _Scanner._overloads,
    nodes.RaiseStmt: _Scanner._raise,
    nodes.ReturnStmt: _Scanner._return,
    nodes.TryStmt: _Scanner._try,
    nodes.WhileStmt: _Scanner._while,
    nodes.WithStmt: _Scanner._with,
}


def _is_only_declared(body: nodes.Block) -> bool:
    """The function of a protocol, an overload or an abstract class: others do what it says."""
    return all(
        isinstance(stmt, nodes.PassStmt | nodes.RaiseStmt)
        or (isinstance(stmt, nodes.ExpressionStmt) and isinstance(stmt.expr, nodes.StrExpr | nodes.EllipsisExpr))
        for stmt in body.body
    )
