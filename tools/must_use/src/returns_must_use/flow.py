"""Whether a name that is assigned is read on any way from there: the order of statements within a function.

Only asked for a value that is known to be a Result, so that it may take its time. Where a way is hard to follow, the
name counts as read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mypy import nodes
from mypy.nodes import Block, Expression, Node, Statement
from mypy.patterns import AsPattern
from typing_extensions import override

from returns_must_use.walk import Walk


class Fate(Enum):
    """What becomes of the value of a name."""

    KEPT = auto()  # it may be read later
    READ = auto()
    LOST = auto()  # the name gets another value, or the function ends
    UNKNOWN = auto()


@dataclass(frozen=True)
class _Level:
    kind: str  # of the block: function, branch, with, loop or other
    body: list[Statement]
    index: int
    owner: Statement | None


def is_lost(function: Block, statement: Statement, name: str) -> bool:
    """Whether the value that this statement of the function gives the name is never read."""
    levels = _levels(function, statement)
    if not levels or any(level.kind == "other" for level in levels):
        return False
    for number, level in enumerate(reversed(levels)):
        fate = _fate(level.body[level.index + 1 :], name)
        if fate is not Fate.KEPT:
            return fate is Fate.LOST
        if level.kind == "loop":
            innermost = number == 0
            assert level.owner is not None  # noqa: S101 - a loop is a statement
            return innermost and _is_only_assigned(level.owner, name)
    return True


def managers_around(function: Block, statement: Statement) -> list[Expression]:
    """The context managers that may swallow what a later statement of the same block raises."""
    owners = (level.owner for level in _levels(function, statement))
    return [manager for owner in owners if isinstance(owner, nodes.WithStmt) for manager in owner.expr]


def _levels(function: Block, statement: Statement) -> list[_Level]:
    """The blocks around the statement, the function's own first."""
    return _find("function", function.body, None, statement) or []


def _find(kind: str, body: list[Statement], owner: Statement | None, wanted: Statement) -> list[_Level] | None:
    for index, stmt in enumerate(body):
        if stmt is wanted:
            return [_Level(kind, body, index, owner)]
        for inner_kind, block in _blocks(stmt):
            found = _find(inner_kind, block.body, stmt, wanted)
            if found is not None:
                return [_Level(kind, body, index, owner), *found]
    return None


def _blocks(stmt: Statement) -> Iterator[tuple[str, Block]]:
    match stmt:
        case nodes.IfStmt():
            yield from (("branch", block) for block in stmt.body)
            if stmt.else_body is not None:
                yield "branch", stmt.else_body
        case nodes.MatchStmt():
            yield from (("branch", block) for block in stmt.bodies)
        case nodes.WithStmt():
            yield "with", stmt.body
        case nodes.ForStmt() | nodes.WhileStmt():
            yield "loop", stmt.body
            if stmt.else_body is not None:
                yield "branch", stmt.else_body
        case nodes.TryStmt():
            blocks = [stmt.body, *stmt.handlers, stmt.else_body, stmt.finally_body]
            yield from (("other", block) for block in blocks if block is not None)
        case nodes.Block():
            yield "branch", stmt


def _fate(statements: Sequence[Statement], name: str) -> Fate:
    for stmt in statements:
        fate = _fate_at(stmt, name)
        if fate is not Fate.KEPT:
            return fate
    return Fate.KEPT


def _fate_at(stmt: Statement, name: str) -> Fate:
    use = _Use.of(stmt, name)
    match stmt:
        case nodes.IfStmt() | nodes.MatchStmt():
            return _fate_in_branches(stmt, name, use)
        case nodes.BreakStmt() | nodes.ContinueStmt():
            return Fate.UNKNOWN
        case _ if use.reads:
            return Fate.READ
        case nodes.ReturnStmt() | nodes.RaiseStmt():
            return Fate.LOST
    assigns = use.assigns or (isinstance(stmt, nodes.FuncDef | nodes.ClassDef) and stmt.name == name)
    if assigns and isinstance(stmt, _ASSIGN):
        return Fate.LOST
    return Fate.UNKNOWN if use.jumps or (assigns and not isinstance(stmt, _LOOPS)) else Fate.KEPT


