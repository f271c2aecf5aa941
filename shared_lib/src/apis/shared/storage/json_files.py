"""Local JSON files: the store that takes a table's place when its variable is unset.

Writes are atomic (temporary file and rename) and serialised per file within the process; reads and writes run in
worker threads. An `OSError` is `service_unavailable`, a file that is not JSON is `internal_error`.
"""

import asyncio
import fnmatch
import json
import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apis.shared.errors import ErrorDetail, internal_error, not_found, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway

type Json = Any  # Any: a JSON document; callers parse it into a record
type JsonObject = dict[str, Json]

_ERRORS = ErrorTable.of((OSError, service_unavailable), (ValueError, lambda _: internal_error(None)))
# A file that another request deletes meanwhile is absent; one that may not be read is not.
_ABSENT = not_found("The file does not exist.")
_READ_ERRORS = ErrorTable.of((FileNotFoundError, lambda _: _ABSENT)) + _ERRORS
_locks: "weakref.WeakValueDictionary[Path, asyncio.Lock]" = weakref.WeakValueDictionary()


async def read_json(path: Path) -> Result[Json | None, ErrorDetail]:
    """The document, or None when the file does not exist."""
    return await asyncio.to_thread(_read, path)


async def write_json(path: Path, document: Json) -> Result[None, ErrorDetail]:
    """Replace the file; missing folders are made."""
    async with _lock_of(path):
        return await asyncio.to_thread(attempt, _replace, path, document, errors=_ERRORS)


async def update_json(
    path: Path, change: Callable[[JsonObject | None], Result[JsonObject, ErrorDetail]]
) -> Result[JsonObject, ErrorDetail]:
    """Read, change and replace under the file's lock; `change` gets None when there is no file. A Failure of
    `change` leaves the file as it is."""
    async with _lock_of(path):
        return await asyncio.to_thread(_update, path, change)


async def list_folder(path: Path, pattern: str) -> Result[list[Path], ErrorDetail]:
    """The matching entries sorted by name; an absent folder is empty."""
    return await asyncio.to_thread(_listed, path, pattern)


async def read_folder(path: Path, pattern: str, member: str = "") -> Result[list[tuple[Path, Json]], ErrorDetail]:
    """Every matching file with its document, sorted by name; with `member`, that file of every matching folder. What
    is deleted meanwhile is left out; the first file that cannot be read is the Failure, named for the log."""
    return await asyncio.to_thread(_read_folder, path, pattern, member)


def _lock_of(path: Path) -> asyncio.Lock:
    lock = _locks.get(path)
    if lock is None:
        lock = _locks[path] = asyncio.Lock()
    return lock


def _listed(path: Path, pattern: str) -> Result[list[Path], ErrorDetail]:
    listed = attempt(_list, path, pattern, errors=_READ_ERRORS)
    return listed.lash(lambda error: Success([]) if error == _ABSENT else Failure(error))


@railway
def _read_folder(path: Path, pattern: str, member: str) -> Result[list[tuple[Path, Json]], ErrorDetail]:
    paths = [found / member for found in _listed(path, pattern).unwrap()]
    documents = collect(map(_read, paths)).unwrap()
    return Success([found for found in zip(paths, documents, strict=True) if found[1] is not None])


def _read(path: Path) -> Result[Json | None, ErrorDetail]:
    def present_or_none(error: ErrorDetail) -> Result[Json | None, ErrorDetail]:
        return Success(None) if error == _ABSENT else Failure(error.caused_by(None, file=path.name))

    return attempt(_load, path, errors=_READ_ERRORS).lash(present_or_none)


def _load(path: Path) -> Json:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document is None:  # would pass for a file that is absent
        msg = "the file holds null"
        raise ValueError(msg)
    return document


def _replace(path: Path, document: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            json.dump(document, handle, indent=2, ensure_ascii=False)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _update(
    path: Path, change: Callable[[JsonObject | None], Result[JsonObject, ErrorDetail]]
) -> Result[JsonObject, ErrorDetail]:
    def replaced(document: JsonObject) -> Result[JsonObject, ErrorDetail]:
        return attempt(_replace, path, document, errors=_ERRORS).map(lambda _: document)

    return _read(path).bind(change).bind(replaced)


def _list(path: Path, pattern: str) -> list[Path]:
    # Path.glob takes a folder that it may not read for an empty one.
    with os.scandir(path) as entries:
        return sorted(path / entry.name for entry in entries if fnmatch.fnmatchcase(entry.name, pattern))
