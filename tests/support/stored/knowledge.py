"""What the ingestion leaves of documents in the vector index."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.support.stored.things import LEFT_OUT, Row, StoredVector

ASSISTANTS: Final = "ASSISTANTS_TABLE_NAME"
VECTOR_BUCKET: Final = "ASSISTANTS_VECTOR_STORE_BUCKET_NAME"
VECTOR_INDEX: Final = "ASSISTANTS_VECTOR_STORE_INDEX_NAME"
DIMENSION: Final = 1024
ALONG: Final = (1.0,)


def numbers(*first: float) -> list[float]:
    """A vector that begins so; the rest is zero."""
    return [*first, *[0.0] * (DIMENSION - len(first))]


def vector(
    assistant_id: str,
    document_id: str,
    number: int,
    text: Any = "A chunk.",
    *,
    at: Sequence[float] = ALONG,
    **more: Any,
) -> StoredVector:
    """A chunk; `at` are the first numbers of its vector."""
    metadata = {"text": text, "document_id": document_id, "assistant_id": assistant_id, "source": "a.pdf", **more}
    kept = {name: value for name, value in metadata.items() if value is not LEFT_OUT}
    return StoredVector(f"{document_id}#{number}", numbers(*at), kept)


def vectors(assistant_id: str, document_id: str, count: int) -> Iterator[StoredVector]:
    """Chunks with their numbers as texts, nearer to the first axis the lower they are."""
    for number in range(count):
        yield vector(assistant_id, document_id, number, f"chunk {number}", at=(1.0, number / 100))


def document(assistant_id: str, document_id: str, **attributes: Any) -> Row:
    """A document that was ingested, with three chunks."""
    item = {
        "PK": f"AST#{assistant_id}",
        "SK": f"DOC#{document_id}",
        "documentId": document_id,
        "assistantId": assistant_id,
        "filename": "My Notes (v1).PDF",
        "contentType": "application/pdf",
        "sizeBytes": 3,
        "s3Key": f"assistants/{assistant_id}/documents/{document_id}/my_notes_(v1).pdf",
        "status": "complete",
        "chunkCount": 3,
        "createdAt": "2025-01-15T10:30:00Z",
        "updatedAt": "2025-01-15T10:30:00Z",
        **attributes,
    }
    return Row(ASSISTANTS, {name: value for name, value in item.items() if value is not LEFT_OUT})


def ghost(assistant_id: str, document_id: str) -> Row:
    """What the ingestion leaves of a document that was deleted meanwhile."""
    kept = {"status": "complete", "chunkCount": 8, "updatedAt": "2025-01-15T10:30:00Z"}
    return Row(ASSISTANTS, {"PK": f"AST#{assistant_id}", "SK": f"DOC#{document_id}", **kept})
