"""The user's message and files as content blocks."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.files import DOCUMENT_FORMATS, attachment_marker
from agents.legal import UnusedNames, document_name
from apis.shared.errors import ErrorDetail, validation_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect
from apis.shared.sessions.models import ContentBlock

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_IMAGE_FORMATS = (("png", "png"), ("jpeg", "jpeg"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp"))


class EncodedFile(Protocol):
    """A file as a request carries it; `data` is standard base64."""

    @property
    def filename(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def data(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AttachedFile:
    filename: str
    content_type: str
    data: bytes


def decode_files(files: Sequence[EncodedFile]) -> Result[list[AttachedFile], ErrorDetail]:
    """`validation_error` naming the file for base64 that is not strict, for what is neither image nor document, and for
    what is empty."""
    return collect(_decode(file) for file in files)


def build_prompt(message: str, files: Sequence[AttachedFile]) -> list[ContentBlock]:
    """The text with the attachment marker that clients parse, then one block per file in order."""
    blocks: list[ContentBlock] = [{"text": message + attachment_marker([file.filename for file in files])}]
    names = UnusedNames()
    for file in files:
        image = _image_format(file.filename, file.content_type)
        if image is not None:
            blocks.append({"image": {"format": image, "source": {"bytes": file.data}}})
        else:
            name = names.take(document_name(file.filename))
            document = {"format": _document_format(file.filename), "name": name, "source": {"bytes": file.data}}
            blocks.append({"document": document})
    return blocks


def _decode(file: EncodedFile) -> Result[AttachedFile, ErrorDetail]:
    unreadable = validation_error(f"The file {file.filename} is not valid base64.", field="body.files")
    if _image_format(file.filename, file.content_type) is None and _document_format(file.filename) is None:
        return Failure(
            validation_error(f"The file {file.filename} is neither an image nor a document.", field="body.files")
        )
    errors = ErrorTable.of((binascii.Error, lambda _: unreadable), (ValueError, lambda _: unreadable))
    decoded = attempt(_strict_base64, file.data, errors=errors)
    return decoded.map(lambda data: AttachedFile(file.filename, file.content_type, data)).bind(not_empty)


def not_empty(file: AttachedFile) -> Result[AttachedFile, ErrorDetail]:
    """No model takes a file of no bytes, and a conversation that holds one would be refused for ever."""
    if file.data:
        return Success(file)
    return Failure(validation_error(f"The file {file.filename} is empty.", field="body.files"))


def _strict_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _image_format(filename: str, content_type: str) -> str | None:
    name, kind = filename.lower(), content_type.lower()
    if not kind.startswith("image/") and not name.endswith(_IMAGE_SUFFIXES):
        return None
    return next((fmt for word, fmt in _IMAGE_FORMATS if word in kind or name.endswith(f".{word}")), "png")


def _document_format(filename: str) -> str | None:
    suffix = filename.lower().rpartition(".")[2] if "." in filename else ""
    return suffix if suffix in DOCUMENT_FORMATS else None
