"""The mypy plugin.

mypy offers no hook for a statement. So the plugin adds a probe after each statement that may drop a value: a call of an
`int` method on a literal number, for which mypy does ask a hook. When mypy comes to the probe, the types of the
statement before it are known, and an error is reported as part of the function that mypy is checking at that moment,
which keeps mypy's cache, its daemon and `# type: ignore` right.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.errorcodes import ErrorCode
from mypy.messages import format_type
from mypy.nodes import Expression, MypyFile, Statement
from mypy.options import Options
from mypy.plugin import AttributeContext, ChainedPlugin, MethodContext, Plugin, ReportConfigContext
from mypy.types import (
    CallableType,
    Instance,
    Type,
    TypeType,
    UninhabitedType,
    UnionType,
    get_proper_type,
)
from typing_extensions import override

from returns_must_use.carriers import Carriers
from returns_must_use.config import load_config
from returns_must_use.matching import CAPTURED_ATTRIBUTES, add_last_case, captured_type, is_complete
from returns_must_use.scan import UNWRAPS, Candidate, scan
from returns_must_use.scopes import Site
from returns_must_use.syntax import Position, position
from returns_must_use.values import expects_a_raise, hands_back, ignores_what_it_returns, type_of, types_of

UNUSED_RESULT = ErrorCode("unused-result", "Check that every Result is used", "Results")
UNWRAP_OUTSIDE_RAILWAY = ErrorCode(
    "unwrap-outside-railway", "Check that .unwrap() and .failure() are called inside a railway only", "Results"
)

_PROBE_METHOD = "conjugate"
_PROBE_HOOK = f"builtins.int.{_PROBE_METHOD}"
_FIRST_PROBE = 0x6D757374_75736500  # far from any number that a program calls this method on
_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})

_MethodHook = Callable[[MethodContext], Type]


@dataclass(frozen=True)
class _PreparedFile:
    tree: list[Statement]
    probes: range
    unwraps: dict[Position, tuple[Expression, ...]]


class MustUsePlugin(Plugin):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._config = load_config(options.config_file)
        self._next_probe = _FIRST_PROBE
        self._probes: dict[int, list[Candidate] | nodes.MatchStmt] = {}
        self._files: dict[str, _PreparedFile] = {}
        self._known_modules = 0

    # What mypy calls

    @override
    def report_config_data(self, ctx: ReportConfigContext) -> object:
        """A change of the settings or of the plugin makes mypy check every file again."""
        return {"config": self._config.snapshot(), "plugin": _OWN_DIGEST}

    @override
    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """mypy has parsed a file: the usual time to add the probes."""
        self._prepare(file)
        return []

    @override
    def get_type_analyze_hook(self, fullname: str) -> None:
        """The other time: a file that mypy first had found in its cache, or that one of its parallel workers parsed.

        mypy asks for this hook for the type of a module's `__name__`, before it looks at the module's statements.
        """
        modules = self._modules
        if modules is not None and len(modules) != self._known_modules:
            for file in islice(modules.values(), min(self._known_modules, len(modules)), None):
                self._prepare(file)
            self._known_modules = len(modules)

    @override
    def get_method_hook(self, fullname: str) -> _MethodHook | None:
        if fullname == _PROBE_HOOK:
            return self._at_probe
        # A method of a type variable has no full name, only "unwrap of Result".
        if fullname.rpartition(".")[2].partition(" of ")[0] in UNWRAPS:
            return lambda ctx: self._at_unwrap(ctx, fullname)
        return None

    @override
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        return captured_type if fullname in CAPTURED_ATTRIBUTES else None

    # Probes

    def _prepare(self, file: MypyFile) -> None:
        known = self._files.get(file.fullname)
        if (known and known.tree is file.defs) or not self._is_checked(file):
            return
        for number in known.probes if known else ():
            del self._probes[number]
        findings = scan(file)
        first = self._next_probe
        _insert(
            (site, self._new_probe(candidates, candidates[0].place))
            for site, candidates in _by_site(findings.candidates)
        )
        for stmt in findings.matches:
            add_last_case(stmt, self._new_probe(stmt, stmt.subject))
        unwraps = {} if self._config.frees_unwrap(file.path) else findings.unwraps
        self._files[file.fullname] = _PreparedFile(file.defs, range(first, self._next_probe), unwraps)

    def _is_checked(self, file: MypyFile) -> bool:
        """Stubs have no statements that compute, mypy is silent about libraries, and mypyc would compile the probes."""
        library = not self.options.no_silence_site_packages and _LIBRARY_FOLDERS.intersection(Path(file.path).parts)
        return not (file.is_stub or library or self.options.mypyc)

    def _new_probe(self, purpose: list[Candidate] | nodes.MatchStmt, beside: Expression) -> Statement:
        number = self._next_probe
        self._next_probe += 1
        self._probes[number] = purpose
        literal = nodes.IntExpr(number)
        method = nodes.MemberExpr(literal, _PROBE_METHOD)
        call = nodes.CallExpr(method, [], [], [])
        stmt = nodes.ExpressionStmt(call)
        for node in (literal, method, call, stmt):
            # No width: no probe has the position of an expression of the file.
            node.set_line(beside.line, beside.column, beside.line, beside.column)
        return stmt

    def _at_probe(self, ctx: MethodContext) -> Type:
        match ctx.context:
            case nodes.CallExpr(callee=nodes.MemberExpr(expr=nodes.IntExpr(value=number))):
                purpose = self._probes.get(number)
            case _:
                purpose = None
        if purpose is None:
            return ctx.default_return_type
        chk = _checker(ctx)
        if chk.binder.is_unreachable():
            return UninhabitedType()  # the type by which mypy knows a statement that need not be reached
        if isinstance(purpose, nodes.MatchStmt):
            subject = type_of(chk, purpose.subject)
            return UninhabitedType() if subject and is_complete(purpose, subject) else ctx.default_return_type
        for candidate in purpose:
            self._judge(chk, candidate)
        return ctx.default_return_type

    def _judge(self, chk: TypeChecker, candidate: Candidate) -> None:
        if candidate.callback and not ignores_what_it_returns(chk, candidate.callback):
            return
        if hands_back(chk, candidate.value) or expects_a_raise(chk, candidate.managers):
            return
        carriers = self._carriers()
        for typ in types_of(chk, candidate):
            if carriers.holds_result(typ):
                message = f"Value of type {format_type(typ, chk.options)} {candidate.problem}"
                chk.fail(message, candidate.place, code=UNUSED_RESULT)
                return

    # Unwraps

    def _at_unwrap(self, ctx: MethodContext, fullname: str) -> Type:
        chk = _checker(ctx)
        file = self._files.get(chk.tree.fullname)
        decorators = file.unwraps.get(position(ctx.context)) if file else None
        if decorators is not None and not self._is_railway(decorators) and self._carriers().is_result(_receiver(ctx)):
            method = fullname.rpartition(".")[2].partition(" of ")[0]
            chk.fail(
                f'".{method}()" raises here: only a railway function turns that into a returned failure',
                ctx.context,
                code=UNWRAP_OUTSIDE_RAILWAY,
            )
        following = self._next_method_hook(chk, fullname)
        return following(ctx) if following else ctx.default_return_type

    def _is_railway(self, decorators: Sequence[Expression]) -> bool:
        railways = self._real_names(self._config.railway_decorators)
        return any(_decorator_name(decorator) in railways for decorator in decorators)

    # Names in the settings

    def _carriers(self) -> Carriers:
        return Carriers(self._real_names(self._config.result_types))

    def _real_names(self, configured: Iterable[str]) -> frozenset[str]:
        """What the configured names stand for: a module may only pass on what another one defines."""
        symbols = (self.lookup_fully_qualified(name) for name in configured)
        nodes_found = [symbol.node for symbol in symbols if symbol is not None and symbol.node is not None]
        return frozenset(configured).union(*(_definitions(node) for node in nodes_found))

    # Other plugins

    def _next_method_hook(self, chk: TypeChecker, fullname: str) -> _MethodHook | None:
        """What mypy would have called if this plugin had no hook for the method."""
        plugins = chk.plugin._plugins if isinstance(chk.plugin, ChainedPlugin) else []
        following = plugins[plugins.index(self) + 1 :] if self in plugins else []
        hooks = (plugin.get_method_hook(fullname) for plugin in following)
        return next((hook for hook in hooks if hook is not None), None)


def _definitions(node: nodes.SymbolNode) -> set[str]:
    if not isinstance(node, nodes.TypeAlias):
        return {node.fullname}
    target = get_proper_type(node.target)
    items = target.items if isinstance(target, UnionType) else [target]
    return {item.type.fullname for item in map(get_proper_type, items) if isinstance(item, Instance)}


def _by_site(candidates: list[tuple[Site, Candidate]]) -> list[tuple[Site, list[Candidate]]]:
    sites: dict[tuple[int, int], tuple[Site, list[Candidate]]] = {}
    for site, candidate in candidates:
        sites.setdefault((id(site.body), id(site.beside)), (site, []))[1].append(candidate)
    return list(sites.values())


def _insert(probes: Iterable[tuple[Site, Statement]]) -> None:
    """Changes the lists of statements in place: mypy holds them too."""
    bodies: dict[int, tuple[list[Statement], dict[int, tuple[Site, Statement]]]] = {}
    for site, probe in probes:
        bodies.setdefault(id(site.body), (site.body, {}))[1][id(site.beside)] = (site, probe)
    for body, added in bodies.values():
        body[:] = [new for stmt in (None, *body) for new in _with_probe(stmt, added.get(id(stmt)))]


def _with_probe(stmt: Statement | None, added: tuple[Site, Statement] | None) -> list[Statement]:
    own = [] if stmt is None else [stmt]
    if added is None:
        return own
    site, probe = added
    return [probe, *own] if site.before else [*own, probe]


def _checker(ctx: MethodContext) -> TypeChecker:
    assert isinstance(ctx.api, TypeChecker)  # noqa: S101 - mypy has no other checker
    return ctx.api


def _receiver(ctx: MethodContext) -> Type:
    if isinstance(ctx.type, CallableType) and ctx.type.is_type_obj():
        return ctx.type.ret_type
    return ctx.type.item if isinstance(ctx.type, TypeType) else ctx.type


def _decorator_name(decorator: Expression) -> str | None:
    if isinstance(decorator, nodes.CallExpr):
        return _decorator_name(decorator.callee)
    return decorator.fullname if isinstance(decorator, nodes.RefExpr) else None


def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_OWN_DIGEST = _digest()
