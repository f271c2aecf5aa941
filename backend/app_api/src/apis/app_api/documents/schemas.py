"""The wire models of documents. Responses are camelCase; requests take both spellings."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from apis.shared.documents.models import DocumentStatus, NewDocument
from apis.shared.http import Wire
from apis.shared.http.bounds import Integer, ShortText

_LONGEST_NAME = 255
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


def _named(filename: str) -> str:
    if not 1 <= len(filename) <= _LONGEST_NAME:
        msg = f"a file name has 1 to {_LONGEST_NAME} characters"
        raise ValueError(msg)
    return filename


def _header_value(content_type: str) -> str:
    # It becomes the value of a header that is signed.
    if not _PRINTABLE.fullmatch(content_type):
        msg = "a content type has printable ASCII characters only"
        raise ValueError(msg)
    return content_type


def _not_negative(size: int) -> int:
    if size < 0:
        msg = "a size is not negative"
        raise ValueError(msg)
    return size


class CreateDocumentRequest(Wire):
    """A file that is to be uploaded."""

    filename: Annotated[
        ShortText, AfterValidator(_named), Field(description="Its name, which stays as it is.", examples=["fees.pdf"])
    ]
    content_type: Annotated[
        ShortText,
        AfterValidator(_header_value),
        Field(description="What the upload will say of its type.", examples=["application/pdf"]),
    ]
    size_bytes: Annotated[Integer, AfterValidator(_not_negative), Field(description="Informs only.", examples=[1024])]

    def to_document(self) -> NewDocument:
        return NewDocument(self.filename, self.content_type, self.size_bytes)


class UploadUrlResponse(Wire):
    """Where to put the bytes of a new document."""

    document_id: Annotated[str, Field(description="Our id of it.", examples=["DOC-0123456789ab"])]
    upload_url: Annotated[
        str, Field(description="For one PUT with the `Content-Type` of the request, and no further header.")
    ]
    expires_in: Annotated[int, Field(description="Seconds.")]


class DocumentResponse(Wire):
    """One document. Members without a value are null."""

    document_id: Annotated[str, Field(description="Our id of it.")]
    assistant_id: Annotated[str, Field(description="The assistant that it belongs to.")]
    filename: Annotated[str, Field(description="As it was uploaded.")]
    content_type: Annotated[str, Field(description="As it was uploaded.")]
    size_bytes: Annotated[int, Field(description="As it was announced.")]
    status: Annotated[DocumentStatus, Field(description="Only of a `complete` one do answers know.")]
    error_message: Annotated[str | None, Field(description="Why it failed, as a sentence for the user.")] = None
    # Ingestion writes its stack trace there, which is nobody's business.
    error_details: Annotated[str | None, Field(description="Always null.")] = None
    chunk_count: Annotated[int | None, Field(description="In how many parts it is searched; grows at first.")] = None
    created_at: Annotated[str, Field(description="UTC, ISO 8601.")]
    updated_at: Annotated[str, Field(description="UTC, ISO 8601.")]


class DocumentsListResponse(Wire):
    """The documents of an assistant."""

    documents: Annotated[list[DocumentResponse], Field(description="By id, which is no order of time.")]
    next_token: Annotated[str | None, Field(description="For the next page; null on the last one.")] = None


class DownloadUrlResponse(Wire):
    """Where to get the bytes of a document."""

    download_url: Annotated[str, Field(description="For one GET, for instance in a new tab.")]
    filename: Annotated[str, Field(description="As it was uploaded.")]
    expires_in: Annotated[int, Field(description="Seconds.")]
