"""Managed models in local files: one JSON file per model."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.models.models import (
    ManagedModel,
    ModelChange,
    as_stored,
    model_id_taken,
    model_not_found,
    naming,
    read_model,
    that_counts,
)
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway, require
from apis.shared.storage.json_files import Json, list_folder, read_file, replace_file
from apis.shared.storage.locks import exclusively, lock_for


class LocalManagedModels:
    """Without the folder there are none. Changes are made under one lock, so that an id of a provider is used once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """A model is found beside an entry that cannot be read: that one fails only whom it may concern, because it
        names this model or none."""
        return await asyncio.to_thread(self._find, model_id)

    async def get(self, record_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        return await asyncio.to_thread(self._get, record_id)

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        entries = (await asyncio.to_thread(self._entries)).unwrap()
        return collect(entry.model for entry in entries)

    async def add(self, model: ManagedModel) -> Result[None, ErrorDetail]:
        @railway
        def added() -> Result[None, ErrorDetail]:
            if self._find(model.model_id).unwrap() is not None:
                return Failure(model_id_taken(model.model_id))
            return replace_file(self._path(model.id), model.model_dump(by_alias=True))

        return await self._alone(added)

    async def change(self, record_id: str, change: ModelChange) -> Result[ManagedModel, ErrorDetail]:
        @railway
        def changed() -> Result[ManagedModel, ErrorDetail]:
            stored = require(self._document(record_id).unwrap(), model_not_found(record_id)).unwrap()
            known = read_model(stored, key=record_id).unwrap()
            model_id = change.get("model_id", known.model_id)
            if model_id != known.model_id and self._find(model_id).unwrap() is not None:
                return Failure(model_id_taken(model_id))
            # What only another version of this program knows stays.
            document = {**stored, **known.model_dump(by_alias=True), **as_stored(change)}
            model = read_model(document, key=record_id).unwrap()
            return replace_file(self._path(record_id), document).map(lambda _: model)

        return await self._alone(changed)

    async def remove(self, record_id: str) -> Result[None, ErrorDetail]:
        absent = ErrorTable.of(
            (FileNotFoundError, lambda _: model_not_found(record_id)), (OSError, service_unavailable)
        )
        return await self._alone(functools.partial(attempt, self._path(record_id).unlink, errors=absent))

    async def _alone[T](self, work: Callable[[], Result[T, ErrorDetail]]) -> Result[T, ErrorDetail]:
        return await exclusively(lock_for(self._folder, "managed models"), work)

    def _path(self, record_id: str) -> Path:
        return self._folder / f"{record_id}.json"

    @railway
    def _get(self, record_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        document = self._document(record_id).unwrap()
        return Success(None) if document is None else read_model(document, key=record_id)

    def _document(self, record_id: str) -> Result[Json | None, ErrorDetail]:
        return read_file(self._path(record_id)).alt(lambda error: naming(record_id, error))

    @railway
    def _find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        entries = self._entries().unwrap()
        named = [entry.model for entry in entries if entry.model_id == model_id]
        if named:
            return collect(named).map(that_counts)
        nameless = [entry.model for entry in entries if entry.model_id is None]
        return collect(nameless).map(lambda _: None)

    def _entries(self) -> "Result[list[_Entry], ErrorDetail]":
        def read(path: Path) -> _Entry | None:
            document = read_file(path)
            return None if document == Success(None) else _Entry.of(path.stem, document)

        return list_folder(self._folder, "*.json").map(
            lambda paths: [entry for entry in map(read, paths) if entry is not None]
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """`model_id` is what the file names as far as it can be read, also where the rest of it fits no model."""

    model_id: str | None
    model: Result[ManagedModel, ErrorDetail]

    @classmethod
    def of(cls, key: str, document: Result[Json, ErrorDetail]) -> "_Entry":
        found = document.value_or(None)
        named = found.get("modelId") if isinstance(found, dict) else None
        return cls(
            named if isinstance(named, str) else None,
            document.alt(lambda error: naming(key, error)).bind(lambda body: read_model(body, key=key)),
        )
