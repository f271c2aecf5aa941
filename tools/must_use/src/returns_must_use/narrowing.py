"""Where a test has shown that a Result is a success, or a failure, so that `.unwrap()` or `.failure()` cannot raise.

mypy alone knows the class after `isinstance(result, Failure)`, but not what is left when that does not hold, and
nothing after `is_successful(result)`. Only asked for a function that unwraps a Result outside of a railway.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from mypy import nodes, patterns
from mypy.nodes import Block, CallExpr, Expression, Node, Statement
from typing_extensions import override

from returns_must_use.syntax import chain, children, last_name
from returns_must_use.walk import Walk

Outcome: TypeAlias = Literal["success", "failure"]
# The text of a name or attribute -> what a test has shown it to be.
Known: TypeAlias = dict[str, Outcome]

SUCCESSES = frozenset({"Success", "Ok"})
FAILURES = frozenset({"Failure", "Err", "Error"})
SAFE: Mapping[str, Outcome] = {"unwrap": "success", "failure": "failure"}

_TELL_SUCCESS = frozenset({"is_successful", "is_ok", "is_success"})
_TELL_FAILURE = frozenset({"is_err", "is_error", "is_failure"})
_NEVER_RETURN = frozenset(
    {
        "sys.exit",
        "os._exit",
        "os.abort",
        "exit",
        "quit",
        "assert_never",
        "typing.assert_never",
        "pytest.fail",
        "pytest.skip",
        "pytest.exit",
        "self.fail",
        "self.skipTest",
    }
)
# What is left of a Result after these is of the same outcome.
_KEEPS = {"map": "success", "alt": "failure"}


def outcomes(body: list[Statement]) -> dict[int, Outcome]:
    """The unwraps in a function or module whose receiver's outcome is known: `id` of the call -> outcome."""
    walker = _Walker()
    walker.block(body)
    return walker.found


