"""From upload ids to file contents, for a chat turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from apis.shared.aws.s3 import Bucket
from apis.shared.errors import ErrorDetail, bad_request, conflict, not_found
from apis.shared.files.repository import FileRepository, get_file_repository
from apis.shared.result import Failure, Result, Success, collect, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

MAX_FILES_PER_MESSAGE = 5


@dataclass(frozen=True, slots=True)
class ResolvedFile:
    filename: str
    content_type: str
    data: bytes


class FileResolver:
    """At most `max_bytes` of a file are read: an object may have been replaced after its upload was completed."""

    def __init__(self, files: FileRepository, *, max_files: int = MAX_FILES_PER_MESSAGE, max_bytes: int) -> None:
        self._files = files
        self._max_files = min(max_files, MAX_FILES_PER_MESSAGE)
        self._max_bytes = max_bytes

    async def resolve(self, user_id: str, upload_ids: Sequence[str]) -> Result[list[ResolvedFile], ErrorDetail]:
        """The files in the order of the ids. Fails with `bad_request` for too many ids, `not_found` for an id that
        the user does not have, `conflict` for a file whose upload is not complete or whose object is not the one that
        was uploaded. One failing file fails all."""
        if len(upload_ids) > self._max_files:
            return Failure(bad_request(f"A message can have at most {self._max_files} files."))
        return collect(await asyncio.gather(*(self._resolve_one(user_id, upload_id) for upload_id in upload_ids)))

    @railway
    async def _resolve_one(self, user_id: str, upload_id: str) -> Result[ResolvedFile, ErrorDetail]:
        found = (await self._files.find(user_id, upload_id)).unwrap()
        file = require(found, not_found("An attached file was not found. Please attach it again.")).unwrap()
        if file.status != "ready":
            return Failure(conflict(f"The file {file.filename} has not been uploaded completely."))
        data = (await Bucket(file.s3_bucket).get(file.s3_key, at_most=self._max_bytes, etag=file.etag)).unwrap()
        return Success(ResolvedFile(file.filename, file.mime_type, data))


@once
def get_file_resolver() -> FileResolver:
    storage = settings(StorageSettings)
    return FileResolver(
        get_file_repository(),
        max_files=storage.file_upload_max_files_per_message,
        max_bytes=storage.file_upload_max_size_bytes,
    )
