"""Uploaded files, as stored. The bytes are in S3."""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import model_validator

from apis.shared.moments import zulu_form
from apis.shared.records import Record, StoredMoment

type FileStatus = Literal["pending", "ready", "failed"]
type SortBy = Literal["date", "size", "type"]
type SortOrder = Literal["asc", "desc"]

KEPT = timedelta(days=365)
SEGMENT_BYTES = 255
# Milliseconds; more digits are no time of this system.
_TIME_OF_AN_ID = re.compile(r"([0-9a-f]{1,11})_")
# Longer than any ending that says what a file is.
_ENDING_BYTES = 20

# In the order in which users are told.
MIME_TYPES: Mapping[str, str] = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/plain": "txt",
    "text/html": "html",
    "text/csv": "csv",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/markdown": "md",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}


class FileRecord(Record):
    """`s3_key` and `s3_bucket` of the record say where its object is. `etag` is that of the object when its upload was
    completed; older records have none. `size_bytes` is what was declared until the file is ready. `refused`: it will
    never be ready, because its object is being deleted."""

    upload_id: str
    user_id: str
    session_id: str
    filename: str
    mime_type: str
    size_bytes: int
    s3_key: str
    s3_bucket: str
    status: FileStatus
    created_at: StoredMoment
    updated_at: StoredMoment
    etag: str | None = None
    refused: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _date_by_its_id(cls, stored: dict[str, Any]) -> dict[str, Any]:  # Any: not validated yet
        """A record without timestamps is as old as its id says."""
        missing = [name for name in ("createdAt", "updatedAt") if not stored.get(name)]
        begin = _TIME_OF_AN_ID.match(str(stored.get("uploadId")))
        if not missing or begin is None:
            return stored
        return stored | dict.fromkeys(missing, zulu_form(datetime.fromtimestamp(int(begin[1], 16) / 1000, UTC)))

    @property
    def s3_uri(self) -> str:
        return f"s3://{self.s3_bucket}/{self.s3_key}"


@dataclass(frozen=True, slots=True)
class FileUsage:
    """What a user's ready files take up, as the store counts it; it may be off, even below 0, until a recount."""

    total_bytes: int = 0
    file_count: int = 0

    @classmethod
    def of(cls, total_bytes: int, file_count: int) -> Self:
        """What is shown and decided by: never below 0."""
        return cls(max(total_bytes, 0), max(file_count, 0))


@dataclass(frozen=True, slots=True)
class FilePage:
    """`cursor` names the last file when more follow; `total` is known for the files of a session only."""

    files: list[FileRecord]
    cursor: str | None
    total: int | None = None


def new_upload_id(moment: datetime) -> str:
    """Sorts by time."""
    return f"{int(moment.timestamp() * 1000):x}_{secrets.token_hex(8)}"


def object_key(user_id: str, session_id: str, upload_id: str, filename: str) -> str:
    """Five segments, whatever the names hold: a client's text neither leaves its segment nor is collapsed by a
    browser, which does that to `..`."""
    return f"user-files/{user_id}/{_segment(session_id)}/{upload_id}/{_segment(filename)}"


def _segment(text: str) -> str:
    safe = "".join("_" if one in "/\\" or unicodedata.category(one) == "Cc" else one for one in text)
    if not safe.strip("."):
        safe = "_" * max(len(safe), 1)
    if len(safe.encode()) <= SEGMENT_BYTES:
        return safe
    stem, dot, ending = safe.rpartition(".")
    if not stem or len(ending.encode()) > _ENDING_BYTES:
        return _cut(safe, SEGMENT_BYTES)
    return _cut(stem, SEGMENT_BYTES - len((dot + ending).encode())) + dot + ending


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")
