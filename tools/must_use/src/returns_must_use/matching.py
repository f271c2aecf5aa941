"""`match` on a Result: the types of what `Success(value)` and `Failure(error)` capture, and that these two are all.

mypy alone narrows `Result[int, str]` to `Success[Any]`, and knows no end of the subclasses of Result.
"""

from collections.abc import Iterator, Sequence

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.maptype import map_instance_to_supertype
from mypy.patterns import AsPattern, ClassPattern, OrPattern, Pattern
from mypy.plugin import AttributeContext
from mypy.typeops import make_simplified_union
from mypy.types import Instance, Type, TypeVarType, UninhabitedType, UnionType, get_proper_type

_RESULT = "returns.result.Result"
_SUCCESS = "returns.result.Success"
_FAILURE = "returns.result.Failure"

CAPTURED_ATTRIBUTES = frozenset(f"{name}._inner_value" for name in (_RESULT, _SUCCESS, _FAILURE))


def captured_type(ctx: AttributeContext) -> Type:
    """The T or E of a `Result[T, E]` where mypy asks what a class pattern captures; elsewhere the attribute's type."""
    narrowed = get_proper_type(ctx.type)
    if not isinstance(ctx.context, Pattern) or not isinstance(narrowed, Instance):
        return ctx.default_attr_type
    assert isinstance(ctx.api, TypeChecker)  # noqa: S101 - mypy has no other checker
    # mypy checks the pattern against the type on top of this stack.
    subject = ctx.api.pattern_checker.type_context[-1]
    arguments = {_SUCCESS: (0,), _FAILURE: (1,)}.get(narrowed.type.fullname, (0, 1))
    captured = [result.args[index] for result in _results(subject) if result for index in arguments]
    if not captured or all(isinstance(get_proper_type(typ), UninhabitedType) for typ in captured):
        return ctx.default_attr_type  # mypy takes a pattern that captures Never for one that captures nothing
    return make_simplified_union(captured)


def may_be_complete(stmt: nodes.MatchStmt) -> bool:
    """Whether one case takes every Success and one every Failure, and none takes everything; by the names alone."""
    names = [_name(pattern) for pattern in _irrefutable(stmt)]
    return {"Success", "Failure"}.issubset(names) and None not in names


def add_last_case(stmt: nodes.MatchStmt, body: nodes.Statement) -> None:
    """`case _:` with this body: what mypy thinks is left over goes there."""
    pattern, block = AsPattern(None, None), nodes.Block([body])
    for node in (pattern, block):
        node.set_line(body)
    stmt.patterns.append(pattern)
    stmt.guards.append(None)
    stmt.bodies.append(block)


def is_complete(stmt: nodes.MatchStmt, subject: Type) -> bool:
    """Whether the cases leave nothing of a subject of this type."""
    covered = {pattern.class_ref.fullname for pattern in _irrefutable(stmt) if isinstance(pattern, ClassPattern)}
    return {_SUCCESS, _FAILURE} <= covered and all(_results(subject))


def _irrefutable(stmt: nodes.MatchStmt) -> Iterator[Pattern]:
    """The patterns that take every value, or every value of a class."""
    for pattern, guard in zip(stmt.patterns, stmt.guards, strict=True):
        if guard is None:
            yield from _alternatives(pattern)


def _alternatives(pattern: Pattern) -> Iterator[Pattern]:
    match pattern:
        case AsPattern(pattern=Pattern() as inner):
            yield from _alternatives(inner)
        case OrPattern():
            for alternative in pattern.patterns:
                yield from _alternatives(alternative)
        case AsPattern():
            yield pattern
        case ClassPattern() if _takes_everything(pattern.positionals) and _takes_everything(pattern.keyword_values):
            yield pattern


def _takes_everything(patterns: Sequence[Pattern]) -> bool:
    return all(isinstance(pattern, AsPattern) and pattern.pattern is None for pattern in patterns)


def _name(pattern: Pattern) -> str | None:
    match pattern:
        case ClassPattern(class_ref=nodes.NameExpr(name=name) | nodes.MemberExpr(name=name)):
            return name
    return None


def _results(typ: Type) -> list[Instance | None]:
    """Each alternative of the type as a `Result[T, E]`, None for one that is something else."""
    proper = get_proper_type(typ)
    if isinstance(proper, TypeVarType):
        return _results(proper.upper_bound)
    if isinstance(proper, UnionType):
        return [result for item in proper.items for result in _results(item)]
    if not isinstance(proper, Instance):
        return [None]
    found = (map_instance_to_supertype(proper, base) for base in proper.type.mro if base.fullname == _RESULT)
    return [next(found, None)]
