"""The messages of a conversation: one store, AgentCore Memory or local files behind it."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Protocol

from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt
from apis.shared.sessions.models import Message, StoredMessage, utc_now
from apis.shared.settings import MemorySettings, StorageSettings, settings


class MessageStore(Protocol):
    async def read(self, user_id: str, session_id: str) -> Result[list[StoredMessage], ErrorDetail]:
        """All messages, oldest first; an unknown session is empty. A message that cannot be read is
        `internal_error`: leaving it out would shift the index of all that follow."""
        ...

    async def append(
        self, user_id: str, session_id: str, message: Message, *, begins: bool = False
    ) -> Result[None, ErrorDetail]:
        """Store a complete message after all others. `begins`: it is the first of its conversation."""
        ...

    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        """Delete what is stored of the conversation; how many entries there were."""
        ...


def encode_entry(message: Message, message_id: int) -> dict[str, Any]:
    """The stored form; bytes become `{"__bytes_encoded__": true, "data": base64}`, blank text is left out."""
    now = utc_now()
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


@cache
def get_message_store() -> Result[MessageStore, ErrorDetail]:
    """Fails with `internal_error` when the variables contradict each other."""
    from apis.shared.sessions.local_messages import LocalMessages  # noqa: PLC0415 - each store knows this module
    from apis.shared.sessions.memory_messages import MemoryMessages  # noqa: PLC0415 - as above

    memory = settings(MemorySettings)
    match memory.agentcore_memory_type:
        case "file":
            return Success(LocalMessages(settings(StorageSettings).sessions_dir))
        case "dynamodb" if memory.agentcore_memory_id is not None:
            return Success(MemoryMessages.of(memory.agentcore_memory_id))
        case _:
            text = "The configuration of the message store is not valid."
            error = ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message=text, detail=text)
            return Failure(error.caused_by(None, variables="AGENTCORE_MEMORY_TYPE, AGENTCORE_MEMORY_ID"))
