"""Uploaded files in the files table and their objects in S3."""

import asyncio

from apis.shared.aws.dynamodb import (
    PK_EXISTS,
    Delete,
    HashKey,
    Operation,
    Query,
    Table,
    Update,
    added,
    assigned,
    parse_as,
    transact,
)
from apis.shared.aws.s3 import Bucket
from apis.shared.errors import ErrorCode, ErrorDetail, not_found
from apis.shared.files.models import FileRecord
from apis.shared.moments import zulu_form
from apis.shared.result import Failure, Result, Success, all_done, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once


class FileRepository:
    def __init__(self, table: Table, default_bucket: str) -> None:
        self._table = table
        self._default_bucket = default_bucket

    @railway
    async def list_session_files(self, user_id: str, session_id: str) -> Result[list[FileRecord], ErrorDetail]:
        """This user's files only: the index holds those of everybody who used the same session id."""
        query = Query(HashKey("GSI1PK", f"CONV#{session_id}"), index="SessionIndex")
        items = (await self._table.query_all(query)).unwrap()
        return collect(parse_as(FileRecord, item) for item in items if item["PK"] == f"USER#{user_id}")

    @railway
    async def delete_session_files(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        """Delete objects, records and their share of the quota; how many. All files are attempted; one whose object
        cannot be deleted keeps its record, so that a repeat finds it. A Failure names the upload ids of those."""
        files = (await self.list_session_files(user_id, session_id)).unwrap()
        outcomes = [_unless_gone(outcome) for outcome in await asyncio.gather(*(self.delete(file) for file in files))]
        failed = [file.upload_id for file, outcome in zip(files, outcomes, strict=True) if isinstance(outcome, Failure)]
        return (
            all_done(outcomes, what="files of a deleted session")
            .map(lambda _: len(files))
            .alt(lambda error: error.caused_by(None, failed=f"{len(failed)} of {len(files)}: {' '.join(failed)}"))
        )

    @railway
    async def delete(self, file: FileRecord) -> Result[None, ErrorDetail]:
        """The object, then record and quota in one transaction. Fails with `not_found` when the record is gone, so
        that nothing is subtracted twice."""
        (await Bucket(file.s3_bucket or self._default_bucket).delete(file.s3_key)).unwrap()
        owner = f"USER#{file.user_id}"
        operations: list[Operation] = [
            Delete(self._table.name, {"PK": owner, "SK": f"FILE#{file.upload_id}"}, PK_EXISTS)
        ]
        if file.status == "ready":
            usage = added({"totalBytes": -file.size_bytes, "fileCount": -1}) & assigned(
                {"userId": file.user_id, "updatedAt": zulu_form()}
            )
            operations.append(Update(self._table.name, {"PK": owner, "SK": "QUOTA"}, usage))
        return await transact(operations, lost=not_found("The file does not exist."))


def _unless_gone(outcome: Result[None, ErrorDetail]) -> Result[None, ErrorDetail]:
    """Somebody else has just deleted it: there is nothing left to do."""
    return outcome.lash(lambda error: Success(None) if error.code is ErrorCode.NOT_FOUND else Failure(error))


@once
def get_file_repository() -> FileRepository:
    storage = settings(StorageSettings)
    return FileRepository(Table(storage.dynamodb_user_files_table_name), storage.s3_user_files_bucket_name)
