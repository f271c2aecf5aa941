"""Stored messages as clients see them."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from apis.app_api.sessions.schemas import Citation, MessageContent, MessageResponse
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.sessions.models import ContentBlock, StoredMessage

_CORRUPT = internal_error(None, entity="Message")
_UNREADABLE = ErrorTable.of(
    (AttributeError, lambda _: _CORRUPT), (TypeError, lambda _: _CORRUPT), (ValidationError, lambda _: _CORRUPT)
)
_MEDIA_DEFAULTS = {"image": {"format": "png"}, "document": {"format": "txt", "name": "document"}}


@railway
def message_response(
    session_id: str, index: int, stored: StoredMessage, cost: Mapping[str, Any] | None
) -> Result[MessageResponse, ErrorDetail]:
    """`cost` is the body of the message's cost record. Fails with `internal_error` for a content block or a citation
    that is none."""
    is_costed = cost is not None and stored.message["role"] == "assistant"
    body = cost if cost is not None and is_costed else {}
    citations = _citations(body.get("citations")).unwrap()
    blocks = collect(attempt(_shown, block, errors=_UNREADABLE) for block in stored.message["content"])
    content = [block for block in blocks.alt(ErrorDetail.without_cause).unwrap() if block is not None]
    return Success(
        MessageResponse(
            id=f"msg-{session_id}-{index}",
            role=stored.message["role"],
            content=content,
            created_at=stored.created_at,
            metadata=_metadata(body) if is_costed else None,
            citations=citations or None,
        )
    )


def _shown(block: ContentBlock) -> MessageContent | None:
    """None for what steers a prompt cache and is no content."""
    return None if "cachePoint" in block else content_block(block)


def content_block(block: ContentBlock) -> MessageContent:  # noqa: PLR0911 - one kind, one return
    """The stored key decides, first match wins; an unknown block is shown as its JSON."""
    if "text" in block:
        return MessageContent(type="text", text=block["text"])
    if "toolUse" in block:
        return MessageContent(type="toolUse", tool_use=_json(block["toolUse"]))
    if "toolResult" in block:
        return MessageContent(type="toolResult", tool_result=_tool_result(block["toolResult"]))
    if "image" in block:
        return MessageContent(type="image", image=_media("image", block["image"]))
    if "document" in block:
        return MessageContent(type="document", document=_media("document", block["document"]))
    if "reasoningContent" in block:
        return MessageContent(type="reasoningContent", reasoning_content=_json(block["reasoningContent"]))
    return MessageContent(type="text", text=json.dumps(_json(block), ensure_ascii=False))


def _tool_result(result: Mapping[str, Any]) -> dict[str, Any]:
    content = [
        {kind: _media(kind, item[kind]) if kind in _MEDIA_DEFAULTS else _json(item[kind]) for kind in item}
        for item in result.get("content", ())
    ]
    return {**{name: _json(value) for name, value in result.items()}, "content": content}


def _media(kind: str, media: Mapping[str, Any]) -> dict[str, Any]:
    source = media.get("source")
    if not isinstance(source, Mapping) or "bytes" not in source:
        return dict(_json(media))
    shown = {name: value for name, value in media.items() if name != "source"}
    return {**_MEDIA_DEFAULTS[kind], **_json(shown), "data": _json(source["bytes"])}


def _json(value: Any) -> Any:
    """Bytes become base64 text, everything else stays, nulls included."""
    match value:
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {name: _json(member) for name, member in value.items()}
        case list() | tuple():
            return [_json(member) for member in value]
        case _:
            return value


def _metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """Members without a value are left out; those that are maps are sent as they are."""
    return {name: value for name, value in body.items() if name != "citations" and value is not None}


def _citations(stored: Any) -> Result[list[Citation], ErrorDetail]:
    if stored is None:
        return Success([])
    if not isinstance(stored, list) or not all(isinstance(citation, Mapping) for citation in stored):
        return Failure(internal_error(None, entity="Citation"))
    names = ("assistantId", "documentId", "fileName", "text")
    return Success(
        [Citation.model_validate({name: str(citation.get(name) or "") for name in names}) for citation in stored]
    )
