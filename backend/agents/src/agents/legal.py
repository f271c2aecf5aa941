"""The one step that makes a whole request legal for the provider that it goes to.

The store keeps what was said, by whichever model, version or interrupted turn; this step decides what is sent of it.
Whatever is stored, the result begins and ends with the user, roles alternate, every tool use is followed by its result,
ids and names are such as the provider allows, no two of a kind are equal that must not be, and nothing is empty.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.characters import whole, whole_text
from agents.config import Provider
from agents.files import NATIVE_DOCUMENTS, TEXT_FORMATS, FileKind, named_files
from agents.history import MISSING_RESULT, NOTHING_SAID

NO_OUTPUT = "(No output.)"
UNREADABLE = "(The file {name} cannot be read by this model and is left out.)"
EMPTY_FILE = "(The file {name} is empty.)"
ATTACHED = "(See the attached files.)"
IMAGE_FORMATS = frozenset({"png", "jpeg", "gif", "webp"})
DOCUMENT_NAME_LENGTH = 200

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9\s\-()\[\]]")
_BLANKS = re.compile(r"\s+")
_NOT_IN_A_TOOL_NAME = re.compile(r"[^A-Za-z0-9_-]")
_NAME_LENGTH = 64
# Longer ids than the shortest limit that is known of a server of an interface are replaced.
_IDS: Mapping[Provider, re.Pattern[str]] = {
    "bedrock": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "openai": re.compile(r"[\x21-\x7e]{1,40}"),
    "gemini": re.compile(r"[\x21-\x7e]{1,64}"),
}

type Block = dict[str, Any]  # Any: one key that names the kind, as the framework has it
type Blocks = list[Block]


@dataclass(frozen=True, slots=True)
class SentFile:
    """Where in the request a file is, by message and block, and what its user knows it as."""

    name: str
    kind: FileKind
    message: int
    position: int


@dataclass(frozen=True, slots=True)
class _File:
    """Stands in for a file's block until the places in the request are known."""

    name: str
    kind: FileKind


def legalised(messages: Sequence[Mapping[str, Any]], provider: Provider) -> tuple[list[Any], list[SentFile]]:
    """The messages to send, and the files in them. `messages` are not changed."""
    converted = [_Message(message["role"], _blocks(message, provider)) for message in messages]
    paired = _paired(_merged(_from_the_first_question(converted)), provider)
    _name_documents(paired)
    return _finished(paired)


def legal_prompt(text: str) -> str | None:
    """None for a system prompt that says nothing."""
    kept = whole_text(text)
    return kept if kept.strip() else None


@dataclass(slots=True)
class _Message:
    role: str
    content: Blocks


# --- blocks ---


def _blocks(message: Mapping[str, Any], provider: Provider) -> Blocks:
    names: dict[int, list[str]] = {}
    for file in named_files(message):
        names.setdefault(file.position, []).append(file.name)
    content: Blocks = []
    for position, block in enumerate(message["content"]):
        content += _legal(block, message["role"], provider, iter(names.get(position, ())))
    return content


def _legal(block: Mapping[str, Any], role: str, provider: Provider, names: Iterator[str]) -> Iterator[Block]:
    """The block as it may be sent by this role; kinds that nobody knows are left out."""
    match block:
        case {"text": text}:
            yield from _text(text)
        case {"citationsContent": {"content": list(parts)}}:
            yield from _text("".join(str(part.get("text", "")) for part in parts))
        case {"guardContent": {"text": {"text": text}}}:
            yield from _text(text)
        case {"image": _} | {"document": _}:
            documents = NATIVE_DOCUMENTS[provider]
            yield from _file(block, next(names, "file"), documents, is_sent=role == "user")
        case {"reasoningContent": Mapping() as reasoning} if role == "assistant":
            if provider == "bedrock" or reasoning.get("reasoningText", {}).get("text"):
                yield {"reasoningContent": _whole_texts(reasoning)}
        case {"toolUse": Mapping() as use} if role == "assistant":
            given = whole(use.get("input"))
            named = {"name": _tool_name(use.get("name")), "input": given if isinstance(given, dict) else {}}
            yield {"toolUse": {**use, **named, "toolUseId": str(use.get("toolUseId"))}}
        case {"toolResult": Mapping() as result} if role == "user":
            items: Blocks = []
            for item in result.get("content") or ():
                items += _result_item(item, provider, names)
            status = "error" if result.get("status") == "error" else "success"
            kept = {"toolUseId": str(result.get("toolUseId")), "status": status, "content": items}
            yield {"toolResult": {**kept, "content": items or [{"text": NO_OUTPUT}]}}


