"""The files of a conversation: what they are called, which a model has refused, and which a provider can read.

A file is named by the attachment marker of its message, as its user knows it. That a model refused a file is
remembered by the error message that ended the turn, and by nothing else: it names the file in brackets, so any process
can read it from the stored conversation, and one that does not know of it reads an ordinary message.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents.config import Provider
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.models import ContentBlock, Message

type FileKind = Literal["image", "document"]

TEXT_FORMATS = frozenset({"csv", "txt", "md", "html"})
DOCUMENT_FORMATS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
# What a provider's models read as documents; what is text is given to the others as text.
NATIVE_DOCUMENTS: Mapping[Provider, frozenset[str]] = {
    "bedrock": frozenset(DOCUMENT_FORMATS),
    "openai": frozenset({"pdf"}),
    "gemini": frozenset({"pdf"}),
}

_MARKER = re.compile(r"\n\n\[Attached files: ([^\]]+)\]$")
_BREAKS_MARKER = re.compile(r"\]|, ")
_ERROR_MESSAGE = "\u26a0\ufe0f **"
_REFUSED = "The model refused these files, which are not sent again: "
_REFUSED_NAMES = re.compile(rf"^> {re.escape(_REFUSED)}\[([^\]]+)\]", re.MULTILINE)


class _Attached(Protocol):
    @property
    def filename(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NamedFile:
    """The block at `position` of its message; of a tool result the block that holds it."""

    name: str
    kind: FileKind
    position: int


def attachment_marker(names: Sequence[str]) -> str:
    """What would end the list or a name in it for a client that parses it is replaced."""
    return f"\n\n[Attached files: {', '.join(_in_brackets(name) for name in names)}]" if names else ""


def refused_files(names: Sequence[str]) -> ErrorDetail:
    """Read again by `without_refused`."""
    listed = ", ".join(dict.fromkeys(_in_brackets(name) for name in names))
    text = f"{_REFUSED}[{listed}]. Please attach another version, or go on without."
    return ErrorDetail(code=ErrorCode.MODEL_ERROR, message=text).with_recovery(recoverable=False)


def check_readable(files: Sequence[_Attached], provider: Provider) -> Result[None, ErrorDetail]:
    """Fails with `model_error` for a file that no model of this provider reads."""
    unreadable = [file.filename for file in files if not is_readable(_extension(file.filename), provider)]
    if not unreadable:
        return Success(None)
    formats = ", ".join(sorted({_extension(name).upper() for name in unreadable}))
    listed = ", ".join(_in_brackets(name) for name in unreadable)
    text = f"{formats} documents are not supported by this model: [{listed}]. Please attach a PDF or a text file."
    return Failure(ErrorDetail(code=ErrorCode.MODEL_ERROR, message=text).with_recovery(recoverable=False))


def is_readable(document_format: str, provider: Provider) -> bool:
    """Also of what is no document at all: images have their own rules."""
    readable = NATIVE_DOCUMENTS[provider] | TEXT_FORMATS
    return document_format in readable or document_format not in DOCUMENT_FORMATS


def without_refused(messages: Sequence[Message]) -> list[Message]:
    """Each file that a later error message says was refused is replaced by a sentence."""
    refused: set[str] = set()
    kept: list[Message] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            refused |= _refused_in(message)
        kept.append(_leave_out(message, refused) if refused else message)
    return kept[::-1]


def named_files(message: Mapping[str, Any]) -> list[NamedFile]:
    """The marker's names in order, then what kind it is and the how-manieth."""
    names = iter(_marked_names(message))
    found: list[NamedFile] = []
    for position, block in enumerate(message["content"]):
        for kind, inside in _file_kinds(block):
            number = len(found) + 1
            name = f"tool {kind} {number}" if inside else next(names, f"{kind} {number}")
            found.append(NamedFile(_in_brackets(name), kind, position))
    return found


def _file_kinds(block: ContentBlock) -> Iterator[tuple[FileKind, bool]]:
    if "image" in block:
        yield "image", False
    elif "document" in block:
        yield "document", False
    for item in block.get("toolResult", {}).get("content") or ():
        if "image" in item:
            yield "image", True
        elif "document" in item:
            yield "document", True


def _marked_names(message: Mapping[str, Any]) -> list[str]:
    for block in message["content"]:
        if "text" in block and (marker := _MARKER.search(str(block["text"]))):
            return marker[1].split(", ")
    return []


def _refused_in(message: Message) -> set[str]:
    """Of an error message of this system, which is one block that begins as they all do."""
    if len(message["content"]) != 1 or not str(message["content"][0].get("text", "")).startswith(_ERROR_MESSAGE):
        return set()
    found = _REFUSED_NAMES.search(message["content"][0]["text"])
    return set(found[1].split(", ")) if found else set()


def _leave_out(message: Message, refused: set[str]) -> Message:
    files = {file.position: file for file in named_files(message) if file.name in refused}
    if not files:
        return message
    content = [
        _replaced(block, files[position]) if position in files else block
        for position, block in enumerate(message["content"])
    ]
    return {"role": message["role"], "content": content}


def _replaced(block: ContentBlock, file: NamedFile) -> ContentBlock:
    sentence: ContentBlock = {"text": f"(The file {file.name} was refused by the model and is left out.)"}
    if "toolResult" not in block:
        return sentence
    kept = [item for item in block["toolResult"]["content"] if "image" not in item and "document" not in item]
    return {"toolResult": {**block["toolResult"], "content": [*kept, sentence]}}


def _in_brackets(name: str) -> str:
    """A name on one line that neither ends the brackets nor a name in them."""
    return _BREAKS_MARKER.sub("_", " ".join(name.split()))


def _extension(filename: str) -> str:
    return filename.lower().rpartition(".")[2] if "." in filename else ""


def too_large(message: Message) -> ErrorDetail:
    """The store refused the message for its size: which part of it is to blame."""
    position = max(range(len(message["content"])), key=lambda place: _size(message["content"][place]))
    file = next((one for one in named_files(message) if one.position == position), None)
    if file is not None:
        part = f"The file [{file.name}]"
    elif "toolResult" in message["content"][position]:
        part = "The result of a tool"
    else:
        part = "The message" if message["role"] == "user" else "The answer"
    text = f"{part} is too large to be stored with the conversation. Please make it smaller."
    return bad_request(text)


def _size(value: Any) -> int:
    match value:
        case bytes() | str():
            return len(value)
        case dict():
            return sum(len(str(name)) + _size(member) for name, member in value.items())
        case list():
            return sum(_size(member) for member in value)
        case _:
            return len(str(value))
