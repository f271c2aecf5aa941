"""The vectors of documents: one index for all assistants, written by the ingestion, read and deleted by us.

Key `{documentId}#{number of the chunk}`; metadata `text`, `document_id`, `assistant_id`, `source`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from apis.shared.aws.vectors import Hit, VectorIndex
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

# The ingestion writes a document with one call, which takes no more.
MAX_CHUNKS: Final = 500


class DocumentVectors:
    """Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    async def nearest(
        self, assistant_id: str, vector: Sequence[float], *, top_k: int
    ) -> Result[list[Hit], ErrorDetail]:
        """The nearest chunks of this assistant's documents, those of deleted ones included."""
        return await self._index.nearest(vector, where={"assistant_id": assistant_id}, top_k=top_k)

    async def delete(self, document_ids: Iterable[str]) -> Result[None, ErrorDetail]:
        """Delete all that these documents can have, also what a longer version of one has left behind. Can be
        repeated, and fails when any vector may be left."""
        return await self._index.delete(key for document_id in document_ids for key in _keys(document_id))


def _keys(document_id: str) -> Iterable[str]:
    return (f"{document_id}#{number}" for number in range(MAX_CHUNKS))


@once
def get_document_vectors() -> DocumentVectors | None:
    """None where no vector index is configured: nothing is found, and there is nothing to delete."""
    storage = settings(StorageSettings)
    bucket, index = storage.assistants_vector_store_bucket_name, storage.assistants_vector_store_index_name
    return None if bucket is None or index is None else DocumentVectors(VectorIndex(bucket, index))
