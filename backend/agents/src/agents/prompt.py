"""The user's message and files as content blocks."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from apis.shared.errors import ErrorDetail, validation_error
from apis.shared.result import ErrorTable, Failure, Result, attempt, collect
from apis.shared.sessions.models import ContentBlock

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_IMAGE_FORMATS = (("png", "png"), ("jpeg", "jpeg"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp"))
_DOCUMENT_FORMATS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9\s\-()\[\]]")
_BREAKS_MARKER = re.compile(r"\]|, ")
_BLANKS = re.compile(r"\s+")


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
    """`validation_error` naming the file for base64 that is not strict, and for what is neither image nor document."""
    return collect(_decode(file) for file in files)


def build_prompt(message: str, files: Sequence[AttachedFile]) -> list[ContentBlock]:
    """The text with the attachment marker that clients parse, then one block per file in order."""
    blocks: list[ContentBlock] = [{"text": message + attachment_marker([file.filename for file in files])}]
    names: set[str] = set()
    for file in files:
        image = _image_format(file.filename, file.content_type)
        if image is not None:
            blocks.append({"image": {"format": image, "source": {"bytes": file.data}}})
        else:
            name = _unused(_document_name(file.filename), names)
            names.add(name)
            document = {"format": _document_format(file.filename), "name": name, "source": {"bytes": file.data}}
            blocks.append({"document": document})
    return blocks


def attachment_marker(names: Sequence[str]) -> str:
    """What would end the list or a name in it for a client that parses it is replaced."""
    return f"\n\n[Attached files: {', '.join(_BREAKS_MARKER.sub('_', name) for name in names)}]" if names else ""


def _decode(file: EncodedFile) -> Result[AttachedFile, ErrorDetail]:
    unreadable = validation_error(f"The file {file.filename} is not valid base64.", field="body.files")
    if _image_format(file.filename, file.content_type) is None and _document_format(file.filename) is None:
        return Failure(
            validation_error(f"The file {file.filename} is neither an image nor a document.", field="body.files")
        )
    errors = ErrorTable.of((binascii.Error, lambda _: unreadable), (ValueError, lambda _: unreadable))
    return attempt(_strict_base64, file.data, errors=errors).map(
        lambda data: AttachedFile(file.filename, file.content_type, data)
    )


def _strict_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _image_format(filename: str, content_type: str) -> str | None:
    name, kind = filename.lower(), content_type.lower()
    if not kind.startswith("image/") and not name.endswith(_IMAGE_SUFFIXES):
        return None
    return next((fmt for word, fmt in _IMAGE_FORMATS if word in kind or name.endswith(f".{word}")), "png")


def _document_format(filename: str) -> str | None:
    suffix = filename.lower().rpartition(".")[2] if "." in filename else ""
    return suffix if suffix in _DOCUMENT_FORMATS else None


def _document_name(filename: str) -> str:
    return _BLANKS.sub(" ", _NOT_IN_A_NAME.sub("_", filename)).strip() or "document"


def _unused(name: str, taken: set[str]) -> str:
    """The model service refuses two documents of one name."""
    number = 2
    candidate = name
    while candidate in taken:
        candidate = f"{name} ({number})"
        number += 1
    return candidate