class _Walker:
    def __init__(self) -> None:
        self.found: dict[int, Outcome] = {}
        self._known: Known = {}
        self._leaves = False  # the end of the statements so far is not reached

    # Statements

    def block(self, statements: Iterable[Statement]) -> None:
        for stmt in statements:
            self._statement(stmt)

    def _branch(self, block: Block | None, known: Known, ends: list[Known]) -> None:
        """Go through a block, and add what is known where it ends, if it does."""
        around = self._leaves
        self._known, self._leaves = dict(known), False
        if block is not None:
            self.block(block.body)
        if not self._leaves:
            ends.append(self._known)
        self._leaves = around

    def _join(self, ends: list[Known]) -> None:
        if not ends:
            self._leaves = True
            return
        first, *others = ends
        self._known = {key: value for key, value in first.items() if all(end.get(key) == value for end in others)}

    def _statement(self, stmt: Statement) -> None:
        match stmt:
            case nodes.ReturnStmt() | nodes.RaiseStmt() | nodes.BreakStmt() | nodes.ContinueStmt():
                self._expressions(children(stmt))
                self._leaves = True
            case nodes.ExpressionStmt():
                self._expression(stmt.expr)
                if isinstance(stmt.expr, CallExpr) and chain(stmt.expr.callee) in _NEVER_RETURN:
                    self._leaves = True
            case nodes.AssertStmt():
                self._expression(stmt.expr)
                self._known |= _shown(stmt.expr)[0]
                if isinstance(stmt.expr, nodes.NameExpr) and stmt.expr.name == "False":
                    self._leaves = True
            case nodes.AssignmentStmt():
                self._expression(stmt.rvalue)
                for lvalue in stmt.lvalues:
                    self._forget(lvalue)
            case nodes.OperatorAssignmentStmt():
                self._expressions(children(stmt))
                self._forget(stmt.lvalue)
            case nodes.DelStmt():
                self._forget(stmt.expr)
            case nodes.FuncDef() | nodes.Decorator() | nodes.ClassDef() | nodes.OverloadedFuncDef():
                self._definition(stmt)
            case _:
                self._compound(stmt)

    def _compound(self, stmt: Statement) -> None:
        match stmt:
            case nodes.IfStmt():
                ends: list[Known] = []
                for condition, block in zip(stmt.expr, stmt.body, strict=True):
                    self._expression(condition)
                    shown, refuted = _shown(condition)
                    otherwise = self._known | refuted
                    self._branch(block, self._known | shown, ends)
                    self._known = otherwise
                self._branch(stmt.else_body, self._known, ends)
                self._join(ends)
            case nodes.WhileStmt():
                self._while(stmt)
            case nodes.ForStmt():
                self._expression(stmt.expr)
                self._forget_assigned(stmt)
                before = self._known
                self._branch(stmt.body, before | _filtered(stmt.index, stmt.expr), [])
                self._known = before
                self._branch(stmt.else_body, before, [before])
                self._known = before
            case nodes.WithStmt():
                self._expressions(stmt.expr)
                for target in stmt.target:
                    if target is not None:
                        self._forget(target)
                self.block(stmt.body.body)
            case nodes.TryStmt():
                self._try(stmt)
            case nodes.MatchStmt():
                self._match(stmt)
            case nodes.Block():
                self.block(stmt.body)
            case _:
                self._expressions(children(stmt))

    def _while(self, stmt: nodes.WhileStmt) -> None:
        self._forget_assigned(stmt)
        self._expression(stmt.expr)
        shown, refuted = _shown(stmt.expr)
        before = self._known
        self._branch(stmt.body, before | shown, [])
        self._known = before if _Breaks(stmt.body).found else before | refuted
        if stmt.else_body is not None:
            self._branch(stmt.else_body, before | refuted, [])
            self._known = before

    def _try(self, stmt: nodes.TryStmt) -> None:
        before = dict(self._known)
        ends: list[Known] = []
        body_ends: list[Known] = []
        self._branch(stmt.body, before, body_ends)
        for end in body_ends:
            self._branch(stmt.else_body, end, ends)
        self._known = dict(before)
        self._forget_assigned(stmt)
        survives = self._known
        for handler in stmt.handlers:
            self._branch(handler, survives, ends)
        if stmt.finally_body is not None:
            self._branch(stmt.finally_body, survives, [])
        self._join(ends)

    def _match(self, stmt: nodes.MatchStmt) -> None:
        self._expression(stmt.subject)
        subject = chain(stmt.subject)
        ends: list[Known] = []
        complete = False
        for pattern, guard, block in zip(stmt.patterns, stmt.guards, stmt.bodies, strict=True):
            outcome, whole = _matched(pattern)
            otherwise = dict(self._known)
            if subject and outcome:
                self._known[subject] = outcome
                if whole and guard is None:
                    otherwise[subject] = _other(outcome)
            if isinstance(pattern, patterns.AsPattern) and pattern.name is not None and outcome:
                self._known[pattern.name.name] = outcome
            if guard is not None:
                self._expression(guard)
                self._known |= _shown(guard)[0]
            complete = complete or (
                isinstance(pattern, patterns.AsPattern) and pattern.pattern is None and guard is None
            )
            self._branch(block, self._known, ends)
            self._known = otherwise
        if not complete and not (subject and _both_matched(stmt)):
            ends.append(self._known)
        self._join(ends)

    def _definition(self, stmt: Statement) -> None:
        match stmt:
            case nodes.FuncDef():
                self._inner(stmt.body, stmt.arguments)
            case nodes.Decorator():
                self._inner(stmt.func.body, stmt.func.arguments)
            case nodes.ClassDef():
                self._inner(stmt.defs, [])
            case nodes.OverloadedFuncDef():
                for item in stmt.items:
                    self._definition(item)

    def _inner(self, body: Block, arguments: Iterable[nodes.Argument]) -> None:
        known, leaves = dict(self._known), self._leaves
        for argument in arguments:
            self._forget(nodes.NameExpr(argument.variable.name))
        self.block(body.body)
        self._known, self._leaves = known, leaves

    # What is no longer known

    def _forget(self, target: Expression) -> None:
        if isinstance(target, nodes.TupleExpr | nodes.ListExpr):
            for item in target.items:
                self._forget(item)
            return
        if isinstance(target, nodes.StarExpr):
            self._forget(target.expr)
            return
        text = chain(target)
        if text is None and isinstance(target, nodes.IndexExpr):
            text = chain(target.base)
        if text is not None:
            self._known = {key: value for key, value in self._known.items() if not _depends(key, text)}

    def _forget_assigned(self, stmt: Statement) -> None:
        if self._known:
            assigned = _Assigned()
            assigned.enter(stmt)
            for target in assigned.targets:
                self._forget(target)

    # Expressions

    def _expressions(self, expressions: Iterable[Node | None]) -> None:
        for expr in expressions:
            if isinstance(expr, Expression):
                self._expression(expr)

    def _expression(self, expr: Expression) -> None:
        match expr:
            case nodes.OpExpr(op="and" | "or"):
                self._expression(expr.left)
                shown, refuted = _shown(expr.left)
                self._under(shown if expr.op == "and" else refuted, [expr.right])
            case nodes.ConditionalExpr():
                self._expression(expr.cond)
                shown, refuted = _shown(expr.cond)
                self._under(shown, [expr.if_expr])
                self._under(refuted, [expr.else_expr])
            case nodes.LambdaExpr():
                around = dict(self._known)
                for argument in expr.arguments:
                    self._forget(nodes.NameExpr(argument.variable.name))
                self._expression(expr.expr())
                self._known = around
            case nodes.ListComprehension() | nodes.SetComprehension():
                self._expression(expr.generator)
            case nodes.GeneratorExpr():
                self._comprehension(expr, [expr.left_expr])
            case nodes.DictionaryComprehension():
                self._comprehension(expr, [expr.key, expr.value])
            case nodes.AssignmentExpr():
                self._expression(expr.value)
                self._forget(expr.target)
            case CallExpr(callee=nodes.MemberExpr(expr=receiver, name=name)) if name in SAFE:
                outcome = self._outcome(receiver)
                if outcome is not None:
                    self.found[id(expr)] = outcome
                self._expressions(children(expr))
            case _:
                self._expressions(children(expr))

    def _outcome(self, receiver: Expression) -> Outcome | None:
        match receiver:
            case CallExpr(callee=nodes.MemberExpr(expr=inner, name=name)) if name in _KEEPS:
                outcome = self._outcome(inner)
                return outcome if outcome == _KEEPS[name] else None
            case _:
                return self._known.get(chain(receiver) or "")

    def _under(self, shown: Known, expressions: Iterable[Node | None]) -> None:
        around = self._known
        self._known = around | shown
        self._expressions(expressions)
        self._known = around

    def _comprehension(
        self, expr: nodes.GeneratorExpr | nodes.DictionaryComprehension, elements: Iterable[Node | None]
    ) -> None:
        around = dict(self._known)
        for index, sequence, conditions in zip(expr.indices, expr.sequences, expr.condlists, strict=True):
            self._expression(sequence)
            self._forget(index)
            self._known |= _filtered(index, sequence)
            for condition in conditions:
                self._expression(condition)
                self._known |= _shown(condition)[0]
        self._expressions(elements)
        self._known = around


