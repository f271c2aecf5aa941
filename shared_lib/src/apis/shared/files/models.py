"""Uploaded files, as stored. The bytes are in S3."""

from typing import Literal

from apis.shared.records import Record


class FileRecord(Record):
    """`s3_key` and `s3_bucket` of the record say where its object is."""

    upload_id: str
    user_id: str
    session_id: str
    filename: str
    mime_type: str
    size_bytes: int
    s3_key: str
    s3_bucket: str | None = None
    status: Literal["pending", "ready", "failed"]
