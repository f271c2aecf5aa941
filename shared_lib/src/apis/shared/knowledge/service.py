"""Searching the documents of an assistant, for a chat turn."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from apis.shared.aws.dynamodb import Table
from apis.shared.aws.embeddings import Embedder
from apis.shared.aws.vectors import Hit, VectorIndex
from apis.shared.documents.models import Document
from apis.shared.documents.repository import DocumentRepository
from apis.shared.errors import ErrorDetail
from apis.shared.knowledge.models import Chunk
from apis.shared.result import Result, Success, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

TOP_K: Final = 5
# More than are wanted: chunks of deleted documents may lie nearest. The second is the most that the index gives.
_WIDTHS: Final = (20, 100)


class KnowledgeBase:
    """Without an index or without rows (local files) there are no documents, and nothing is found."""

    def __init__(self, embedder: Embedder, index: VectorIndex | None, rows: DocumentRepository | None) -> None:
        self._embedder = embedder
        self._index = index
        self._rows = rows

    @railway
    async def search(self, assistant_id: str, query: str, *, top_k: int = TOP_K) -> Result[list[Chunk], ErrorDetail]:
        """At most `top_k` passages, the nearest first, of documents that the assistant has now. A blank query finds
        nothing. Fails as the embedding model, the index or the table fails, and never finds less because of that."""
        if self._index is None or self._rows is None or not query.strip():
            return Success([])
        vector = (await self._embedder.embed(query)).unwrap()
        chunks: list[Chunk] = []
        for width in _WIDTHS:
            found = (await self._index.nearest(vector, where={"assistant_id": assistant_id}, top_k=width)).unwrap()
            hits = _of_assistant(assistant_id, found)
            named = {document_id for hit in hits if (document_id := _document_id(hit))}
            documents = (await self._rows.find_many(assistant_id, named)).unwrap()
            chunks = [_chunk(hit, documents) for hit in hits if _is_current(hit, documents)]
            if len(chunks) >= top_k or len(found) < width:
                break
        return Success(chunks[:top_k])


def _of_assistant(assistant_id: str, hits: Sequence[Hit]) -> list[Hit]:
    """The filter of the index is all that separates assistants in it, so it is not trusted alone. A hit that says
    neither whose it is nor of which document cannot be told from a foreign one."""
    own: list[Hit] = []
    foreign: list[Hit] = []
    for hit in hits:
        owner = hit.metadata.get("assistant_id")
        is_own = owner == assistant_id if owner is not None else bool(_document_id(hit))
        (own if is_own else foreign).append(hit)
    if foreign:
        keys = [hit.key for hit in foreign]
        logger.error("the vector index ignored its filter", extra={"assistant_id": assistant_id, "keys": keys})
    return own


def _document_id(hit: Hit) -> str:
    named = hit.metadata.get("document_id")
    return named if isinstance(named, str) and named else hit.key.partition("#")[0]


def _is_current(hit: Hit, documents: Mapping[str, Document]) -> bool:
    """Not of a document that was deleted, nor left behind by a longer version of it. A hit that names no document has
    none that could be gone."""
    document_id = _document_id(hit)
    if not document_id:
        return True
    document = documents.get(document_id)
    if document is None:
        return False
    number = hit.key.rpartition("#")[2]
    is_counted = document.status == "complete" and document.chunk_count is not None and number.isdecimal()
    return not is_counted or int(number) < (document.chunk_count or 0)


def _chunk(hit: Hit, documents: Mapping[str, Document]) -> Chunk:
    document_id = _document_id(hit)
    document = documents.get(document_id)
    return Chunk(
        text=_text(hit.metadata.get("text")),
        distance=hit.distance,
        key=hit.key,
        document_id=document_id,
        source=(document.filename if document is not None else None) or _text(hit.metadata.get("source")) or None,
    )


def _text(value: object) -> str:
    """Without halves of characters, which a cut in the wrong place leaves: they could be neither sent nor stored."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


@once
def get_knowledge_base() -> KnowledgeBase:
    storage = settings(StorageSettings)
    bucket, index = storage.assistants_vector_store_bucket_name, storage.assistants_vector_store_index_name
    table = storage.assistants_table_name
    return KnowledgeBase(
        Embedder(),
        VectorIndex(bucket, index) if bucket and index else None,
        DocumentRepository(Table(table)) if table else None,
    )


def warn_without_knowledge() -> None:
    """One warning at start when assistants answer without their documents."""
    storage = settings(StorageSettings)
    variables = {
        "ASSISTANTS_VECTOR_STORE_BUCKET_NAME": storage.assistants_vector_store_bucket_name,
        "ASSISTANTS_VECTOR_STORE_INDEX_NAME": storage.assistants_vector_store_index_name,
    }
    unset = [name for name, value in variables.items() if not value]
    if unset:
        logger.warning("assistants answer without their documents: variables are unset", extra={"variables": unset})
