"""Uploaded files in the files table: one record each, and one that counts what a user's ready files take up.

A file and what it counts for change in one transaction, so that nothing is counted twice or never.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import Enum, auto

from apis.shared.aws.dynamodb import (
    PK_EXISTS,
    SORT_KEY_BYTES,
    Condition,
    Delete,
    F,
    HashKey,
    Item,
    Key,
    Operation,
    Query,
    RangeKey,
    Table,
    Update,
    UpdateExpression,
    added,
    assigned,
    is_contended,
    is_key,
    lost_operation,
    parse_as,
    transact,
)
from apis.shared.aws.s3 import StoredObject
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.files.models import KEPT, FileRecord, FileUsage
from apis.shared.moments import zulu_form
from apis.shared.records import Record
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

# Between attempts at a transaction that met another one: at most so long each, together less than a user notices.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
_PREFIX = "FILE#"
_PENDING = PK_EXISTS & F("status").equals("pending")
# Whatever is neither is read, so that a record which cannot be read fails the list.
_NOT_READY = F("status").is_in(["pending", "failed"])


class Completion(Enum):
    """What became of a file that was to be made ready."""

    READY = auto()
    CHANGED = auto()
    """Its record is gone, was not pending any more, or was refused."""
    OVER_QUOTA = auto()


class _Usage(Record):
    total_bytes: int = 0
    file_count: int = 0


class FileRepository:
    def __init__(self, table: Table, default_bucket: str) -> None:
        self._table = table
        self._default_bucket = default_bucket

    @railway
    async def find(self, user_id: str, upload_id: str) -> Result[FileRecord | None, ErrorDetail]:
        """As it is now; None also for an id that can belong to nothing."""
        key = _file_key(user_id, upload_id)
        if not is_key(key["SK"], SORT_KEY_BYTES):
            return Success(None)
        item = (await self._table.get(key, consistent=True)).unwrap()
        return Success(None) if item is None else self._read(item)

    async def add(self, file: FileRecord, moment: datetime) -> Result[bool, ErrorDetail]:
        """False when there is a file with its id."""
        return await self._table.put_if_absent(
            {
                **_file_key(file.user_id, file.upload_id),
                "GSI1PK": f"CONV#{file.session_id}",
                "GSI1SK": f"{_PREFIX}{file.upload_id}",
                **file.model_dump(by_alias=True, exclude_none=True),
                "s3Uri": file.s3_uri,
                "ttl": int((moment + KEPT).timestamp()),
            }
        )

    async def refuse(self, file: FileRecord) -> Result[bool, ErrorDetail]:
        """From now on nobody makes it ready. False when it was not pending any more."""
        return await self._change_pending(file, assigned({"refused": True, "updatedAt": zulu_form()}))

    async def mark_failed(self, file: FileRecord) -> Result[bool, ErrorDetail]:
        """False when it was not pending any more."""
        return await self._change_pending(file, assigned({"status": "failed", "updatedAt": zulu_form()}))

    async def make_ready(
        self, file: FileRecord, stored: StoredObject, *, quota: int
    ) -> Result[Completion, ErrorDetail]:
        """The file and its share of the quota, both or none."""
        if stored.size > quota:
            return Success(Completion.OVER_QUOTA)
        total = F("totalBytes")
        done = await _written(
            [
                Update(
                    self._table.name,
                    _file_key(file.user_id, file.upload_id),
                    assigned(
                        {"status": "ready", "sizeBytes": stored.size, "etag": stored.etag, "updatedAt": zulu_form()}
                    ),
                    _PENDING & F("refused").does_not_exist(),
                ),
                self._counting(
                    file.user_id, stored.size, 1, condition=total.does_not_exist() | total.lte(quota - stored.size)
                ),
            ]
        )
        by_operation = (Completion.CHANGED, Completion.OVER_QUOTA)
        return done.map(lambda lost: Completion.READY if lost is None else by_operation[lost])

    async def remove(self, file: FileRecord) -> Result[bool, ErrorDetail]:
        """The record and, of a ready file, its share of the quota. False when it is not as it was read any more."""
        operations: list[Operation] = [
            Delete(
                self._table.name,
                _file_key(file.user_id, file.upload_id),
                F("status").equals(file.status) & F("sizeBytes").equals(file.size_bytes),
            )
        ]
        if file.status == "ready":
            operations.append(self._counting(file.user_id, -file.size_bytes, -1))
        return (await _written(operations)).map(lambda lost: lost is None)

    @railway
    async def usage(self, user_id: str, *, consistent: bool = False) -> Result[FileUsage, ErrorDetail]:
        """As it is counted, see `FileUsage.of`; zeros for a user who never had a file."""
        item = (await self._table.get(_quota_key(user_id), consistent=consistent)).unwrap()
        if item is None:
            return Success(FileUsage())
        return parse_as(_Usage, item).map(lambda usage: FileUsage(usage.total_bytes, usage.file_count))

    async def correct_usage(self, user_id: str, known: FileUsage, counted: FileUsage) -> Result[bool, ErrorDetail]:
        """False when it is not `known` any more."""
        unchanged = F("totalBytes").equals(known.total_bytes) & F("fileCount").equals(known.file_count)
        change = assigned(
            {
                "userId": user_id,
                "totalBytes": counted.total_bytes,
                "fileCount": counted.file_count,
                "updatedAt": zulu_form(),
            }
        )
        condition = unchanged if known != FileUsage() else unchanged | F("totalBytes").does_not_exist()
        return await self._table.update_if(_quota_key(user_id), change, condition=condition)

    async def ready_files(
        self, user_id: str, *, ascending: bool = False, after: Key | None = None, limit: int | None = None
    ) -> Result[list[FileRecord], ErrorDetail]:
        """By age, the newest first unless `ascending`; those after the place `after`, and no more than `limit`. All
        pages are read that this takes."""
        query = Query(
            HashKey("PK", f"USER#{user_id}") & RangeKey("SK").begins_with(_PREFIX),
            ascending=ascending,
            limit=None if limit is None else max(limit, 100),
            consistent=True,
            filter=~_NOT_READY,
        )
        found: list[FileRecord] = []
        async for page in self._pages(query, after):
            match page:
                case Success(files):
                    found += files
                case Failure(error):
                    return Failure(error)
            if limit is not None and len(found) >= limit:
                return Success(found[:limit])
        return Success(found)

    async def session_files(
        self, user_id: str, session_id: str, *, only_ready: bool = False
    ) -> Result[list[FileRecord], ErrorDetail]:
        """This user's files only, newest first: the index holds those of everybody who used the same session id."""
        own = F("PK").equals(f"USER#{user_id}")
        query = Query(
            HashKey("GSI1PK", f"CONV#{session_id}"),
            index="SessionIndex",
            ascending=False,
            filter=own & ~_NOT_READY if only_ready else own,
        )
        pages = collect([page async for page in self._pages(query, None)])
        return pages.map(lambda some: [file for files in some for file in files])

    async def _change_pending(self, file: FileRecord, change: UpdateExpression) -> Result[bool, ErrorDetail]:
        done = await self._table.update_if(_file_key(file.user_id, file.upload_id), change, condition=_PENDING)
        return done.alt(lambda error: _busy(error) if is_contended(error) else error)

    async def _pages(self, query: Query, start: Key | None) -> AsyncIterator[Result[list[FileRecord], ErrorDetail]]:
        while True:
            page = await self._table.query_page(query, start)
            yield page.bind(lambda found: collect(self._read(item) for item in found.items))
            start = page.map(lambda found: found.next_key).value_or(None)
            if start is None:
                return

    def _read(self, item: Item) -> Result[FileRecord, ErrorDetail]:
        return parse_as(FileRecord, {**item, "s3Bucket": item.get("s3Bucket") or self._default_bucket})

    def _counting(self, user_id: str, size: int, files: int, *, condition: Condition | None = None) -> Update:
        change: UpdateExpression = added({"totalBytes": size, "fileCount": files}) & assigned(
            {"userId": user_id, "updatedAt": zulu_form()}
        )
        return Update(self._table.name, _quota_key(user_id), change, condition)


