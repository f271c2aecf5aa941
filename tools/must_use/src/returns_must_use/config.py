"""The plugin's settings: the table `[tool.returns_must_use]` of pyproject.toml."""

import ast
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from mypy.build import default_data_dir
from mypy.errors import CompileError
from mypy.modulefinder import FindModuleCache, SearchPaths, compute_search_paths
from mypy.options import Options

TABLE = "returns_must_use"

NARROWED_NEVER = "never"
NARROWED_BY_TYPE = "not-by-type"
NARROWED_ALWAYS = "always"


@dataclass(frozen=True)
class Config:
    result_types: tuple[str, ...] = (
        "returns.result.Result",
        "returns.io.IOResult",
        "returns.future.FutureResult",
        "returns.context.requires_context_result.RequiresContextResult",
        "returns.context.requires_context_ioresult.RequiresContextIOResult",
        "returns.context.requires_context_future_result.RequiresContextFutureResult",
    )
    railway_decorators: tuple[str, ...] = ()
    unwrap_free: tuple[str, ...] = ()
    count_narrowed: str = NARROWED_NEVER
    allow_underscore: bool = False
    untested_mypy: bool = False
    path: str = ""  # of the file with the table; empty where there is none
    root: str = ""

    def frees_unwrap(self, path: str) -> bool:
        """Whether `.unwrap()` is free in this file: the globs are relative to the folder of pyproject.toml."""
        if not self.railway_decorators:
            return True
        absolute = Path(path).absolute()
        root = Path(self.root)
        name = absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()
        return any(fnmatch(name, pattern) for pattern in self.unwrap_free)

    def snapshot(self) -> dict[str, object]:
        """JSON for mypy's cache: another value makes mypy check every file again."""
        values = asdict(self)
        del values["path"]
        return values | {"root": os.path.relpath(self.root)}  # the same in every checkout


def load_config(mypy_config_file: str | None) -> Config:
    """Read the first pyproject.toml that has the table, from mypy's own configuration file's folder upwards, then from
    the working directory upwards; the defaults where there is none."""
    for path in _candidates(mypy_config_file):
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get(TABLE)
        if table is not None:
            return _parse(path, table)
    return Config(root=str(Path.cwd()))


def _candidates(mypy_config_file: str | None) -> Iterator[Path]:
    starts = [Path.cwd()]
    if mypy_config_file:
        starts.insert(0, Path(mypy_config_file).absolute().parent)
    for start in dict.fromkeys(starts):
        yield from (path for folder in (start, *start.parents) if (path := folder / "pyproject.toml").is_file())


def _names(value: object) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _counts(value: object) -> str | None:
    return value if isinstance(value, str) and value in _COUNTS else None


_COUNTS = (NARROWED_NEVER, NARROWED_BY_TYPE, NARROWED_ALWAYS)
_PARSERS: dict[str, tuple[Callable[[object], object], str]] = {
    "result-types": (_names, "a list of strings"),
    "railway-decorators": (_names, "a list of strings"),
    "unwrap-free": (_names, "a list of strings"),
    "count-narrowed": (_counts, f"one of {', '.join(_COUNTS)}"),
    "allow-underscore": (_flag, "true or false"),
    "untested-mypy": (_flag, "true or false"),
}


def _parse(path: Path, table: object) -> Config:
    if not isinstance(table, dict):
        raise _invalid(str(path), "must be a table")
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in _PARSERS:
            raise _invalid(str(path), f"has no setting {key!r}; known are {', '.join(sorted(_PARSERS))}")
        parse, wanted = _PARSERS[key]
        parsed = parse(value)
        if parsed is None:
            raise _invalid(str(path), f"needs {wanted} for {key!r}")
        values[key.replace("-", "_")] = parsed
    defaults = {field.name: field.default for field in fields(Config)}
    return Config(**(defaults | values | {"path": str(path), "root": str(path.parent)}))  # type: ignore[arg-type]  # checked above


def _invalid(path: str, problem: str) -> CompileError:
    return CompileError([f"{path}: error: [tool.{TABLE}] {problem}"])


# Names in the settings that nothing has


def missing_names(config: Config, paths: Mapping[str, str], options: Options) -> str | None:
    """What to stop mypy with if a configured class or decorator does not exist.

    A misspelt name would switch the plugin off without a word. The defaults may be missing: not everyone uses returns.
    """
    if not config.path:
        return None
    defaults = Config()
    configured = {
        "result-types": config.result_types if config.result_types != defaults.result_types else (),
        "railway-decorators": config.railway_decorators,
    }
    finder = _Finder(paths, options)
    for setting, names in configured.items():
        for name in names:
            problem = finder.problem(name)
            if problem:
                return f"[tool.{TABLE}] names {name!r} in {setting!r}, but {problem}"
    return None


class _Finder:
    """Looks for names where mypy would, also in modules that this run of mypy does not need."""

    def __init__(self, paths: Mapping[str, str], options: Options) -> None:
        self._paths = paths
        self._options = options

    @cached_property
    def _finder(self) -> FindModuleCache:
        found = compute_search_paths([], self._options, default_data_dir())
        sources = sorted({folder for name, path in self._paths.items() if (folder := _source_folder(name, path))})
        return FindModuleCache(
            SearchPaths((*sources, *found.python_path), found.mypy_path, found.package_path, found.typeshed_path),
            None,
            self._options,
        )

    def problem(self, name: str) -> str | None:
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            path = self._path(".".join(parts[:length]))
            if path is not None:
                module, symbol = ".".join(parts[:length]), parts[length]
                return None if _has(path, symbol) else f"there is no {symbol!r} in {module}"
        if len(parts) == 1:
            return "it has no module"
        # One of mypy's parallel workers knows too few folders to tell.
        return f"there is no module {'.'.join(parts[:-1])!r}" if "builtins" in self._paths else None

    def _path(self, module: str) -> str | None:
        known = self._paths.get(module)
        if known is not None:
            return known
        found = self._finder.find_module(module)
        return found if isinstance(found, str) else None


def _source_folder(module: str, source: str) -> str | None:
    """The folder from which the module has its name."""
    path = Path(source).absolute()
    levels = module.count(".") + (path.stem == "__init__")
    return str(path.parents[levels]) if source and levels < len(path.parents) else None


def _has(path: str, symbol: str) -> bool:
    """Whether a module binds a name, wherever outside of its functions and classes."""
    source = Path(path)
    if source.suffix not in {".py", ".pyi"} or not source.is_file():
        return True  # a folder, or compiled: no telling
    waiting: list[ast.AST] = [ast.parse(source.read_bytes())]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name in {symbol, "__getattr__"}:
                    return True
                continue
            case ast.alias(name=name, asname=alias) if (alias or name) in {symbol, "*"}:
                return True
            case ast.Name(id=name, ctx=ast.Store()) if name == symbol:
                return True
        waiting += ast.iter_child_nodes(node)
    return False
