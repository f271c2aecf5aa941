"""Managed models in local files: one JSON file per model."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail
from apis.shared.models.models import ManagedModel, naming, read_model
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.storage.json_files import Json, list_folder, read_file


class LocalManagedModels:
    """Without the folder there are none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @railway
    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """A model is found beside an entry that cannot be read: that one fails only whom it may concern, because it
        names this model or none."""
        entries = (await asyncio.to_thread(self._entries)).unwrap()
        for entry in sorted(entries, key=lambda entry: entry.model_id is None):
            if entry.model_id == model_id:
                return entry.model.map(_known)
            if entry.model_id is None and isinstance(entry.model, Failure):
                return entry.model
        return Success(None)

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        entries = (await asyncio.to_thread(self._entries)).unwrap()
        return collect(entry.model for entry in entries)

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


def _known(model: ManagedModel) -> ManagedModel | None:
    return model
