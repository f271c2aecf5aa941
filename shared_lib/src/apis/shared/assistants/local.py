"""Assistants in local files: one JSON file per assistant, without shares."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from apis.shared.assistants.models import (
    Assistant,
    AssistantChange,
    AssistantStatus,
    OwnPage,
    Share,
    as_stored,
    assistant_not_found,
    document_of,
)
from apis.shared.assistants.repository import Known
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.page_tokens import decode_moment_token, encode_moment_token
from apis.shared.records import parse_record
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.storage.json_files import Json, list_folder, read_file, replace_file
from apis.shared.storage.locks import exclusively, lock_for

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NOT_HERE = service_unavailable(None, reason="there are no shares without ASSISTANTS_TABLE_NAME")


class LocalAssistants:
    """Without the folder there are none. A file that cannot be read fails every list, because whose it is is not known;
    one that only names somebody else concerns nobody but them."""

    def __init__(self, folder: Path, vector_index: str) -> None:
        self._folder = folder
        self._vector_index = vector_index

    @railway
    async def find(self, assistant_id: str, email: str = "") -> Result[Known | None, ErrorDetail]:  # noqa: ARG002 - no shares
        document = (await asyncio.to_thread(self._document, assistant_id)).unwrap()
        if document is None:
            return Success(None)
        return self._read(assistant_id, document).map(lambda assistant: Known(assistant, has_share=False))

    @railway
    async def own(
        self, owner_id: str, statuses: Collection[AssistantStatus], *, limit: int | None, token: str | None
    ) -> Result[OwnPage, ErrorDetail]:
        """The newest first."""
        start = None if token is None else decode_moment_token(token).unwrap()
        everything = (await asyncio.to_thread(self._of, owner_id)).unwrap()
        places = sorted(
            ((one.created_at, one.assistant_id, one) for one in everything if one.status in statuses),
            key=lambda place: place[:2],
            reverse=True,
        )
        # A token of the previous system holds the moment alone.
        left = [place for place in places if start is None or place[:2] < start]
        shown = left if limit is None else left[:limit]
        is_last = len(shown) == len(left)
        token_after = None if is_last or not shown else encode_moment_token(shown[-1][0], shown[-1][1])
        return Success(OwnPage([one for _, _, one in shown], token_after))

    async def shared_with(self, email: str) -> Result[list[tuple[Share, Assistant]], ErrorDetail]:  # noqa: ARG002 - none
        return Success([])

    async def add(self, assistant: Assistant) -> Result[None, ErrorDetail]:
        path = self._path(assistant.assistant_id)
        return await asyncio.to_thread(replace_file, path, document_of(assistant))

    async def change(self, owner_id: str, assistant_id: str, change: AssistantChange) -> Result[Assistant, ErrorDetail]:
        @railway
        def changed() -> Result[Assistant, ErrorDetail]:
            document = self._owned(owner_id, assistant_id).unwrap()
            changed_document = {**document, **as_stored(change)}
            assistant = self._read(assistant_id, changed_document).unwrap()
            return replace_file(self._path(assistant_id), changed_document).map(lambda _: assistant)

        return await self._alone(assistant_id, changed)

    async def remove(self, owner_id: str, assistant_id: str) -> Result[None, ErrorDetail]:
        absent = ErrorTable.of(
            (FileNotFoundError, lambda _: assistant_not_found(assistant_id)), (OSError, service_unavailable)
        )

        @railway
        def removed() -> Result[None, ErrorDetail]:
            self._owned(owner_id, assistant_id).unwrap()
            return attempt(self._path(assistant_id).unlink, errors=absent)

        return await self._alone(assistant_id, removed)

    async def shares(self, assistant_id: str) -> Result[list[Share], ErrorDetail]:  # noqa: ARG002 - none
        return Success([])

    async def share(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:  # noqa: ARG002 - none
        return Failure(_NOT_HERE)

    async def unshare(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:  # noqa: ARG002 - none
        return Failure(_NOT_HERE)

    async def remove_shares(self, assistant_id: str) -> Result[None, ErrorDetail]:  # noqa: ARG002 - none
        return Success(None)

    async def mark_opened(self, assistant_id: str, email: str) -> Result[None, ErrorDetail]:  # noqa: ARG002 - none
        return Success(None)

    async def _alone[T](self, assistant_id: str, work: Callable[[], Result[T, ErrorDetail]]) -> Result[T, ErrorDetail]:
        if not _ID.fullmatch(assistant_id):
            return Failure(assistant_not_found(assistant_id))
        return await exclusively(lock_for(self._folder, assistant_id), work)

    def _path(self, assistant_id: str) -> Path:
        return self._folder / f"assistant_{assistant_id}.json"

    def _document(self, assistant_id: str) -> Result[Json | None, ErrorDetail]:
        return read_file(self._path(assistant_id)) if _ID.fullmatch(assistant_id) else Success(None)

    @railway
    def _owned(self, owner_id: str, assistant_id: str) -> Result[Json, ErrorDetail]:
        document = self._document(assistant_id).unwrap()
        if document is None or self._read(assistant_id, document).unwrap().owner_id != owner_id:
            return Failure(assistant_not_found(assistant_id))
        return Success(document)

    @railway
    def _of(self, owner_id: str) -> Result[list[Assistant], ErrorDetail]:
        paths = list_folder(self._folder, "assistant_*.json").unwrap()
        documents = collect(map(read_file, paths)).unwrap()
        found = zip(paths, documents, strict=True)
        return collect(
            self._read(path.stem, document)
            for path, document in found
            if document is not None and not _is_of_somebody_else(document, owner_id)
        )

    def _read(self, key: str, document: Json) -> Result[Assistant, ErrorDetail]:
        known = {"vectorIndexId": self._vector_index, **document} if isinstance(document, dict) else document
        return parse_record(Assistant, known, key=key)


def _is_of_somebody_else(document: Json, owner_id: str) -> bool:
    owner = document.get("ownerId") if isinstance(document, dict) else None
    return isinstance(owner, str) and owner != owner_id