_ASSIGN = nodes.AssignmentStmt | nodes.DelStmt | nodes.FuncDef | nodes.ClassDef
_LOOPS = nodes.ForStmt | nodes.WhileStmt


def _fate_in_branches(stmt: nodes.IfStmt | nodes.MatchStmt, name: str, use: "_Use") -> Fate:
    blocks = [block for _, block in _blocks(stmt)]
    if use.reads:
        header: list[Node] = [*stmt.expr] if isinstance(stmt, nodes.IfStmt) else [stmt.subject, *stmt.patterns]
        if isinstance(stmt, nodes.MatchStmt):
            header += [guard for guard in stmt.guards if guard is not None]
        if any(_Use.of(part, name).reads for part in header):
            return Fate.READ
    fates = {_fate(block.body, name) for block in blocks}
    for fate in (Fate.READ, Fate.UNKNOWN):
        if fate in fates:
            return fate
    return Fate.LOST if fates == {Fate.LOST} and _has_every_case(stmt) else Fate.KEPT


def _has_every_case(stmt: nodes.IfStmt | nodes.MatchStmt) -> bool:
    if isinstance(stmt, nodes.IfStmt):
        return stmt.else_body is not None
    last = stmt.patterns[-1]
    return isinstance(last, AsPattern) and last.pattern is None and stmt.guards[-1] is None


def _is_only_assigned(loop: Statement, name: str) -> bool:
    """Whether each round of the loop forgets what the round before has assigned."""
    use = _Use(name)
    for _, block in _blocks(loop):
        use.enter(block)
    header = loop.expr if isinstance(loop, nodes.ForStmt | nodes.WhileStmt) else None
    if header is not None:
        use.enter(header)
    return not use.reads and not use.jumps


class _Use(Walk):
    """Whether a part of a tree reads or assigns a name, or jumps out of it to the end or start of a loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loops = 0
        self.reads = False
        self.assigns = False
        self.jumps = False

    @classmethod
    def of(cls, node: Node, name: str) -> "_Use":
        use = cls(name)
        use.enter(node)
        return use

    @override
    def enter(self, node: Node) -> None:
        match node:
            case nodes.NameExpr():
                self.reads = self.reads or node.name == self._name
            case nodes.ExpressionStmt(expr=nodes.NameExpr()):
                pass  # a bare name is no use
            case nodes.AssignmentStmt(lvalues=targets, rvalue=value):
                self.enter(value)
                for target in targets:
                    self._target(target)
            case nodes.AssignmentExpr(target=target, value=value):
                self.enter(value)
                self._target(target)
            case nodes.ForStmt() | nodes.WhileStmt():
                self._loop(node)
            case nodes.WithStmt():
                for manager, named in zip(node.expr, node.target, strict=True):
                    self.enter(manager)
                    if named is not None:
                        self._target(named)
                self.enter(node.body)
            case nodes.DelStmt():
                self._target(node.expr)
            case nodes.BreakStmt() | nodes.ContinueStmt():
                self.jumps = self.jumps or not self._loops
            case _:
                self.go_on(node)

    def _loop(self, loop: nodes.ForStmt | nodes.WhileStmt) -> None:
        self.enter(loop.expr)
        if isinstance(loop, nodes.ForStmt):
            self._target(loop.index)
        self._loops += 1
        self.enter(loop.body)
        self._loops -= 1
        if loop.else_body is not None:
            self.enter(loop.else_body)

    def _target(self, target: Expression) -> None:
        match target:
            case nodes.NameExpr():
                self.assigns = self.assigns or target.name == self._name
            case nodes.TupleExpr() | nodes.ListExpr():
                for item in target.items:
                    self._target(item)
            case nodes.StarExpr():
                self._target(target.expr)
            case _:
                self.enter(target)