def _shown(test: Expression) -> tuple[Known, Known]:
    """What is known where the test holds, and where it does not."""
    match test:
        case nodes.UnaryExpr(op="not"):
            fails, holds = _shown(test.expr)
        case nodes.AssignmentExpr():
            holds, fails = _shown(test.value)
        case nodes.OpExpr(op="and"):
            left, right = _shown(test.left), _shown(test.right)
            holds, fails = left[0] | right[0], _common(left[1], right[1])
        case nodes.OpExpr(op="or"):
            left, right = _shown(test.left), _shown(test.right)
            holds, fails = _common(left[0], right[0]), left[1] | right[1]
        case CallExpr():
            holds, fails = _told(test)
        case _:
            return {}, {}
    return holds, fails


def _told(call: CallExpr) -> tuple[Known, Known]:
    match call:
        case CallExpr(callee=nodes.NameExpr(name="isinstance"), args=[subject, classes]):
            return _known(subject, _outcome_of(classes))
        case CallExpr(callee=nodes.MemberExpr(expr=subject, name=name), args=[]):
            return _known(subject, _told_by(name))
        case CallExpr(args=[subject]):
            return _known(subject, _told_by(last_name(call.callee)))
    return {}, {}


def _known(subject: Expression, outcome: Outcome | None) -> tuple[Known, Known]:
    if isinstance(subject, nodes.AssignmentExpr):
        subject = subject.target
    text = chain(subject)
    if text is None or outcome is None:
        return {}, {}
    return {text: outcome}, {text: _other(outcome)}