def _text(text: object) -> Iterator[Block]:
    if isinstance(text, str) and (kept := whole_text(text)).strip():
        yield {"text": kept}


def _result_item(item: Mapping[str, Any], provider: Provider, names: Iterator[str]) -> Iterator[Block]:
    match item:
        case {"json": dict(value)}:
            yield {"json": whole(value)}
        case {"json": value}:
            # Only an object is legal there.
            yield from _text(json.dumps(whole(value), ensure_ascii=False))
        case {"text": text}:
            yield from _text(text)
        case {"image": _} | {"document": _}:
            # Only Bedrock takes a document from a tool.
            documents = NATIVE_DOCUMENTS[provider] if provider == "bedrock" else frozenset[str]()
            yield from _file(item, next(names, "file"), documents, is_sent=True)


def _file(block: Mapping[str, Any], name: str, documents: frozenset[str], *, is_sent: bool) -> Iterator[Block]:
    kind: FileKind = "image" if "image" in block else "document"
    file = block[kind]
    data = (file.get("source") or {}).get("bytes")
    if not isinstance(data, bytes):
        yield {"text": UNREADABLE.format(name=name)}
    elif not data:
        yield {"text": EMPTY_FILE.format(name=name)}
    elif kind == "image" and is_sent and file.get("format") in IMAGE_FORMATS:
        yield {"image": {"format": file["format"], "source": {"bytes": data}}, "file": _File(name, kind)}
    elif kind == "document" and is_sent and file.get("format") in documents:
        document = {"format": file["format"], "name": str(file.get("name") or name), "source": {"bytes": data}}
        yield {"document": document, "file": _File(name, kind)}
    elif kind == "document" and file.get("format") in TEXT_FORMATS:
        yield {"text": f'<document name="{name}">\n{_decoded(data)}\n</document>'}
    else:
        yield {"text": UNREADABLE.format(name=name)}


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    text = data.decode("utf-8-sig", "replace")
    return data.decode("cp1252", "replace") if "\ufffd" in text else text


