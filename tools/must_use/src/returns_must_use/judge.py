"""Tells which candidates are errors, once mypy knows their types."""

from collections.abc import Iterator, Sequence
from functools import partial

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.checkexpr import has_any_type
from mypy.errorcodes import ErrorCode
from mypy.messages import format_type
from mypy.nodes import Expression, Statement
from mypy.types import Instance, NoneType, Type, UnionType, get_proper_type

from returns_must_use.awaiting import is_used_otherwise
from returns_must_use.callbacks import ignored_by_decorator, ignored_value, is_ignored, method_returns
from returns_must_use.candidates import (
    Callback,
    CallbackDecorator,
    Candidate,
    Dropped,
    Looped,
    Overwritten,
    SpecialMethod,
    Unwrap,
)
from returns_must_use.carriers import Carriers, returned_by_generator
from returns_must_use.config import NARROWED_ALWAYS, NARROWED_NEVER, Config
from returns_must_use.flow import is_lost, managers_around
from returns_must_use.narrowing import FAILURES, SAFE, SUCCESSES, Outcome, outcomes
from returns_must_use.probes import Batch
from returns_must_use.scopes import EACH
from returns_must_use.values import (
    check_early,
    expects_a_raise,
    experiment,
    gets_from_arguments,
    hands_back,
    is_never_false,
    may_swallow,
    starts_empty,
    type_of,
    types_of,
)

UNUSED_RESULT = ErrorCode("unused-result", "Check that every Result is used", "Results")
UNWRAP_OUTSIDE_RAILWAY = ErrorCode(
    "unwrap-outside-railway", "Check that .unwrap() and .failure() are called inside a railway only", "Results"
)

Report = tuple[str, Expression, ErrorCode]