def _told_by(name: str | None) -> Outcome | None:
    return "success" if name in _TELL_SUCCESS else "failure" if name in _TELL_FAILURE else None


def _outcome_of(classes: Expression) -> Outcome | None:
    names = [last_name(item) for item in (classes.items if isinstance(classes, nodes.TupleExpr) else [classes])]
    if names and all(name in SUCCESSES for name in names):
        return "success"
    return "failure" if names and all(name in FAILURES for name in names) else None


def _matched(pattern: patterns.Pattern) -> tuple[Outcome | None, bool]:
    """The outcome that the pattern shows, and whether it takes every Result of that outcome."""
    if isinstance(pattern, patterns.AsPattern) and pattern.pattern is not None:
        return _matched(pattern.pattern)
    if not isinstance(pattern, patterns.ClassPattern):
        return None, False
    parts = [*pattern.positionals, *pattern.keyword_values]
    whole = all(isinstance(part, patterns.AsPattern) and part.pattern is None for part in parts)
    return _outcome_of(pattern.class_ref), whole


def _both_matched(stmt: nodes.MatchStmt) -> bool:
    matched = [_matched(pattern) for pattern, guard in zip(stmt.patterns, stmt.guards, strict=True) if guard is None]
    return {"success", "failure"} <= {outcome for outcome, whole in matched if whole}


def _filtered(index: Expression, sequence: Expression) -> Known:
    """`for result in filter(is_successful, results)`."""
    match sequence:
        case CallExpr(callee=nodes.NameExpr(name="filter"), args=[predicate, _]):
            return _known(index, _told_by(last_name(predicate)))[0]
    return {}


def _other(outcome: Outcome) -> Outcome:
    return "failure" if outcome == "success" else "success"


def _common(left: Known, right: Known) -> Known:
    return {key: value for key, value in left.items() if right.get(key) == value}


def _depends(key: str, assigned: str) -> bool:
    if key == assigned or key.startswith((f"{assigned}.", f"{assigned}[")):
        return True
    return f"[{assigned}]" in key


class _Assigned(Walk):
    def __init__(self) -> None:
        self.targets: list[Expression] = []

    @override
    def enter(self, node: Node) -> None:
        match node:
            case nodes.AssignmentStmt():
                self.targets += node.lvalues
            case nodes.AssignmentExpr():
                self.targets.append(node.target)
            case nodes.ForStmt():
                self.targets.append(node.index)
            case nodes.WithStmt():
                self.targets += [target for target in node.target if target is not None]
            case _:
                pass
        self.go_on(node)


class _Breaks(Walk):
    """Whether a `break` leaves the loop with this body."""

    def __init__(self, body: Block) -> None:
        self.found = False
        self.enter(body)

    @override
    def enter(self, node: Node) -> None:
        if isinstance(node, nodes.BreakStmt):
            self.found = True
        elif not isinstance(node, nodes.ForStmt | nodes.WhileStmt):
            self.go_on(node)
