"""Statements that the plugin adds to the checked tree, and by which mypy comes to ask it.

A probe is an access to an attribute of a number that no program uses, because mypy has a hook for attributes and none
for statements. It is dressed as a call: a call that never returns is the one statement that mypy does not report where
it finds code that is never reached.
"""

from collections.abc import Iterable, Iterator, Sequence

from mypy import nodes
from mypy.nodes import Context, Statement

from returns_must_use.candidates import Candidate
from returns_must_use.scopes import Site

_ATTRIBUTE = "real"
ATTRIBUTE_HOOK = f"builtins.complex.{_ATTRIBUTE}"
_METHOD = "conjugate"
METHOD_HOOK = f"builtins.complex.{_METHOD}"

_SIMPLE = (
    nodes.ExpressionStmt,
    nodes.AssignmentStmt,
    nodes.OperatorAssignmentStmt,
    nodes.DelStmt,
    nodes.PassStmt,
    nodes.GlobalDecl,
    nodes.NonlocalDecl,
    nodes.ImportBase,
    nodes.FuncDef,
    nodes.Decorator,
    nodes.OverloadedFuncDef,
    nodes.ClassDef,
)


def attribute_probe(number: complex, beside: Context) -> Statement:
    """A probe that costs mypy little."""
    literal = nodes.ComplexExpr(number)
    attribute = nodes.MemberExpr(literal, _ATTRIBUTE)
    # The daemon forgets what calls have been analyzed to be. Then the probe is a call of a method.
    method = nodes.MemberExpr(literal, _METHOD)
    call = nodes.CallExpr(method, [], [], [], analyzed=attribute)
    return _placed(beside, literal, attribute, method, call)


def method_probe(number: complex, beside: Context) -> Statement:
    """A probe that can end the way through a program, as a call of a function does that never returns."""
    literal = nodes.ComplexExpr(number)
    method = nodes.MemberExpr(literal, _METHOD)
    return _placed(beside, literal, method, nodes.CallExpr(method, [], [], []))


def number_of(context: Context) -> complex | None:
    """The number of the probe that mypy asks about."""
    if isinstance(context, nodes.CallExpr):
        context = context.callee
    literal = context.expr if isinstance(context, nodes.MemberExpr) else None
    return literal.value if isinstance(literal, nodes.ComplexExpr) else None


def _placed(beside: Context, *parts: nodes.Expression) -> Statement:
    stmt = nodes.ExpressionStmt(parts[-1])
    for node in (*parts, stmt):
        # No width: no probe has the position of an expression of the file.
        node.set_line(beside.line, beside.column, beside.line, beside.column)
    return stmt


class Batch:
    """The candidates of one probe: those before it, and those in the statement after it, behind which nothing runs."""

    __slots__ = ("before", "statement", "within")

    def __init__(self, before: list[Candidate]) -> None:
        self.before = before
        self.within: list[Candidate] = []
        self.statement: Statement | None = None


def batches(found: Iterable[tuple[Site, Candidate]]) -> Iterator[tuple[list[Statement], dict[int, Batch]]]:
    """For each block the batches, by the index of the statement that their probe is to stand before.

    A run of simple statements shares a probe: mypy remembers the types of them all.
    """
    by_body: dict[int, tuple[list[Statement], dict[int, list[Candidate]]]] = {}
    for site, candidate in found:
        _, by_stmt = by_body.setdefault(id(site.body), (site.body, {}))
        by_stmt.setdefault(id(site.beside), []).append(candidate)
    for body, by_stmt in by_body.values():
        yield body, dict(_runs(body, by_stmt))


def _runs(body: Sequence[Statement], by_stmt: dict[int, list[Candidate]]) -> Iterator[tuple[int, Batch]]:
    waiting = by_stmt.get(id(None), [])
    last = len(body) - 1
    for index, stmt in enumerate(body):
        own = by_stmt.get(id(stmt), [])
        if isinstance(stmt, nodes.ReturnStmt | nodes.RaiseStmt):
            if waiting or own:
                batch = Batch(waiting)
                batch.within, batch.statement = own, stmt
                yield index, batch
            waiting = []
            continue
        # What follows may never be reached: a probe of its own sees what stands before.
        if waiting and (not isinstance(stmt, _SIMPLE) or index == last):
            yield index, Batch(waiting)
            waiting = []
        waiting = [*waiting, *own] if own else waiting
    if waiting:
        yield len(body), Batch(waiting)


def insert(body: list[Statement], probes: dict[int, Statement]) -> None:
    """Change the list of statements in place: mypy holds it too."""
    body[:] = [
        new
        for index in range(len(body) + 1)
        for new in (probes.get(index), body[index] if index < len(body) else None)
        if new is not None
    ]
