"""What the ingestion leaves of documents in the vector index."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.support.stored.things import LEFT_OUT, StoredVector

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