class Judge:
    """Tells which candidates are errors, once mypy knows their types."""

    def __init__(self, config: Config, carriers: Carriers, railways: frozenset[str]) -> None:
        self._config = config
        self._carriers = carriers
        self._railways = railways
        self._outcomes: dict[int, tuple[list[Statement], dict[int, Outcome]]] = {}
        self._frees_unwrap: dict[str, bool] = {}
        self._silent_methods: set[tuple[nodes.TypeInfo, str]] = set()

    def reports(self, chk: TypeChecker, batch: Batch) -> list[Report]:
        """Nothing is reported while mypy tries something out, where an error would make it decide otherwise."""
        found: list[Report] = []
        types, holds_result = chk._type_maps[-1], self._carriers.holds_result
        for candidate in batch.before:
            # Nearly all candidates are calls whose type tells at once that they drop nothing.
            if type(candidate) is Dropped and candidate.path == ():
                value = candidate.value
                typ = types.get(value)
                as_found = candidate.place is value or candidate.overwritten
                if typ is not None and as_found and type(value) is not nodes.MemberExpr and not holds_result(typ):
                    continue
            found += self._judge(chk, candidate)
        if batch.within:
            with experiment(chk):
                if any(self._may_matter(chk, candidate) for candidate in batch.within):
                    check_early(chk, batch.statement)
                    found += [report for candidate in batch.within for report in self._judge(chk, candidate)]
        return found

    def _may_matter(self, chk: TypeChecker, candidate: Candidate) -> bool:
        """A cheap look at a part of what a statement returns, before all of it is checked early."""
        match candidate:
            case Dropped(value=part) | Looped(iterable=part):
                typ = chk.expr_checker.accept(part)
                return self._carriers.holds_result(typ) or has_any_type(typ)
            case Callback(call=nodes.CallExpr(callee=nodes.RefExpr() as callee)):
                chk.expr_checker.accept(callee)
                return is_ignored(candidate, partial(type_of, chk))
            case Unwrap():
                return self._counts(chk, candidate)
        return True

    def _judge(self, chk: TypeChecker, candidate: Candidate) -> Iterator[Report]:
        match candidate:
            case Dropped():
                yield from self._dropped(chk, candidate)
            case Unwrap():
                yield from self._unwrap(chk, candidate)
            case SpecialMethod():
                yield from self._special_method(chk, candidate)
            case Callback():
                argument = candidate.call.args[candidate.argument]
                place = argument.expr() if isinstance(argument, nodes.LambdaExpr) else argument
                problem = "is dropped by the function that gets the callback"
                yield from self._first(chk, ignored_value(candidate, partial(type_of, chk)), problem, place)
            case CallbackDecorator():
                types = ignored_by_decorator(candidate, partial(type_of, chk))
                yield from self._first(chk, types, "is dropped by the decorator's calls", candidate.decorator)
            case Looped():
                typ = type_of(chk, candidate.iterable)
                types = iter(returned_by_generator(typ) if typ is not None else [])
                problem = "is what the generator returns, and a loop drops it"
                yield from self._first(chk, types, problem, candidate.iterable)

    def _first(self, chk: TypeChecker, types: Iterator[Type], problem: str, place: Expression) -> Iterator[Report]:
        for typ in types:
            if self._carriers.holds_result(typ):
                yield f"Value of type {format_type(typ, chk.options)} {problem}", place, UNUSED_RESULT
                return

    # Dropped values

    def _dropped(self, chk: TypeChecker, candidate: Dropped) -> Iterator[Report]:
        holding = (typ for typ in types_of(chk, candidate) if self._carriers.holds_result(typ))
        typ = next(holding, None)
        if typ is None or self._is_kept(chk, candidate, typ):
            return
        message = f"Value of type {format_type(typ, chk.options)} {candidate.problem}"
        yield message, candidate.place, UNUSED_RESULT

    def _is_kept(self, chk: TypeChecker, candidate: Dropped, typ: Type) -> bool:
        holds = self._carriers.holds_result
        place = candidate.place
        if self._config.allow_underscore and isinstance(place, nodes.NameExpr) and place.name == "_":
            return True
        return (
            hands_back(chk, candidate.value)
            or expects_a_raise(chk, candidate.managers)
            or starts_empty(chk, candidate.value, holds)
            or ((candidate.path or ())[:1] == (EACH,) and gets_from_arguments(chk, candidate.value, holds))
            or (candidate.if_never_false and not is_never_false(typ))
            or (candidate.awaits is not None and is_used_otherwise(candidate.awaits))
            or (candidate.overwritten is not None and _may_be_read(chk, candidate.overwritten))
        )

    def _special_method(self, chk: TypeChecker, candidate: SpecialMethod) -> Iterator[Report]:
        owner = get_proper_type(type_of(chk, candidate.owner))
        if isinstance(owner, Instance) and (owner.type, candidate.method) not in self._silent_methods:
            if all(isinstance(get_proper_type(typ), NoneType) for typ in method_returns(owner, candidate.method)):
                self._silent_methods.add((owner.type, candidate.method))
                return
            problem = f'is what "{candidate.method}" returns, and the statement drops it'
            if expects_a_raise(chk, [candidate.owner]):
                return
            yield from self._first(chk, method_returns(owner, candidate.method), problem, candidate.owner)

    # Unwraps

    def _unwrap(self, chk: TypeChecker, candidate: Unwrap) -> Iterator[Report]:
        if not self._counts(chk, candidate):
            return
        receiver = type_of(chk, candidate.receiver)
        if receiver is None or not self._carriers.is_result(receiver):
            return
        counts, safe = self._config.count_narrowed, SAFE[candidate.method]
        if counts != NARROWED_ALWAYS and _outcome_of_type(receiver) == safe:
            return
        if counts == NARROWED_NEVER and self._known_outcome(candidate) == safe:
            return
        message = f'".{candidate.method}()" raises here: only a railway function turns that into a returned failure'
        yield message, candidate.call, UNWRAP_OUTSIDE_RAILWAY

    def _counts(self, chk: TypeChecker, candidate: Unwrap) -> bool:
        """Whether it is to be reported if it can raise; what mypy knows of it does not matter yet."""
        return not self._is_free(chk.path) and not self._is_railway(candidate.decorators)

    def _is_free(self, path: str) -> bool:
        free = self._frees_unwrap.get(path)
        if free is None:
            free = self._frees_unwrap[path] = self._config.frees_unwrap(path)
        return free

    def _is_railway(self, decorators: Sequence[Expression]) -> bool:
        return any(_decorator_name(decorator) in self._railways for decorator in decorators)

    def _known_outcome(self, candidate: Unwrap) -> Outcome | None:
        body = candidate.body
        found = self._outcomes.get(id(body))
        if found is None or found[0] is not body:
            found = self._outcomes[id(body)] = (body, outcomes(body))
        return found[1].get(id(candidate.call))


def _may_be_read(chk: TypeChecker, overwritten: Overwritten) -> bool:
    function, statement = overwritten.function, overwritten.statement
    return not is_lost(function, statement, overwritten.name) or any(
        may_swallow(chk, manager) for manager in managers_around(function, statement)
    )


def _outcome_of_type(typ: Type) -> Outcome | None:
    proper = get_proper_type(typ)
    if isinstance(proper, UnionType):
        found = {_outcome_of_type(item) for item in proper.items}
        return found.pop() if len(found) == 1 else None
    names = {base.name for base in proper.type.mro} if isinstance(proper, Instance) else set()
    return "success" if names & SUCCESSES else "failure" if names & FAILURES else None


def _decorator_name(decorator: Expression) -> str | None:
    if isinstance(decorator, nodes.CallExpr):
        return _decorator_name(decorator.callee)
    return decorator.fullname if isinstance(decorator, nodes.RefExpr) else None
