"""What is left of the older part of a long conversation: where it is cut, what stands for it, and which content of
tools is shortened. Nothing here changes what is stored."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.characters import whole_text
from apis.shared.sessions.models import MAX_SUMMARY, ContentBlock, Message

MAX_QUESTIONS = 10
MAX_QUESTION = 100

_HEADING = "What the user asked earlier in this conversation:"
_WRAPPER = re.compile(r"<(?=\s*/?\s*conversation_summary)", re.IGNORECASE)
# An assistant's passages stand in front of the question: headings, a line of hyphens, a label.
_PASSAGES = re.compile(r"\A.*?^\[Context \d+\]$.*?^---\n[^\n:]*: ?", re.DOTALL | re.MULTILINE)


def is_tool_result(message: Mapping[str, Any]) -> bool:
    return any("toolResult" in block for block in message["content"])


def is_turn_start(message: Mapping[str, Any]) -> bool:
    """Something that a user said, also beside nothing but notices."""
    return message["role"] == "user" and not is_tool_result(message)


def turn_starts(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    return [position for position, message in enumerate(messages) if is_turn_start(message)]


def next_checkpoint(messages: Sequence[Mapping[str, Any]], *, protected_turns: int) -> int | None:
    """Where the last turns begin that are kept as they are; None while there are no others."""
    starts = turn_starts(messages)
    return starts[-protected_turns] if len(starts) > protected_turns else None


# --- in the place of what was cut ---


def wrapped_summary(summary: str) -> str:
    """As the model gets it, in front of the first message that it is shown."""
    kept = _WRAPPER.sub("&lt;", summary[:MAX_SUMMARY])
    return (
        "<conversation_summary>\nThis is a summary of the conversation so far. Go on with it in mind.\n\n"
        f"{kept}\n</conversation_summary>"
    )


def joined(summaries: Sequence[str], *, room: int = MAX_SUMMARY) -> str:
    """Summaries from the oldest to the newest; the oldest leave first where there is no room for all."""
    kept: list[str] = []
    for text in reversed([one.strip() for one in summaries if one.strip()]):
        taken = text[:room]
        if not taken or (kept and len(taken) < len(text)):
            break
        kept.append(taken)
        room -= len(taken) + 2
    return whole_text("\n\n".join(reversed(kept)))


def list_of_questions(messages: Sequence[Message]) -> str | None:
    """The first lines of the user's last questions; None where none of them says anything."""
    said = [line for message in messages if is_turn_start(message) if (line := _first_line(message)) is not None]
    if not said:
        return None
    return "\n".join([_HEADING, *(f"- {line}" for line in said[-MAX_QUESTIONS:])])


def _first_line(message: Message) -> str | None:
    text = next((str(block["text"]) for block in message["content"] if "text" in block), "")
    question = _PASSAGES.sub("", text, count=1)
    lines = (line.strip() for line in question.splitlines())
    usable = next((line for line in lines if line and not line.startswith("<")), None)
    return None if usable is None else whole_text(usable[:MAX_QUESTION]) or None


# --- the content of tools ---


@dataclass(frozen=True, slots=True)
class Shortening:
    """Shortens what is older than the last `protected_turns` turns (at least 1) to `max_length` characters each."""

    protected_turns: int
    max_length: int

    def of(self, messages: Sequence[Message]) -> list[Message]:
        starts = turn_starts(messages)
        end = starts[-self.protected_turns :][0] if starts else len(messages)
        return [*(self._message(message) for message in messages[:end]), *messages[end:]]

    def _message(self, message: Message) -> Message:
        return {"role": message["role"], "content": [self._block(block) for block in message["content"]]}

    def _block(self, block: ContentBlock) -> ContentBlock:
        match block:
            case {"toolUse": {"input": given} as use}:
                return {**block, "toolUse": {**use, "input": self._input(given)}}
            case {"toolResult": {"content": list(items)} as result}:
                return {**block, "toolResult": {**result, "content": list(self._items(items))}}
        return _without_file(block)

    def _input(self, given: Any) -> Any:
        """An object, whatever it was: nothing else is legal there."""
        text = given if isinstance(given, str) else _json(given)
        return {"_truncated": self._cut(text)} if len(text) > self.max_length else given

    def _items(self, items: Sequence[ContentBlock]) -> Iterator[ContentBlock]:
        """All texts of a result count together."""
        texts = [item["text"] for item in items if isinstance(item.get("text"), str)]
        is_long = sum(map(len, texts)) > self.max_length
        whole: str | None = "\n".join(texts)
        for item in items:
            if "json" in item:
                text = _json(item["json"])
                yield {"text": self._cut(text)} if len(text) > self.max_length else item
            elif is_long and isinstance(item.get("text"), str):
                if whole is not None:
                    yield {"text": self._cut(whole)}
                whole = None
            else:
                yield _without_file(item)

    def _cut(self, text: str) -> str:
        return f"{text[: self.max_length]}\n... [truncated, {len(text) - self.max_length} chars removed]"


def _without_file(block: ContentBlock) -> ContentBlock:
    match block:
        case {"image": Mapping() as image}:
            size = len((image.get("source") or {}).get("bytes") or b"")
            return {"text": f"[Image placeholder: format={image.get('format')}, original_size={size} bytes]"}
        case {"document": Mapping() as document}:
            name, kind = document.get("name"), document.get("format")
            return {"text": f"[Document placeholder: format={kind}, name={name}]"}
    return block


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
