"""From upload ids to file contents, for a chat turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from apis.shared.aws.dynamodb import Table, parse_as
from apis.shared.aws.s3 import Bucket
from apis.shared.errors import ErrorDetail, bad_request, conflict, not_found
from apis.shared.files.models import FileRecord
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

MAX_FILES_PER_MESSAGE = 5


@dataclass(frozen=True, slots=True)
class ResolvedFile:
    filename: str
    content_type: str
    data: bytes


class FileResolver:
    def __init__(self, table: Table, default_bucket: str, max_files: int = MAX_FILES_PER_MESSAGE) -> None:
        self._table = table
        self._default_bucket = default_bucket
        self._max_files = min(max_files, MAX_FILES_PER_MESSAGE)

    async def resolve(self, user_id: str, upload_ids: Sequence[str]) -> Result[list[ResolvedFile], ErrorDetail]:
        """The files in the order of the ids. Fails with `bad_request` for too many ids, `not_found` for an id that
        the user does not have, `conflict` for a file whose upload is not complete. One failing file fails all."""
        if len(upload_ids) > self._max_files:
            return Failure(bad_request(f"A message can have at most {self._max_files} files."))
        return collect(await asyncio.gather(*(self._resolve_one(user_id, upload_id) for upload_id in upload_ids)))

    @railway
    async def _resolve_one(self, user_id: str, upload_id: str) -> Result[ResolvedFile, ErrorDetail]:
        item = (await self._table.get({"PK": f"USER#{user_id}", "SK": f"FILE#{upload_id}"})).unwrap()
        if item is None:
            return Failure(not_found("An attached file was not found. Please attach it again."))
        file = parse_as(FileRecord, item).unwrap()
        if file.status != "ready":
            return Failure(conflict(f"The file {file.filename} has not been uploaded completely."))
        data = (await Bucket(file.s3_bucket or self._default_bucket).get(file.s3_key)).unwrap()
        return Success(ResolvedFile(file.filename, file.mime_type, data))


@once
def get_file_resolver() -> FileResolver:
    storage = settings(StorageSettings)
    return FileResolver(
        Table(storage.dynamodb_user_files_table_name),
        storage.s3_user_files_bucket_name,
        storage.file_upload_max_files_per_message,
    )
