import uuid
from typing import Any, Final

from tests.support.stored.things import LATE_TTL, Row, StoredObject, row_of

FILES: Final = "DYNAMODB_USER_FILES_TABLE_NAME"
FILES_BUCKET: Final = "S3_USER_FILES_BUCKET_NAME"


def uploaded_file(
    user_id: str,
    session_id: str,
    bucket: str,
    *,
    filename: str = "a.txt",
    content: bytes = b"content",
    **attributes: Any,
) -> tuple[StoredObject, Row]:
    """A file that is ready: its object in the bucket named `bucket`, and its record."""
    upload_id = attributes.get("uploadId", f"{uuid.uuid4().hex[:11]}_{uuid.uuid4().hex[:16]}")
    key = str(attributes.get("s3Key", f"user-files/{user_id}/{session_id}/{upload_id}/{filename}"))
    row = row_of(
        FILES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"FILE#{upload_id}",
            "GSI1PK": f"CONV#{session_id}",
            "GSI1SK": f"FILE#{upload_id}",
            "uploadId": upload_id,
            "userId": user_id,
            "sessionId": session_id,
            "filename": filename,
            "mimeType": "text/plain",
            "sizeBytes": len(content),
            "s3Key": key,
            "s3Bucket": bucket,
            "s3Uri": f"s3://{bucket}/{key}",
            "status": "ready",
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "ttl": LATE_TTL,
        },
        attributes,
    )
    return StoredObject(row.item.get("s3Bucket", bucket), key, content), row


def file_quota(user_id: str, *, total_bytes: int, file_count: int) -> Row:
    return Row(
        FILES,
        {
            "PK": f"USER#{user_id}",
            "SK": "QUOTA",
            "userId": user_id,
            "totalBytes": total_bytes,
            "fileCount": file_count,
            "updatedAt": "2025-01-15T10:30:00Z",
        },
    )
