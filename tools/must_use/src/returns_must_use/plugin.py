"""The mypy plugin: it puts probes into the files that mypy checks, and has judged what stands before each.

When mypy comes to a probe, the types of the statements before it are known, and an error is reported as part of the
function that mypy is checking at that moment, which keeps mypy's cache, its daemon and `# type: ignore` right.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.nodes import Context, MypyFile, Statement
from mypy.options import Options
from mypy.plugin import (
    AnalyzeTypeContext,
    AttributeContext,
    CheckerPluginInterface,
    MethodContext,
    Plugin,
    ReportConfigContext,
)
from mypy.semanal import SemanticAnalyzer
from mypy.typeanal import TypeAnalyser
from mypy.types import Instance, Type, UninhabitedType, UnionType, get_proper_type
from typing_extensions import override

from returns_must_use.carriers import Carriers
from returns_must_use.config import load_config, missing_names
from returns_must_use.judge import Judge
from returns_must_use.matching import CAPTURED_ATTRIBUTES, add_last_case, captured_type, is_complete
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
from returns_must_use.values import type_of
from returns_must_use.versions import check_version

_FIRST_PROBE = 0x6D757374_75736500  # far from any number that a program uses
_IN_LIBRARY_FOLDER = re.compile(r"(?:^|[\\/])(?:site|dist)-packages[\\/]")


class MustUsePlugin(Plugin):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._config = load_config(options.config_file)
        check_version(self._config)
        self._next_probe = _FIRST_PROBE
        self._probes: dict[complex | None, Batch | nodes.MatchStmt] = {}
        self._files: dict[str, list[complex]] = {}  # with probes, and which
        self._parsed: dict[str, MypyFile] = {}  # since the last time that probes were added
        self._seen: set[str] = set()  # the modules that were there at that time
        self._waiting: set[str] = set()  # for a Result to come to them: the files without probes
        self._relevance = Relevance(self._config.result_types)
        self._known_modules = 0
        self._judge: Judge | None = None
        self._paths: dict[str, str] = {}  # of all modules, whether parsed or found in the cache
        self._names_are_checked = False
        self._problem: str | None = None

    # What mypy calls

    @override
    def report_config_data(self, ctx: ReportConfigContext) -> object:
        """A change of the settings or of the plugin makes mypy check every file again that the plugin looks at."""
        self._paths[ctx.id] = ctx.path
        return None if ctx.path.endswith(".pyi") or self._is_library(ctx.path) else self._fingerprint

    @cached_property
    def _fingerprint(self) -> dict[str, object]:
        return {"config": self._config.snapshot(), "plugin": _OWN_DIGEST}

    @override
    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """mypy has parsed a file, perhaps anew. What it imports may not be parsed yet."""
        self._parsed[file.fullname] = file
        self._paths[file.fullname] = file.path
        self._known_modules = -1
        return []

    @override
    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """The time to add the probes: mypy knows all files that the next ones to be checked import.

        mypy asks for this hook for the type of a module's `__name__`, before it looks at the module's statements.
        """
        modules = self._modules
        if modules is not None and len(modules) != self._known_modules:
            self._known_modules = len(modules)
            self._prepare(modules)
        return self._refuse if self._problem is not None else None

    @override
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return self._at_method_probe if fullname == METHOD_HOOK else None

    @override
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        if fullname == ATTRIBUTE_HOOK:
            return self._at_attribute_probe
        return captured_type if fullname in CAPTURED_ATTRIBUTES else None

    def _refuse(self, ctx: AnalyzeTypeContext) -> Type:
        """Stop mypy, in the only way that it has for this while it analyzes a file."""
        assert self._problem is not None  # noqa: S101 - asked only with a problem
        assert isinstance(ctx.api, TypeAnalyser)  # noqa: S101 - mypy has no others
        assert isinstance(ctx.api.api, SemanticAnalyzer)  # noqa: S101 - as above
        errors, problem = ctx.api.api.errors, self._problem
        self._problem = None
        file, module, scope = errors.file, errors.target_module, errors.scope
        errors.set_file(self._config.path, None, self.options)
        errors.report(1, 0, problem, blocker=True)
        errors.set_file(file, module, self.options, scope)
        return ctx.api.analyze_type(ctx.type)

    # Probes

    def _prepare(self, modules: dict[str, MypyFile]) -> None:
        self._judge = None  # it remembers what mypy knew of the modules before
        # The daemon shows a file that has changed under its old module until it has analyzed it.
        now = modules | self._parsed
        new = (now.keys() - self._seen) | self._parsed.keys()
        self._seen |= new
        self._parsed.clear()
        self._relevance.learn(now, new)
        self._waiting |= {name for name in new if self._is_checked(now[name])}
        self._waiting &= now.keys()
        if self._waiting and not self._names_are_checked:
            self._names_are_checked = True
            self._problem = missing_names(self._config, self._paths, self.options)
        for name in [name for name in self._waiting if now[name] in self._relevance]:
            self._waiting.discard(name)
            self._add_probes(now[name])

    def _is_checked(self, file: MypyFile) -> bool:
        """Stubs have no statements that compute, mypy is silent about libraries, and mypyc would compile the probes."""
        if file.is_stub or file.is_cache_skeleton or self.options.mypyc:
            return False
        return not self._is_library(file.path)

    def _is_library(self, path: str) -> bool:
        return not self.options.no_silence_site_packages and _IN_LIBRARY_FOLDER.search(path) is not None

    def _add_probes(self, file: MypyFile) -> None:
        for number in self._files.pop(file.fullname, ()):
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
        self._files[file.fullname] = numbers

    def _new_probe(self, purpose: Batch | nodes.MatchStmt) -> complex:
        number = complex(0, self._next_probe)
        self._next_probe += 0x1000  # the next number that differs as a float
        self._probes[number] = purpose
        return number

    def _at_method_probe(self, ctx: MethodContext) -> Type:
        return self._at_probe(ctx.context, ctx.api) or ctx.default_return_type

    def _at_attribute_probe(self, ctx: AttributeContext) -> Type:
        return self._at_probe(ctx.context, ctx.api) or ctx.default_attr_type

    def _at_probe(self, context: Context, api: CheckerPluginInterface) -> Type | None:
        purpose = self._probes.get(number_of(context))
        if purpose is None:
            return None
        assert isinstance(api, TypeChecker)  # noqa: S101 - mypy has no other checker
        if api.binder.is_unreachable():
            return UninhabitedType()  # the type by which mypy knows a statement that need not be reached
        if isinstance(purpose, nodes.MatchStmt):
            subject = type_of(api, purpose.subject)
            return UninhabitedType() if subject and is_complete(purpose, subject) else None
        if self._judge is None:
            self._judge = Judge(
                self._config,
                Carriers(self._real_names(self._config.result_types)),
                self._real_names(self._config.railway_decorators),
            )
        for message, place, code in self._judge.reports(api, purpose):
            api.fail(message, place, code=code)
        return None

    def _real_names(self, configured: Iterable[str]) -> frozenset[str]:
        """What the configured names stand for: a module may only pass on what another one defines."""
        symbols = (self.lookup_fully_qualified(name) for name in configured)
        nodes_found = [symbol.node for symbol in symbols if symbol is not None and symbol.node is not None]
        return frozenset(configured).union(*(_definitions(node) for node in nodes_found))


def _definitions(node: nodes.SymbolNode) -> set[str]:
    if not isinstance(node, nodes.TypeAlias):
        return {node.fullname}
    target = get_proper_type(node.target)
    items = target.items if isinstance(target, UnionType) else [target]
    return {item.type.fullname for item in map(get_proper_type, items) if isinstance(item, Instance)}


def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_OWN_DIGEST = _digest()