def _file_key(user_id: str, upload_id: str) -> dict[str, str]:
    return {"PK": f"USER#{user_id}", "SK": f"{_PREFIX}{upload_id}"}


def _quota_key(user_id: str) -> dict[str, str]:
    return {"PK": f"USER#{user_id}", "SK": "QUOTA"}


def _busy(error: ErrorDetail) -> ErrorDetail:
    """No lost condition: the same write may succeed later."""
    return service_unavailable(error.cause, reason="transactions on the same records")


async def _written(operations: Sequence[Operation]) -> Result[int | None, ErrorDetail]:
    """None when all were done, else the first whose condition did not hold. A user's files share the record that
    counts them: transactions that meet there are tried again, and at last the store is too busy."""
    for pause in (*PAUSES, None):
        done = await transact(operations)
        match done:
            case Failure(error) if is_contended(error):
                if pause is None:
                    return Failure(_busy(error))
                await asyncio.sleep(random.random() * pause)  # noqa: S311 - jitter, no secret
            case Failure(error):
                lost = lost_operation(error)
                return Failure(error) if lost is None else Success(lost)
            case _:
                break
    return Success(None)


@once
def get_file_repository() -> FileRepository:
    storage = settings(StorageSettings)
    return FileRepository(Table(storage.dynamodb_user_files_table_name), storage.s3_user_files_bucket_name)
