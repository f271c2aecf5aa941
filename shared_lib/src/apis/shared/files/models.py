"""Uploaded files, as stored. The bytes are in S3."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class FileRecord(BaseModel):
    """`s3_key` and `s3_bucket` of the record say where its object is."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    upload_id: str
    user_id: str
    session_id: str
    filename: str
    mime_type: str
    size_bytes: int
    s3_key: str
    s3_bucket: str | None = None
    status: Literal["pending", "ready", "failed"]
