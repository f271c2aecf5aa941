"""The documents of an assistant, for its owner: their rows, their objects, and their vectors."""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from apis.shared.assistants.service import AssistantService, get_assistant_service
from apis.shared.aws.dynamodb import Table
from apis.shared.aws.s3 import Bucket
from apis.shared.aws.vectors import VectorIndex
from apis.shared.documents.models import (
    Document,
    DocumentPage,
    Download,
    NewDocument,
    Upload,
    document_not_found,
    object_key,
    objects_of,
    vector_keys,
)
from apis.shared.documents.repository import DocumentRepository
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable
from apis.shared.moments import zulu_form
from apis.shared.result import Failure, Result, Success, all_done, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

ADDRESS_LIFETIME: Final = timedelta(hours=1)
DEFAULT_TYPE: Final = "application/octet-stream"

_NO_ROWS = service_unavailable(None, reason="there are no documents without ASSISTANTS_TABLE_NAME")
_NO_OBJECTS = service_unavailable(None, reason="ASSISTANTS_DOCUMENTS_BUCKET_NAME is not set")
_NO_VECTORS = service_unavailable(None, reason="the variables of the vector store are not set")


class DocumentService:
    """Every operation is for the owner of the assistant: for everybody else it is `not_found`.

    Without `rows` (local files) there are no documents. Without `objects` none can be uploaded, read or deleted;
    without `vectors` none that was ingested can be deleted.
    """

    def __init__(
        self,
        assistants: AssistantService,
        rows: DocumentRepository | None,
        objects: Bucket | None,
        vectors: VectorIndex | None,
    ) -> None:
        self._assistants = assistants
        self._rows = rows
        self._objects = objects
        self._vectors = vectors

    @railway
    async def begin_upload(self, user_id: str, assistant_id: str, new: NewDocument) -> Result[Upload, ErrorDetail]:
        """Signed before the row is written, so that a failure leaves nothing. A blank type is signed as what browsers
        send then."""
        (await self._assistants.owned(user_id, assistant_id)).unwrap()
        rows = require(self._rows, _NO_ROWS).unwrap()
        objects = require(self._objects, _NO_OBJECTS).unwrap()
        document_id = f"DOC-{uuid.uuid4().hex[:12]}"
        key = object_key(assistant_id, document_id, new.filename)
        content_type = new.content_type if new.content_type.strip() else DEFAULT_TYPE
        address = (await objects.presigned_put(key, content_type, ADDRESS_LIFETIME)).unwrap()
        now = zulu_form()
        document = Document(
            document_id=document_id,
            assistant_id=assistant_id,
            filename=new.filename,
            content_type=content_type,
            size_bytes=new.size_bytes,
            s3_key=key,
            status="uploading",
            created_at=now,
            updated_at=now,
        )
        (await rows.add(document)).unwrap()
        return Success(Upload(document_id, address.url, _seconds(ADDRESS_LIFETIME)))

    @railway
    async def page(
        self, user_id: str, assistant_id: str, *, limit: int | None = None, token: str | None = None
    ) -> Result[DocumentPage, ErrorDetail]:
        """By id, whatever their status; all of them without `limit`."""
        owned, page = await asyncio.gather(
            self._assistants.owned(user_id, assistant_id), self._page(assistant_id, limit, token)
        )
        owned.unwrap()
        return Success(page.unwrap())

    @railway
    async def get(self, user_id: str, assistant_id: str, document_id: str) -> Result[Document, ErrorDetail]:
        """Fails with `not_found`, and never because a store fails: clients take that for `not yet`."""
        owned, found = await asyncio.gather(
            self._assistants.owned(user_id, assistant_id), self._find(assistant_id, document_id)
        )
        owned.alt(
            lambda error: document_not_found(document_id) if error.code is ErrorCode.NOT_FOUND else error
        ).unwrap()
        return require(found.unwrap(), document_not_found(document_id))

    @railway
    async def has_complete(self, assistant_id: str) -> Result[bool, ErrorDetail]:
        """Whether any of them can be searched. For those who have asked whose assistant it is."""
        page = (await self._page(assistant_id, None, None)).unwrap()
        return Success(any(document.status == "complete" for document in page.documents))

    @railway
    async def begin_download(self, user_id: str, assistant_id: str, document_id: str) -> Result[Download, ErrorDetail]:
        """Whether the object is there is not looked up."""
        document = (await self.get(user_id, assistant_id, document_id)).unwrap()
        objects = require(self._objects, _NO_OBJECTS).unwrap()
        address = (await objects.presigned_get(document.object_key, ADDRESS_LIFETIME)).unwrap()
        return Success(Download(address.url, document.filename, _seconds(ADDRESS_LIFETIME)))

    @railway
    async def delete(self, user_id: str, assistant_id: str, document_id: str) -> Result[None, ErrorDetail]:
        """The vectors first, so that nothing is quoted any more, and the row last, so that a repeat finds it."""
        document = (await self.get(user_id, assistant_id, document_id)).unwrap()
        rows = require(self._rows, _NO_ROWS).unwrap()
        objects = require(self._objects, _NO_OBJECTS).unwrap()
        (await self._remove_vectors([document_id], is_ingested=bool(document.chunk_count))).unwrap()
        keys = {document.object_key, document.s3_key}
        removed = await asyncio.gather(*(objects.delete(key) for key in keys))
        all_done(removed, what="objects of a document").unwrap()
        return await rows.remove(assistant_id, [document_id])

    @railway
    async def delete_all(self, assistant_id: str) -> Result[None, ErrorDetail]:
        """Everything that any document of an assistant has left, in the same order: for an assistant that its owner
        deletes."""
        if self._rows is None:
            return Success(None)
        remains = (await self._rows.remains(assistant_id)).unwrap()
        ids = [one.document_id for one in remains]
        (await self._remove_vectors(ids, is_ingested=any(one.is_ingested for one in remains))).unwrap()
        (await self._remove_objects(assistant_id, are_expected=bool(ids))).unwrap()
        return await self._rows.remove(assistant_id, ids)

    async def _page(self, assistant_id: str, limit: int | None, token: str | None) -> Result[DocumentPage, ErrorDetail]:
        if self._rows is None:
            return Success(DocumentPage([]))
        return await self._rows.page(assistant_id, limit=limit, token=token)

    async def _find(self, assistant_id: str, document_id: str) -> Result[Document | None, ErrorDetail]:
        return Success(None) if self._rows is None else await self._rows.find(assistant_id, document_id)

    async def _remove_vectors(self, document_ids: Iterable[str], *, is_ingested: bool) -> Result[None, ErrorDetail]:
        if self._vectors is None:
            return Failure(_NO_VECTORS) if is_ingested else Success(None)
        return await self._vectors.delete(key for one in document_ids for key in vector_keys(one))

    @railway
    async def _remove_objects(self, assistant_id: str, *, are_expected: bool) -> Result[None, ErrorDetail]:
        if self._objects is None:
            return Failure(_NO_OBJECTS) if are_expected else Success(None)
        return await self._objects.delete_all((await self._objects.keys(objects_of(assistant_id))).unwrap())


def _seconds(lifetime: timedelta) -> int:
    return int(lifetime.total_seconds())


@once
def get_document_service() -> DocumentService:
    storage = settings(StorageSettings)
    table = storage.assistants_table_name
    bucket = storage.assistants_documents_bucket_name
    vectors, index = storage.assistants_vector_store_bucket_name, storage.assistants_vector_store_index_name
    return DocumentService(
        get_assistant_service(),
        DocumentRepository(Table(table)) if table else None,
        Bucket(bucket) if bucket else None,
        VectorIndex(vectors, index) if vectors and index else None,
    )
