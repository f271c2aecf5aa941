"""Which files can have a value of a result type at all: those that import its module, however indirectly.

The others need no probes, which keeps mypy as fast as without the plugin where no Result is about.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from mypy import nodes
from mypy.nodes import MypyFile
from mypy.util import correct_relative_import


class Relevance:
    """Grows with the modules that mypy comes to know. A file that could have a Result once counts for good."""

    def __init__(self, result_types: Collection[str]) -> None:
        self._result_types = result_types
        self._everywhere = False
        self._reached: set[str] = set()
        self._importers: dict[str, set[str]] = {}

    def __contains__(self, file: MypyFile) -> bool:
        return self._everywhere or file.fullname in self._reached

    def learn(self, modules: Mapping[str, MypyFile], new: Iterable[str]) -> None:
        """Look at the modules that are new or were parsed anew, among all that mypy knows now."""
        if self._everywhere:
            return
        reached: set[str] = set()
        for name in self._result_types:
            homes = _homes(modules, name, frozenset())
            if homes is None:
                self._everywhere = True
                return
            reached |= homes
        builtins = modules.get("builtins")
        # Of what mypy takes from its cache it keeps no imports, and loads only what it needs.
        from_cache = builtins is None or builtins.is_cache_skeleton
        for name in new:
            module = modules[name]
            if module.is_cache_skeleton:
                if "typeshed" not in module.path:  # these stubs import nothing but one another
                    reached.add(name)
                continue
            for imported, is_module in _imports(module):
                self._importers.setdefault(imported, set()).add(name)
                if imported in self._reached or (from_cache and is_module and imported not in modules):
                    reached.add(name)
        self._spread(reached - self._reached)

    def _spread(self, reached: set[str]) -> None:
        while reached:
            self._reached |= reached
            reached = set().union(*(self._importers.get(name, ()) for name in reached)) - self._reached


def _imports(module: MypyFile) -> Iterator[tuple[str, bool]]:
    """The names of what may be a module, and whether it must be one."""
    for statement in module.imports:
        if isinstance(statement, nodes.Import):
            for name, _ in statement.ids:
                for parent in _with_parents(name):
                    yield parent, True
        elif isinstance(statement, nodes.ImportFrom | nodes.ImportAll):
            origin, _ = correct_relative_import(
                module.fullname, statement.relative, statement.id, module.is_package_init_file()
            )
            for parent in _with_parents(origin):
                yield parent, True
            if isinstance(statement, nodes.ImportFrom):
                for name, _ in statement.names:
                    yield f"{origin}.{name}", False


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _homes(modules: Mapping[str, MypyFile], name: str, above: frozenset[str]) -> set[str] | None:
    """The modules that define what a configured name stands for; None: not to be told without mypy's analysis."""
    home, _, rest = name.rpartition(".")
    while home and home not in modules:
        home, _, _ = home.rpartition(".")
        rest = name.removeprefix(f"{home}.")
    if not home:
        return set()  # nothing has imported it
    if name in above or home == "builtins":
        return None
    symbol = rest.partition(".")[0]
    found = _defined(modules[home], symbol)
    if found is None:
        return None
    homes = {home}
    for origin in found:
        inner = _homes(modules, origin, above | {name})
        if inner is None:
            return None
        homes |= inner
    return homes


def _defined(module: MypyFile, symbol: str) -> list[str] | None:
    """What a name of a module is made of: nothing else if it is a class; None if that is hard to tell."""
    if module.is_cache_skeleton:
        entry = module.names.get(symbol)
        if entry is None or not isinstance(entry.node, nodes.TypeInfo):
            return None
        home = entry.node.fullname.rpartition(".")[0]
        return [] if home == module.fullname else [entry.node.fullname]
    for stmt in module.defs:
        match stmt:
            case nodes.ClassDef() if stmt.name == symbol:
                return []
            case nodes.ImportFrom():
                for name, alias in stmt.names:
                    if (alias or name) == symbol:
                        origin, _ = correct_relative_import(
                            module.fullname, stmt.relative, stmt.id, module.is_package_init_file()
                        )
                        return [f"{origin}.{name}"]
            case nodes.AssignmentStmt(lvalues=[nodes.NameExpr(name=name)]) if name == symbol:
                return None
    return None
