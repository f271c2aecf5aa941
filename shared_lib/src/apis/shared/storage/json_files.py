"""Local JSON files: the store that takes a table's place when its variable is unset.

Writes are atomic (temporary file and rename). What reads and then writes does it in one piece of work under a lock
between processes (`storage.locks`); the functions without `async` are for such work, which runs in a worker thread. An
`OSError` is `service_unavailable`, a file that is not JSON is `internal_error`.
"""

import asyncio
import fnmatch
import functools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apis.shared.errors import ErrorDetail, internal_error, not_found, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.storage.locks import exclusively

type Json = Any  # Any: a JSON document; callers parse it into a record
type JsonObject = dict[str, Json]
type Change = Callable[[JsonObject | None], Result[JsonObject, ErrorDetail]]

_ERRORS = ErrorTable.of(
    (OSError, service_unavailable),
    (ValueError, lambda _: internal_error(None)),
    (RecursionError, lambda _: internal_error(None)),
)
# A file that another request deletes meanwhile is absent; one that may not be read is not.
_ABSENT = not_found("The file does not exist.")
_READ_ERRORS = ErrorTable.of((FileNotFoundError, lambda _: _ABSENT)) + _ERRORS


async def read_json(path: Path) -> Result[Json | None, ErrorDetail]:
    """The document, or None when the file does not exist."""
    return await asyncio.to_thread(read_file, path)


async def update_json(path: Path, change: Change, *, lock: Path) -> Result[JsonObject, ErrorDetail]:
    """Read, change and replace while nobody else holds `lock`; `change` gets None when there is no file. A Failure of
    `change` leaves the file as it is. Missing folders are made."""
    return await exclusively(lock, functools.partial(update_file, path, change))


async def read_folder(path: Path, pattern: str) -> Result[list[tuple[Path, Json]], ErrorDetail]:
    """Every matching file with its document, sorted by name. What is deleted meanwhile is left out; the first file
    that cannot be read is the Failure, named for the log."""
    return await asyncio.to_thread(_read_folder, path, pattern)


def read_file(path: Path) -> Result[Json | None, ErrorDetail]:
    """The document, or None when the file does not exist."""

    def present_or_none(error: ErrorDetail) -> Result[Json | None, ErrorDetail]:
        return Success(None) if error == _ABSENT else Failure(error.caused_by(None, file=path.name))

    return attempt(_load, path, errors=_READ_ERRORS).lash(present_or_none)


def replace_file(path: Path, document: Json) -> Result[None, ErrorDetail]:
    """Missing folders are made."""
    return attempt(_replace, path, document, errors=_ERRORS)


def update_file(path: Path, change: Change) -> Result[JsonObject, ErrorDetail]:
    def replaced(document: JsonObject) -> Result[JsonObject, ErrorDetail]:
        return replace_file(path, document).map(lambda _: document)

    return read_file(path).bind(change).bind(replaced)


def list_folder(path: Path, pattern: str) -> Result[list[Path], ErrorDetail]:
    """The matching entries sorted by name; an absent folder is empty."""
    listed = attempt(_list, path, pattern, errors=_READ_ERRORS)
    return listed.lash(lambda error: Success([]) if error == _ABSENT else Failure(error))


@railway
def _read_folder(path: Path, pattern: str) -> Result[list[tuple[Path, Json]], ErrorDetail]:
    paths = list_folder(path, pattern).unwrap()
    documents = collect(map(read_file, paths)).unwrap()
    return Success([found for found in zip(paths, documents, strict=True) if found[1] is not None])


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


def _list(path: Path, pattern: str) -> list[Path]:
    # Path.glob takes a folder that it may not read for an empty one.
    with os.scandir(path) as entries:
        return sorted(path / entry.name for entry in entries if fnmatch.fnmatchcase(entry.name, pattern))
