"""The mypy plugin: it puts probes into the files that mypy checks, and judges at each what stands before it.

When mypy comes to a probe, the types of the statements before it are known, and an error is reported as part of the
function that mypy is checking at that moment, which keeps mypy's cache, its daemon and `# type: ignore` right.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.checkexpr import has_any_type
from mypy.errorcodes import ErrorCode
from mypy.messages import format_type
from mypy.nodes import Expression, MypyFile, Statement
from mypy.options import Options
from mypy.plugin import AttributeContext, MethodContext, Plugin, ReportConfigContext
from mypy.types import Instance, NoneType, Type, UninhabitedType, UnionType, get_proper_type
from typing_extensions import override

from returns_must_use.awaiting import is_used_otherwise
from returns_must_use.callbacks import ignored_by_decorator, ignored_value, is_ignored, method_returns
from returns_must_use.candidates import (
    Callback,
    CallbackDecorator,
    Candidate,
    Dropped,
    Looped,
    SpecialMethod,
    Unwrap,
)
from returns_must_use.carriers import Carriers, returned_by_generator
from returns_must_use.config import NARROWED_BY_TYPE, NARROWED_NEVER, Config, load_config, missing_names
from returns_must_use.flow import is_lost, managers_around
from returns_must_use.matching import CAPTURED_ATTRIBUTES, add_last_case, captured_type, is_complete
from returns_must_use.narrowing import FAILURES, SAFE, SUCCESSES, Outcome, outcomes
from returns_must_use.probes import (
    ATTRIBUTE_HOOK,
    METHOD_HOOK,
    Batch,
    attribute_probe,
    batches,
    insert,
    method_probe,
    number_of,
)
from returns_must_use.relevance import Relevance
from returns_must_use.scan import scan
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
from returns_must_use.versions import check_version

UNUSED_RESULT = ErrorCode("unused-result", "Check that every Result is used", "Results")
UNWRAP_OUTSIDE_RAILWAY = ErrorCode(
    "unwrap-outside-railway", "Check that .unwrap() and .failure() are called inside a railway only", "Results"
)

_FIRST_PROBE = 0x6D757374_75736500  # far from any number that a program uses
_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})

_Report = tuple[str, Expression, ErrorCode]


@dataclass(frozen=True)
class _PreparedFile:
    tree: list[Statement]
    probes: list[complex]


class MustUsePlugin(Plugin):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._config = load_config(options.config_file)
        check_version(self._config)
        self._next_probe = _FIRST_PROBE
        self._probes: dict[complex | None, Batch | nodes.MatchStmt] = {}
        self._files: dict[str, _PreparedFile] = {}
        self._known_modules = 0
        self._judge: _Judge | None = None

    # What mypy calls

    @override
    def report_config_data(self, ctx: ReportConfigContext) -> object:
        """A change of the settings or of the plugin makes mypy check every file again that the plugin looks at."""
        return None if ctx.path.endswith(".pyi") or self._is_library(ctx.path) else self._fingerprint

    @cached_property
    def _fingerprint(self) -> dict[str, object]:
        return {"config": self._config.snapshot(), "plugin": _OWN_DIGEST}

    @override
    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """mypy has parsed a file. What it imports may not be parsed yet."""
        self._known_modules = -1
        return []

    @override
    def get_type_analyze_hook(self, fullname: str) -> None:
        """The time to add the probes: mypy knows all files that the next ones to be checked import.

        mypy asks for this hook for the type of a module's `__name__`, before it looks at the module's statements.
        """
        modules = self._modules
        if modules is not None and len(modules) != self._known_modules:
            self._known_modules = len(modules)
            self._prepare(modules)

    @override
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return self._at_method_probe if fullname == METHOD_HOOK else None

    @override
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        if fullname == ATTRIBUTE_HOOK:
            return self._at_attribute_probe
        return captured_type if fullname in CAPTURED_ATTRIBUTES else None

    # Probes

    def _prepare(self, modules: dict[str, MypyFile]) -> None:
        self._judge = None  # it remembers what mypy knew of the modules before
        new = [file for file in modules.values() if self._is_checked(file) and not self._is_prepared(file)]
        if not new:
            return
        problems = missing_names(self._config, modules, self.options)
        if problems:
            raise problems
        relevant = Relevance(modules, self._config.result_types)
        for file in new:
            if file in relevant:
                self._add_probes(file)

    def _is_prepared(self, file: MypyFile) -> bool:
        known = self._files.get(file.fullname)
        return known is not None and known.tree is file.defs

    def _is_checked(self, file: MypyFile) -> bool:
        """Stubs have no statements that compute, mypy is silent about libraries, and mypyc would compile the probes."""
        if file.is_stub or file.is_cache_skeleton or self.options.mypyc:
            return False
        return not self._is_library(file.path)

    def _is_library(self, path: str) -> bool:
        return not self.options.no_silence_site_packages and not _LIBRARY_FOLDERS.isdisjoint(Path(path).parts)

    def _add_probes(self, file: MypyFile) -> None:
        known = self._files.get(file.fullname)
        for number in known.probes if known else ():
            del self._probes[number]
        findings = scan(file)
        numbers: list[complex] = []
        for body, found in list(batches(findings.candidates)):
            probes: dict[int, Statement] = {}
            for index, batch in found.items():
                numbers.append(self._new_probe(batch))
                beside = (body[index] if index < len(body) else body[-1]) if body else file
                probes[index] = attribute_probe(numbers[-1], beside)
            insert(body, probes)
        for stmt in findings.matches:
            numbers.append(self._new_probe(stmt))
            add_last_case(stmt, method_probe(numbers[-1], stmt.subject))
        self._files[file.fullname] = _PreparedFile(file.defs, numbers)

    def _new_probe(self, purpose: Batch | nodes.MatchStmt) -> complex:
        number = complex(0, self._next_probe)
        self._next_probe += 0x1000  # the next number that differs as a float
        self._probes[number] = purpose
        return number

    def _at_method_probe(self, ctx: MethodContext) -> Type:
        purpose = self._probes.get(number_of(ctx.context))
        if not isinstance(purpose, nodes.MatchStmt):
            return ctx.default_return_type
        chk = _checker(ctx.api)
        if chk.binder.is_unreachable():
            return UninhabitedType()
        subject = type_of(chk, purpose.subject)
        return UninhabitedType() if subject and is_complete(purpose, subject) else ctx.default_return_type

    def _at_attribute_probe(self, ctx: AttributeContext) -> Type:
        purpose = self._probes.get(number_of(ctx.context))
        if type(purpose) is not Batch:
            return ctx.default_attr_type
        chk = _checker(ctx.api)
        if chk.binder.is_unreachable():
            return UninhabitedType()  # the type by which mypy knows a statement that need not be reached
        if self._judge is None:
            self._judge = _Judge(
                self._config,
                Carriers(self._real_names(self._config.result_types)),
                self._real_names(self._config.railway_decorators),
            )
        for message, place, code in self._judge.reports(chk, purpose):
            chk.fail(message, place, code=code)
        return ctx.default_attr_type

    def _real_names(self, configured: Iterable[str]) -> frozenset[str]:
        """What the configured names stand for: a module may only pass on what another one defines."""
        symbols = (self.lookup_fully_qualified(name) for name in configured)
        nodes_found = [symbol.node for symbol in symbols if symbol is not None and symbol.node is not None]
        return frozenset(configured).union(*(_definitions(node) for node in nodes_found))


class _Judge:
    """Tells which candidates are errors, once mypy knows their types."""

    def __init__(self, config: Config, carriers: Carriers, railways: frozenset[str]) -> None:
        self._config = config
        self._carriers = carriers
        self._railways = railways
        self._outcomes: dict[int, tuple[nodes.Block, dict[int, Outcome]]] = {}
        self._frees_unwrap: dict[str, bool] = {}
        self._silent_methods: set[tuple[nodes.TypeInfo, str]] = set()

    def reports(self, chk: TypeChecker, batch: Batch) -> list[_Report]:
        """Nothing is reported while mypy tries something out, where an error would make it decide otherwise."""
        found: list[_Report] = []
        types, holds_result = chk._type_maps[-1], self._carriers.holds_result
        for candidate in batch.before:
            # Nearly all candidates are calls whose type tells at once that they drop nothing.
            if type(candidate) is Dropped and candidate.path == ():
                typ = types.get(candidate.value)
                if typ is not None and not holds_result(typ) and (
                    candidate.place is candidate.value or candidate.overwritten
                ):
                    if type(candidate.value) is not nodes.MemberExpr:
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
                return is_ignored(chk, candidate, partial(type_of, chk))
        return True

    def _judge(self, chk: TypeChecker, candidate: Candidate) -> Iterator[_Report]:
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
                yield from self._first(chk, ignored_value(chk, candidate, partial(type_of, chk)), problem, place)
            case CallbackDecorator():
                types = ignored_by_decorator(candidate, partial(type_of, chk))
                yield from self._first(chk, types, "is dropped by the decorator's calls", candidate.decorator)
            case Looped():
                typ = type_of(chk, candidate.iterable)
                types = iter(returned_by_generator(typ) if typ is not None else [])
                problem = "is what the generator returns, and a loop drops it"
                yield from self._first(chk, types, problem, candidate.iterable)

    def _first(self, chk: TypeChecker, types: Iterator[Type], problem: str, place: Expression) -> Iterator[_Report]:
        for typ in types:
            if self._carriers.holds_result(typ):
                yield f"Value of type {format_type(typ, chk.options)} {problem}", place, UNUSED_RESULT
                return

    # Dropped values

    def _dropped(self, chk: TypeChecker, candidate: Dropped) -> Iterator[_Report]:
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
        if hands_back(chk, candidate.value) or expects_a_raise(chk, candidate.managers):
            return True
        if starts_empty(chk, candidate.value, holds):
            return True
        if candidate.path and candidate.path[0] == EACH and gets_from_arguments(chk, candidate.value, holds):
            return True
        if candidate.if_never_false and not is_never_false(typ):
            return True
        if candidate.awaits and is_used_otherwise(candidate.awaits):
            return True
        overwritten = candidate.overwritten
        return overwritten is not None and (
            not is_lost(overwritten.function, overwritten.statement, overwritten.name)
            or any(
                may_swallow(chk, manager) for manager in managers_around(overwritten.function, overwritten.statement)
            )
        )

    def _special_method(self, chk: TypeChecker, candidate: SpecialMethod) -> Iterator[_Report]:
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

    def _unwrap(self, chk: TypeChecker, candidate: Unwrap) -> Iterator[_Report]:
        if self._is_free(chk.path) or self._is_railway(candidate.decorators):
            return
        receiver = type_of(chk, candidate.receiver)
        if receiver is None or not self._carriers.is_result(receiver):
            return
        counts = self._config.count_narrowed
        if counts == NARROWED_NEVER or counts == NARROWED_BY_TYPE:
            if _outcome_of_type(receiver) == SAFE[candidate.method]:
                return
        if counts == NARROWED_NEVER and self._known_outcome(candidate) == SAFE[candidate.method]:
            return
        message = f'".{candidate.method}()" raises here: only a railway function turns that into a returned failure'
        yield message, candidate.call, UNWRAP_OUTSIDE_RAILWAY

    def _is_free(self, path: str) -> bool:
        free = self._frees_unwrap.get(path)
        if free is None:
            free = self._frees_unwrap[path] = self._config.frees_unwrap(path)
        return free

    def _is_railway(self, decorators: Sequence[Expression]) -> bool:
        return any(_decorator_name(decorator) in self._railways for decorator in decorators)

    def _known_outcome(self, candidate: Unwrap) -> Outcome | None:
        body = candidate.function
        if body is None:
            return None
        found = self._outcomes.get(id(body))
        if found is None or found[0] is not body:
            found = self._outcomes[id(body)] = (body, outcomes(body))
        return found[1].get(id(candidate.call))


def _outcome_of_type(typ: Type) -> Outcome | None:
    proper = get_proper_type(typ)
    if isinstance(proper, UnionType):
        found = {_outcome_of_type(item) for item in proper.items}
        return found.pop() if len(found) == 1 else None
    names = {base.name for base in proper.type.mro} if isinstance(proper, Instance) else set()
    return "success" if names & SUCCESSES else "failure" if names & FAILURES else None


def _definitions(node: nodes.SymbolNode) -> set[str]:
    if not isinstance(node, nodes.TypeAlias):
        return {node.fullname}
    target = get_proper_type(node.target)
    items = target.items if isinstance(target, UnionType) else [target]
    return {item.type.fullname for item in map(get_proper_type, items) if isinstance(item, Instance)}


def _checker(api: object) -> TypeChecker:
    assert isinstance(api, TypeChecker)  # noqa: S101 - mypy has no other checker
    return api


def _decorator_name(decorator: Expression) -> str | None:
    if isinstance(decorator, nodes.CallExpr):
        return _decorator_name(decorator.callee)
    return decorator.fullname if isinstance(decorator, nodes.RefExpr) else None


def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_OWN_DIGEST = _digest()
