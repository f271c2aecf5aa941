"""Uploads: from a signed address to a file that counts, lists of files, and their end.

A file is `pending` from the signed address on, `ready` once its object was found, and `failed`, for good, when there
was none or one that is not accepted. Only `ready` files are listed, read and counted. Every step can be repeated.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apis.shared.aws.s3 import Bucket, PresignedUrl, StoredObject
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request, conflict, internal_error, not_found
from apis.shared.files.listing import DEFAULT_PAGE, ListedBy, page_of, sorted_files
from apis.shared.files.models import MIME_TYPES, FilePage, FileRecord, FileStatus, FileUsage, new_upload_id, object_key
from apis.shared.files.repository import Completion, FileRepository, get_file_repository
from apis.shared.moments import zulu_form
from apis.shared.page_tokens import decode_key_cursor
from apis.shared.result import Failure, Result, Success, all_done, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

URL_LIFETIME = timedelta(seconds=900)
# What was read may change before it is written; more often than that is no coincidence.
_LOOKS = 5
_NEW_IDS = 2
_ID_SHOWN = 100

EMPTY_FILE = bad_request("The file is empty.")
# Of the threads that speak to S3 one job takes no more: requests need the others.
_DELETED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class WantedFile:
    """What a client says of a file that it wants to upload."""

    session_id: str
    filename: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    upload_id: str
    url: PresignedUrl


class FileService:
    """`max_bytes` of one file, `quota_bytes` of all ready files of a user; new objects go to `bucket`."""

    def __init__(self, files: FileRepository, *, bucket: str, max_bytes: int, quota_bytes: int) -> None:
        self._files = files
        self._bucket = bucket
        self._max_bytes = max_bytes
        self._quota_bytes = quota_bytes

    @property
    def quota_bytes(self) -> int:
        return self._quota_bytes

    @railway
    async def presign(self, user_id: str, wanted: WantedFile) -> Result[Upload, ErrorDetail]:
        """An address to upload one file to. Fails with `bad_request` for a kind or size that is not accepted, with
        `quota_exceeded` when there is no room for it."""
        if wanted.mime_type not in MIME_TYPES:
            return Failure(unsupported_type(wanted.mime_type))
        if wanted.size_bytes > self._max_bytes:
            return Failure(over_size(self._max_bytes))
        usage = (await self.usage(user_id)).unwrap()
        if usage.total_bytes + wanted.size_bytes > self._quota_bytes:
            return Failure(over_quota(usage.total_bytes, self._quota_bytes, wanted.size_bytes))
        for _ in range(_NEW_IDS):
            upload = (await self._reserve(user_id, wanted)).unwrap()
            if upload is not None:
                return Success(upload)
        return Failure(internal_error(None, reason="new upload ids exist already"))

    @railway
    async def complete(self, user_id: str, upload_id: str) -> Result[FileRecord, ErrorDetail]:
        """The file, ready. Fails with `not_found` without a record or an object, with `conflict` when it is not
        pending, with `bad_request` and `quota_exceeded` for an object that is not accepted; a file whose object is
        missing or not accepted has failed for good, and the object is deleted."""
        file = (await self._get(user_id, upload_id)).unwrap()
        if file.status != "pending":
            return Failure(not_pending(upload_id, file.status))
        stored = (await Bucket(file.s3_bucket).head(file.s3_key)).unwrap()
        if stored is None:
            return await self._give_up(file, file_not_found(upload_id))
        unacceptable = self._unacceptable(stored)
        if unacceptable is not None:
            return await self._refuse(file, unacceptable)
        return await self._go_on_refusing(file, stored.size) if file.refused else await self._make_ready(file, stored)

    @railway
    async def list_files(self, user_id: str, by: ListedBy) -> Result[FilePage, ErrorDetail]:
        """Ready files. Fails with `bad_request` for a cursor that names no file of the caller's."""
        after = None
        if by.cursor is not None:
            after = decode_key_cursor(by.cursor, partition=f"USER#{user_id}", prefix="FILE#").unwrap()
        if by.session_id is not None:
            found = (await self._files.session_files(user_id, by.session_id, only_ready=True)).unwrap()
            return Success(page_of(sorted_files(found, by), by, after=after, limit=by.limit, total=len(found)))
        limit = by.limit or DEFAULT_PAGE
        if by.sort_by != "date":
            found = (await self._files.ready_files(user_id)).unwrap()
            return Success(page_of(sorted_files(found, by), by, after=after, limit=limit))
        ascending = by.sort_order == "asc"
        some = (await self._files.ready_files(user_id, ascending=ascending, after=after, limit=limit + 1)).unwrap()
        return Success(page_of(some, by, limit=limit))

    @railway
    async def delete(self, user_id: str, upload_id: str) -> Result[None, ErrorDetail]:
        """The object, then the record with its share of the quota: what fails can be repeated. `not_found` without a
        record, also when another call has just deleted it."""
        file = (await self._get(user_id, upload_id)).unwrap()
        return await self._delete(file)

    async def usage(self, user_id: str) -> Result[FileUsage, ErrorDetail]:
        return (await self._files.usage(user_id)).map(lambda usage: FileUsage.of(usage.total_bytes, usage.file_count))

    @railway
    async def delete_session_files(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        """Delete this user's files of a session, whatever their status; how many. All are attempted, and one that
        cannot be deleted keeps its record, so that a repeat finds it. A Failure names the upload ids of those."""
        files = (await self._files.session_files(user_id, session_id)).unwrap()
        free = asyncio.Semaphore(_DELETED_AT_ONCE)

        async def delete(file: FileRecord) -> Result[None, ErrorDetail]:
            async with free:
                return _unless_gone(await self._delete(file))

        outcomes = await asyncio.gather(*(delete(file) for file in files))
        failed = [file.upload_id for file, outcome in zip(files, outcomes, strict=True) if isinstance(outcome, Failure)]
        return (
            all_done(outcomes, what="files of a deleted session")
            .map(lambda _: len(files))
            .alt(lambda error: error.caused_by(None, failed=f"{len(failed)} of {len(files)}: {' '.join(failed)}"))
        )

    @railway
    async def recount(self, user_id: str) -> Result[tuple[FileUsage, FileUsage], ErrorDetail]:
        """What was counted before, and what the user's ready files take up: that is counted from now on. For operators;
        records that expired were never subtracted. `conflict` when the user's files change all the time."""
        for _ in range(_LOOKS):
            known = (await self._files.usage(user_id, consistent=True)).unwrap()
            # Read after the counter: whatever becomes ready or goes meanwhile changes the counter too.
            files = (await self._files.ready_files(user_id)).unwrap()
            counted = FileUsage(sum(file.size_bytes for file in files), len(files))
            if (await self._files.correct_usage(user_id, known, counted)).unwrap():
                return Success((known, counted))
        return Failure(conflict("The user's files are changing. Please try again."))

    @railway
    async def _get(self, user_id: str, upload_id: str) -> Result[FileRecord, ErrorDetail]:
        file = (await self._files.find(user_id, upload_id)).unwrap()
        return Failure(file_not_found(upload_id)) if file is None else Success(file)

    @railway
    async def _reserve(self, user_id: str, wanted: WantedFile) -> Result[Upload | None, ErrorDetail]:
        """None when the new id exists already. Signed first: what cannot be signed leaves no record."""
        now = datetime.now(UTC)
        upload_id = new_upload_id(now)
        key = object_key(user_id, wanted.session_id, upload_id, wanted.filename)
        signed = await Bucket(self._bucket).presigned_put(key, wanted.mime_type, URL_LIFETIME)
        url = signed.unwrap()
        file = FileRecord(
            upload_id=upload_id,
            user_id=user_id,
            session_id=wanted.session_id,
            filename=wanted.filename,
            mime_type=wanted.mime_type,
            size_bytes=wanted.size_bytes,
            s3_key=key,
            s3_bucket=self._bucket,
            status="pending",
            created_at=zulu_form(now),
            updated_at=zulu_form(now),
        )
        is_new = (await self._files.add(file, now)).unwrap()
        return Success(Upload(upload_id, url) if is_new else None)

    def _unacceptable(self, stored: StoredObject) -> ErrorDetail | None:
        if stored.size == 0:
            return EMPTY_FILE
        return over_size(self._max_bytes) if stored.size > self._max_bytes else None

    @railway
    async def _make_ready(self, file: FileRecord, stored: StoredObject) -> Result[FileRecord, ErrorDetail]:
        match (await self._files.make_ready(file, stored, quota=self._quota_bytes)).unwrap():
            case Completion.READY:
                ready = {"status": "ready", "size_bytes": stored.size, "etag": stored.etag}
                return Success(file.model_copy(update=ready))
            case Completion.CHANGED:
                return await self._overtaken(file)
            case Completion.OVER_QUOTA:
                usage = (await self.usage(file.user_id)).unwrap()
                return await self._refuse(file, over_quota(usage.total_bytes, self._quota_bytes, stored.size))

    @railway
    async def _refuse(self, file: FileRecord, error: ErrorDetail) -> Result[FileRecord, ErrorDetail]:
        """`error`, once the object that is not accepted is gone and the file has failed. Another call, which finds
        the object replaced or room made for it, cannot make the file ready meanwhile."""
        if not (await self._files.refuse(file)).unwrap():
            return await self._overtaken(file)
        (await Bucket(file.s3_bucket).delete(file.s3_key)).unwrap()
        return await self._give_up(file, error)

    @railway
    async def _go_on_refusing(self, file: FileRecord, size: int) -> Result[FileRecord, ErrorDetail]:
        """Do what the call that refused it has not come to. Where there is room by now, the object counts as gone."""
        usage = (await self.usage(file.user_id)).unwrap()
        is_over = usage.total_bytes + size > self._quota_bytes
        no_room = over_quota(usage.total_bytes, self._quota_bytes, size)
        return await self._refuse(file, no_room if is_over else file_not_found(file.upload_id))

    @railway
    async def _give_up(self, file: FileRecord, error: ErrorDetail) -> Result[FileRecord, ErrorDetail]:
        """`error`, once the file has failed."""
        has_failed = (await self._files.mark_failed(file)).unwrap()
        return Failure(error) if has_failed else await self._overtaken(file)

    @railway
    async def _overtaken(self, file: FileRecord) -> Result[FileRecord, ErrorDetail]:
        """What another call has made of the file meanwhile."""
        now = (await self._get(file.user_id, file.upload_id)).unwrap()
        if now.status == "pending" and now.refused:
            return await self._go_on_refusing(now, now.size_bytes)
        return Failure(not_pending(now.upload_id, now.status))

    @railway
    async def _delete(self, file: FileRecord) -> Result[None, ErrorDetail]:
        for _ in range(_LOOKS):
            (await Bucket(file.s3_bucket).delete(file.s3_key)).unwrap()
            if (await self._files.remove(file)).unwrap():
                return Success(None)
            # It was completed, has failed or was deleted meanwhile.
            file = (await self._get(file.user_id, file.upload_id)).unwrap()
        return Failure(conflict("The file is changing. Please try again."))


def file_not_found(upload_id: str) -> ErrorDetail:
    return not_found(f"File not found: {upload_id[:_ID_SHOWN]}")


def not_pending(upload_id: str, status: FileStatus) -> ErrorDetail:
    return conflict(f"The upload {upload_id} cannot be finished, its status is {status}.")


def unsupported_type(mime_type: str) -> ErrorDetail:
    """Clients look for `file type`."""
    labels = ", ".join(MIME_TYPES.values())
    return bad_request(f'The file type "{mime_type}" is not supported. Supported are: {labels}.')


def over_size(max_bytes: int) -> ErrorDetail:
    """Without the words `too large`, for which clients show a text of their own with a wrong number."""
    return bad_request(f"The file exceeds the limit of {max_bytes // 1_048_576}MB.")


def over_quota(used: int, allowed: int, required: int) -> ErrorDetail:
    """The numbers stand in the metadata, and beside it for clients that look there."""
    numbers = {"currentUsage": used, "maxAllowed": allowed, "requiredSpace": required}
    return ErrorDetail(
        code=ErrorCode.QUOTA_EXCEEDED,
        message="Storage quota exceeded",
        detail=f"Your files use {used} of {allowed} bytes, and this one needs {required} more.",
        metadata=numbers,
    ).with_members(error="QUOTA_EXCEEDED", **numbers)


def _unless_gone(outcome: Result[None, ErrorDetail]) -> Result[None, ErrorDetail]:
    """Somebody else has just deleted it: there is nothing left to do."""
    return outcome.lash(lambda error: Success(None) if error.code is ErrorCode.NOT_FOUND else Failure(error))


@once
def get_file_service() -> FileService:
    storage = settings(StorageSettings)
    return FileService(
        get_file_repository(),
        bucket=storage.s3_user_files_bucket_name,
        max_bytes=storage.file_upload_max_size_bytes,
        quota_bytes=storage.file_upload_user_quota_bytes,
    )
