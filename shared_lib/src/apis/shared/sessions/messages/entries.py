"""The stored form of a message, in the layout of the agent framework: the same in every store."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.moments import offset_form
from apis.shared.result import ErrorTable, Result, attempt
from apis.shared.sessions.models import Message, StoredMessage


def encode_entry(message: Message, message_id: int) -> dict[str, Any]:
    """The stored form; bytes become `{"__bytes_encoded__": true, "data": base64}`, blank text is left out."""
    now = offset_form()
    content = [block for block in message["content"] if not is_blank(block)]
    return {
        "message": {"role": message["role"], "content": _encode_bytes(content)},
        "message_id": message_id,
        "redact_message": None,
        "created_at": now,
        "updated_at": now,
    }


def decode_entry(entry: Any) -> Result[StoredMessage | None, ErrorDetail]:
    """None for a message without content. A guardrail's replacement, where there is one, is the message."""
    return attempt(_decode, entry, errors=_UNREADABLE).alt(ErrorDetail.without_cause)


def parse_entry(text: str) -> Result[StoredMessage | None, ErrorDetail]:
    return attempt(json.loads, text, errors=_UNREADABLE).alt(ErrorDetail.without_cause).bind(decode_entry)


def is_blank(block: Mapping[str, Any]) -> bool:
    return "text" in block and not str(block["text"]).strip()


def _decode(entry: Any) -> StoredMessage | None:
    message = entry.get("redact_message") or entry["message"]
    content = message.get("content", [])
    blocks = [{"text": content}] if isinstance(content, str) else _decode_bytes(content)
    kept = [block for block in blocks if not is_blank(block)]
    role: Literal["user", "assistant"] = "user" if message.get("role") == "user" else "assistant"
    return StoredMessage({"role": role, "content": kept}, entry.get("created_at") or "") if kept else None


_CORRUPT = internal_error(None, entity="Message")
_UNREADABLE = ErrorTable.of(
    (ValueError, lambda _: _CORRUPT),
    (KeyError, lambda _: _CORRUPT),
    (TypeError, lambda _: _CORRUPT),
    (AttributeError, lambda _: _CORRUPT),
)


def _encode_bytes(value: Any) -> Any:
    match value:
        case bytes():
            return {"__bytes_encoded__": True, "data": base64.b64encode(value).decode("ascii")}
        case dict():
            return {name: _encode_bytes(member) for name, member in value.items()}
        case list() | tuple():
            return [_encode_bytes(member) for member in value]
        case _:
            return value


def _decode_bytes(value: Any) -> Any:
    match value:
        case {"__bytes_encoded__": True, "data": str(data)}:
            return base64.b64decode(data, validate=True)
        case dict():
            return {name: _decode_bytes(member) for name, member in value.items()}
        case list():
            return [_decode_bytes(member) for member in value]
        case _:
            return value