def _whole_texts(reasoning: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes stay as they are."""
    return {name: whole(member) if isinstance(member, dict) else member for name, member in reasoning.items()}


def _tool_name(name: object) -> str:
    cleaned = _NOT_IN_A_TOOL_NAME.sub("_", str(name or ""))[:_NAME_LENGTH]
    return cleaned if cleaned[:1].isalpha() or cleaned[:1] == "_" else f"_{cleaned}"[:_NAME_LENGTH]


# --- messages ---


def _from_the_first_question(messages: list[_Message]) -> list[_Message]:
    for first, message in enumerate(messages):
        is_result = message.content and all("toolResult" in block for block in message.content)
        if message.role == "user" and not is_result:
            return messages[first:]
    return []


def _merged(messages: Sequence[_Message]) -> list[_Message]:
    """Two messages of one role in a row become one: a conversation that lost its ending would be refused for ever."""
    merged: list[_Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], content=[*merged[-1].content, *message.content])
        else:
            merged.append(message)
    return merged


def _paired(messages: Sequence[_Message], provider: Provider) -> list[_Message]:
    """Every tool use directly followed by its one result under an id of its own, and no result without its use."""
    ids = _Ids(_IDS[provider])
    paired: list[_Message] = []
    asked: list[tuple[str, str]] = []
    for message in messages:
        if message.role == "user":
            content = [*_answers(asked, message.content), *(one for one in message.content if "toolResult" not in one)]
            asked = []
        else:
            content, asked = ids.given(message.content)
        content = content or [{"text": NOTHING_SAID}]
        if message.role == "user" and any("document" in one for one in content) and not _has_text(content):
            content.append({"text": ATTACHED})
        paired.append(_Message(message.role, content))
    if asked:
        paired.append(_Message("user", list(_answers(asked, ()))))
    return paired


def _answers(asked: Sequence[tuple[str, str]], content: Sequence[Block]) -> Iterator[Block]:
    """One result for each (stored id, id to send), in order; of equal stored ids the first has the first result."""
    stored: dict[str, list[Block]] = {}
    for block in content:
        if "toolResult" in block:
            stored.setdefault(block["toolResult"]["toolUseId"], []).append(block["toolResult"])
    for stored_id, sent_id in asked:
        results = stored.get(stored_id)
        missing: Block = {"status": "error", "content": [{"text": MISSING_RESULT}]}
        yield {"toolResult": {**(results.pop(0) if results else missing), "toolUseId": sent_id}}


def _has_text(content: Sequence[Block]) -> bool:
    return any("text" in block for block in content)


class _Ids:
    """Ids of tool uses as they are sent: legal, and each once in the whole request."""

    def __init__(self, legal: re.Pattern[str]) -> None:
        self._legal = legal
        self._used: set[str] = set()
        self._made = 0

    def given(self, content: Sequence[Block]) -> tuple[Blocks, list[tuple[str, str]]]:
        """The content with its ids to send, and each stored id with the one to send."""
        asked: list[tuple[str, str]] = []
        sent: Blocks = []
        for block in content:
            if "toolUse" in block:
                stored_id = block["toolUse"]["toolUseId"]
                asked.append((stored_id, self._next(stored_id)))
                block = {"toolUse": {**block["toolUse"], "toolUseId": asked[-1][1]}}  # noqa: PLW2901 - its copy
            sent.append(block)
        return sent, asked

    def _next(self, stored_id: str) -> str:
        sent_id = stored_id
        while sent_id in self._used or not self._legal.fullmatch(sent_id):
            self._made += 1
            sent_id = f"call_{self._made}"
        self._used.add(sent_id)
        return sent_id


# --- the whole request ---


def document_name(text: str) -> str:
    """A name such as a document may have."""
    return _BLANKS.sub(" ", _NOT_IN_A_NAME.sub("_", text)).strip()[:DOCUMENT_NAME_LENGTH].strip() or "document"


class UnusedNames:
    """Gives each name once: equal ones get a number."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        candidate = name
        while candidate in self._next:
            number = self._next[name] = self._next[name] + 1
            suffix = f" ({number})"
            candidate = f"{name[: DOCUMENT_NAME_LENGTH - len(suffix)]}{suffix}"
        self._next[candidate] = 1
        return candidate


def _name_documents(messages: Sequence[_Message]) -> None:
    """No two documents of a request have one name, whichever messages they came with."""
    names = UnusedNames()
    for block in _file_blocks(messages):
        if "document" in block:
            document = block["document"]
            block["document"] = {**document, "name": names.take(document_name(document["name"]))}


def _file_blocks(messages: Sequence[_Message]) -> Iterator[Block]:
    for message in messages:
        for block in message.content:
            yield from (one for one in _within(block) if "file" in one)


def _within(block: Block) -> Blocks:
    """A block, or the items of a tool result."""
    items: Blocks = block.get("toolResult", {}).get("content", [block])
    return items


def _finished(messages: Sequence[_Message]) -> tuple[list[Any], list[SentFile]]:
    files = [
        SentFile(file.name, file.kind, place, position)
        for place, message in enumerate(messages)
        for position, block in enumerate(message.content)
        for item in _within(block)
        if (file := item.pop("file", None)) is not None
    ]
    return [{"role": message.role, "content": message.content} for message in messages], files
