"""The wire models of uploaded files. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from apis.shared.files.models import FilePage, FileUsage
from apis.shared.files.service import Upload, WantedFile
from apis.shared.http import Wire
from apis.shared.http.bounds import Integer, KeyId, ShortText

_MOMENT = "UTC, ISO 8601."


class PresignRequest(Wire):
    """A file that is to be uploaded."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"sessionId": "s1", "filename": "Report.pdf", "mimeType": "application/pdf", "sizeBytes": 48_213}
            ]
        }
    )

    session_id: Annotated[KeyId, Field(description="A label: files can be listed and are deleted by it.")]
    filename: Annotated[str, Field(min_length=1, max_length=255, description="Kept as it is, character by character.")]
    mime_type: Annotated[
        ShortText, Field(description="One of the supported types, exactly. The upload has to send the same.")
    ]
    size_bytes: Annotated[Integer, Field(gt=0, description="What counts in the end is what was uploaded.")]

    def wanted(self) -> WantedFile:
        return WantedFile(self.session_id, self.filename, self.mime_type, self.size_bytes)


class PresignResponse(Wire):
    """Where to upload the file."""

    upload_id: Annotated[str, Field(description="Names the file from now on.")]
    presigned_url: Annotated[
        str, Field(description="PUT the bytes there, with the `Content-Type` of the request and no other header of S3.")
    ]
    expires_at: Annotated[str, Field(description=f"After that the address is refused. {_MOMENT}")]

    @classmethod
    def of_upload(cls, upload: Upload) -> Self:
        expires_at = upload.url.expires_at.isoformat().replace("+00:00", "Z")
        return cls(upload_id=upload.upload_id, presigned_url=upload.url.url, expires_at=expires_at)


class CompleteUploadResponse(Wire):
    """A file that is ready."""

    upload_id: Annotated[str, Field(description="The id of the request.")]
    status: Annotated[str, Field(description="Always `ready`.")]
    s3_uri: Annotated[str, Field(description="Where it is stored.")]
    filename: Annotated[str, Field(description="As it was given.")]
    size_bytes: Annotated[int, Field(description="What was uploaded, and what counts.")]


class FileResponse(Wire):
    """One file."""

    upload_id: Annotated[str, Field(description="For attaching and deleting it.")]
    filename: Annotated[str, Field(description="As it was given.")]
    mime_type: Annotated[str, Field(description="As it was given.")]
    size_bytes: Annotated[int, Field(description="What was uploaded.")]
    session_id: Annotated[str, Field(description="The session that it was uploaded in.")]
    s3_uri: Annotated[str, Field(description="Where it is stored.")]
    status: Annotated[str, Field(description="Always `ready`.")]
    created_at: Annotated[str, Field(description=f"When its upload was begun. {_MOMENT}")]


class FileListResponse(Wire):
    """One page of files."""

    files: Annotated[list[FileResponse], Field(description="In the order that was asked for.")]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")] = None
    total_count: Annotated[int | None, Field(description="Of the session; null without `sessionId`.")] = None

    @classmethod
    def of_page(cls, page: FilePage) -> Self:
        files = [FileResponse.of(file) for file in page.files]
        return cls(files=files, next_cursor=page.cursor, total_count=page.total)


class QuotaResponse(Wire):
    """What the caller's files take up."""

    used_bytes: Annotated[int, Field(description="By ready files.")]
    max_bytes: Annotated[int, Field(description="What they may take up together.")]
    file_count: Annotated[int, Field(description="Ready files.")]

    @classmethod
    def of_usage(cls, usage: FileUsage, allowed: int) -> Self:
        return cls(used_bytes=usage.total_bytes, max_bytes=allowed, file_count=usage.file_count)
