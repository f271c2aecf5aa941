"""A document of an assistant, as stored, and where its object and its vectors are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from apis.shared.errors import ErrorDetail, not_found
from apis.shared.records import Record

DocumentStatus = Literal["uploading", "chunking", "embedding", "complete", "failed"]

MOST_CHUNKS: Final = 500
"""Of one document; ingestion refuses more."""
_LONGEST_NAMED_ID = 200
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_.\-()]")


class Document(Record):
    """One source file. Ingestion, which runs elsewhere, moves its status and may stop doing so at any time."""

    document_id: str
    assistant_id: str
    filename: str
    content_type: str
    size_bytes: int
    s3_key: str
    status: DocumentStatus
    chunk_count: int | None = None
    error_message: str | None = None
    created_at: str
    updated_at: str

    @property
    def object_key(self) -> str:
        """Where the upload really went: old records hold a key made of the name as it was."""
        return object_key(self.assistant_id, self.document_id, self.filename)


def object_key(assistant_id: str, document_id: str, filename: str) -> str:
    return f"{objects_of(assistant_id)}documents/{document_id}/{_segment(filename)}"


def objects_of(assistant_id: str) -> str:
    """What the keys of all objects of an assistant begin with, and of no other assistant's."""
    return f"assistants/{assistant_id}/"


def vector_keys(document_id: str) -> Iterator[str]:
    """Every vector that the document can have. How many chunks its record names is no bound: it may have been uploaded
    again with fewer, or may still be growing."""
    return (f"{document_id}#{number}" for number in range(MOST_CHUNKS))


def document_not_found(document_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id is."""
    named = f" '{document_id}'" if len(document_id) <= _LONGEST_NAMED_ID else ""
    return not_found(f"Document{named} not found")


def _segment(filename: str) -> str:
    segment = _NOT_IN_A_KEY.sub("_", filename.lower())
    # Browsers collapse a segment of dots only, and with it the signature.
    return segment if segment.strip(".") else "_" * len(segment)


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """`next_token` is None when there is nothing left."""

    documents: list[Document]
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A file that its owner is about to upload; the name as it is."""

    filename: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a browser puts the bytes of a new document."""

    document_id: str
    upload_url: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Download:
    """Where a browser gets the bytes of a document; `filename` as it was uploaded."""

    download_url: str
    filename: str
    expires_in: int
