"""Assistants, their shares and their documents."""

from collections.abc import Iterator
from typing import Any, Final

from tests.support.stored.knowledge import ASSISTANTS, vectors
from tests.support.stored.things import Row, StoredObject, Thing, row_of

__all__ = [
    "ASSISTANTS",
    "CREATED",
    "DOCUMENTS_BUCKET",
    "assistant",
    "document",
    "document_key",
    "ghost",
    "ingested",
    "share",
]

DOCUMENTS_BUCKET: Final = "ASSISTANTS_DOCUMENTS_BUCKET_NAME"

CREATED: Final = "2025-01-15T10:30:45.123456Z"


def assistant(owner_id: str, assistant_id: str, **attributes: Any) -> Row:
    """A private one that is complete."""
    keys = {"status": "COMPLETE", "createdAt": CREATED, "visibility": "PRIVATE"}
    keys |= {name: value for name, value in attributes.items() if name in keys and isinstance(value, str)}
    by_status = f"STATUS#{keys['status']}#CREATED#{keys['createdAt']}"
    return row_of(
        ASSISTANTS,
        {
            "PK": f"AST#{assistant_id}",
            "SK": "METADATA",
            "GSI_PK": f"OWNER#{owner_id}",
            "GSI_SK": by_status,
            "GSI2_PK": f"VISIBILITY#{keys['visibility']}",
            "GSI2_SK": by_status,
            "assistantId": assistant_id,
            "ownerId": owner_id,
            "ownerName": "Ada",
            "name": "Biology",
            "description": "Helps with biology.",
            "instructions": "Answer as a biologist.",
            "vectorIndexId": "assistants-index",
            "visibility": "PRIVATE",
            "tags": ["science"],
            "usageCount": 0,
            "createdAt": CREATED,
            "updatedAt": CREATED,
            "status": "COMPLETE",
        },
        attributes,
    )


def share(assistant_id: str, email: str, **attributes: Any) -> Row:
    """One whose recipient has not used it yet."""
    return row_of(
        ASSISTANTS,
        {
            "PK": f"AST#{assistant_id}",
            "SK": f"SHARE#{email}",
            "GSI3_PK": f"SHARE#{email}",
            "GSI3_SK": f"AST#{assistant_id}",
            "assistantId": assistant_id,
            "email": email,
            "createdAt": CREATED,
            "firstInteracted": False,
        },
        attributes,
    )


def document(assistant_id: str, document_id: str, *, filename: str = "a.pdf", **attributes: Any) -> Row:
    """One that has been ingested, with three chunks."""
    return row_of(
        ASSISTANTS,
        {
            "PK": f"AST#{assistant_id}",
            "SK": f"DOC#{document_id}",
            "documentId": document_id,
            "assistantId": assistant_id,
            "filename": filename,
            "contentType": "application/pdf",
            "sizeBytes": 3,
            "s3Key": document_key(assistant_id, document_id, filename),
            "status": "complete",
            "chunkCount": 3,
            "vectorStoreId": "assistants-index",
            "createdAt": CREATED,
            "updatedAt": CREATED,
        },
        attributes,
    )


def ghost(assistant_id: str, document_id: str, **attributes: Any) -> Row:
    """What ingestion writes of a document that was deleted meanwhile."""
    return row_of(
        ASSISTANTS,
        {
            "PK": f"AST#{assistant_id}",
            "SK": f"DOC#{document_id}",
            "status": "complete",
            "updatedAt": CREATED,
            "chunkCount": 8,
            "vectorStoreId": "assistants-index",
        },
        attributes,
    )


def document_key(assistant_id: str, document_id: str, name: str) -> str:
    return f"assistants/{assistant_id}/documents/{document_id}/{name}"


def ingested(assistant_id: str, document_id: str, *, chunks: int = 3, **attributes: Any) -> Iterator[Thing]:
    """A document with its object and its vectors."""
    yield document(assistant_id, document_id, chunkCount=chunks, **attributes)
    yield StoredObject(DOCUMENTS_BUCKET, document_key(assistant_id, document_id, "a.pdf"), b"%PD")
    yield from vectors(assistant_id, document_id, chunks)
