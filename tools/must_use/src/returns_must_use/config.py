"""The plugin's settings: the table `[tool.returns_must_use]` of pyproject.toml."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from pathlib import Path

from mypy.errors import CompileError

TABLE = "returns_must_use"


@dataclass(frozen=True)
class Config:
    result_types: tuple[str, ...] = ("returns.result.Result", "returns.io.IOResult", "returns.future.FutureResult")
    railway_decorators: tuple[str, ...] = ()
    unwrap_free: tuple[str, ...] = ()
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
        return asdict(self) | {"root": os.path.relpath(self.root)}  # the same in every checkout


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


def _parse(path: Path, table: object) -> Config:
    if not isinstance(table, dict):
        raise _invalid(path, "must be a table")
    known = {field.name.replace("_", "-"): field.name for field in fields(Config) if field.name != "root"}
    values: dict[str, tuple[str, ...]] = {}
    for key, value in table.items():
        if key not in known:
            raise _invalid(path, f"has no setting {key!r}; known are {', '.join(sorted(known))}")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _invalid(path, f"needs a list of strings for {key!r}")
        values[known[key]] = tuple(value)
    return Config(root=str(path.parent), **values)


def _invalid(path: Path, problem: str) -> CompileError:
    return CompileError([f"{path}: error: [tool.{TABLE}] {problem}"])
