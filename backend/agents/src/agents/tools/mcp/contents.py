"""The result of a server's tool as what a model can be given. Nothing vanishes: what is not shown is described."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from agents.characters import whole, whole_text
from agents.tools.images import MAX_BYTES, image_format, is_too_large
from agents.tools.results import Envelope
from apis.shared.errors import bad_request
from apis.shared.result import ErrorTable, attempt

MAX_CHARACTERS = 200_000
MAX_IMAGES = 20
TRUNCATED = "\n[The result was cut here: {count} characters are left out.]"
NOTHING_SAID = "The tool failed and did not say why."
EMPTY = "(The tool gave no output.)"
_ADDRESS_LENGTH = 1_000

type Block = dict[str, Any]
"""Of the framework: one key that names the kind."""

_NOT_BASE64 = ErrorTable.of(
    (ValueError, lambda _: bad_request("not base64")), (TypeError, lambda _: bad_request("no text"))
)


def envelope_of(result: Mapping[str, Any]) -> Envelope:
    """`result` is whatever a server may have answered to `tools/call`."""
    has_failed = result.get("isError") is True
    parts = result.get("content")
    blocks = [block for part in (parts if isinstance(parts, list) else []) for block in _blocks(part)]
    blocks += _structured(result.get("structuredContent"), blocks)
    kept = _few_images(_cut(blocks)) or [{"text": NOTHING_SAID if has_failed else EMPTY}]
    return {"status": "error" if has_failed else "success", "content": kept}


def _blocks(part: object) -> Iterator[Block]:
    match part:
        case {"type": "text", "text": str(text)}:
            if text.strip():
                yield {"text": whole_text(text)}
        case {"type": "image", "data": data, **rest}:
            yield _image(data, rest.get("mimeType"))
        case {"type": "audio", "data": data, **rest}:
            yield _line("audio", rest.get("mimeType"), _size(data))
        case {"type": "resource_link", **link}:
            yield _line("link", link.get("mimeType"), link.get("name"), link.get("uri"), link.get("description"))
        case {"type": "resource", "resource": Mapping() as resource}:
            yield from _resource(resource)
        case {"type": kind}:
            yield _line(f"content of kind {str(kind)[:40]}")
        case _:
            yield _line("content without a kind")


def _resource(resource: Mapping[str, Any]) -> Iterator[Block]:
    uri, kind = resource.get("uri"), resource.get("mimeType")
    match resource:
        case {"text": str(text)}:
            yield _line("resource", kind, uri)
            if text.strip():
                yield {"text": whole_text(text)}
        case {"blob": blob} if (data := _bytes(blob)) is not None and image_format(data):
            yield _image(blob, kind)
        case {"blob": blob}:
            yield _line("resource", kind, _size(blob), uri)
        case _:
            yield _line("resource", kind, uri)


def _image(encoded: object, kind: object) -> Block:
    data = _bytes(encoded)
    form = image_format(data) if data is not None else None
    if data is None or form is None or is_too_large(data):
        reason = "too large to be shown" if form is not None else "cannot be shown"
        return _line("image", kind, _size(encoded), reason)
    return {"image": {"format": form, "source": {"bytes": data}}}


def _structured(value: object, blocks: list[Block]) -> list[Block]:
    """As JSON, unless a text says the same already."""
    if not isinstance(value, Mapping | list):
        return []
    # The SDK wraps what is no object, and says it as text too.
    said = [value, value["result"]] if isinstance(value, Mapping) and set(value) == {"result"} else [value]
    texts = [block["text"] for block in blocks if "text" in block]
    if any(_says(text, one) for text in texts for one in said):
        return []
    if len(said) > 1 and isinstance(said[1], list) and texts == [_text(one) for one in said[1]]:
        return []
    return [{"text": json.dumps(whole(value), ensure_ascii=False)}]


def _says(text: str, value: object) -> bool:
    if text == _text(value):
        return True
    return text[:1] in '{["' and attempt(json.loads, text, errors=_NOT_BASE64 + _TOO_DEEP).value_or(None) == value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(blocks: list[Block]) -> list[Block]:
    """Texts of a bounded length in all, and a note of what is missing."""
    total = sum(len(block["text"]) for block in blocks if "text" in block)
    if total <= MAX_CHARACTERS:
        return blocks
    kept: list[Block] = []
    left = MAX_CHARACTERS
    for block in blocks:
        if "text" not in block:
            kept.append(block)
        elif left > 0:
            kept.append({"text": block["text"][:left]})
            left -= len(block["text"])
    return [*kept, {"text": TRUNCATED.format(count=total - MAX_CHARACTERS).strip()}]


def _few_images(blocks: list[Block]) -> list[Block]:
    images = [block for block in blocks if "image" in block]
    if len(images) <= MAX_IMAGES:
        return blocks
    shown = images[:MAX_IMAGES]
    kept = [block for block in blocks if "image" not in block or any(block is one for one in shown)]
    return [*kept, {"text": f"[{len(images) - MAX_IMAGES} more images are left out]"}]


def _line(kind: str, *details: object) -> Block:
    told = [whole_text(str(one))[:_ADDRESS_LENGTH] for one in details if one]
    return {"text": f"[{', '.join([kind, *told])}]"}


def _bytes(encoded: object) -> bytes | None:
    # Nothing that is over the bound of an image is decoded.
    if not isinstance(encoded, str) or len(encoded) > MAX_BYTES * 2:
        return None
    return attempt(base64.b64decode, encoded, validate=True, errors=_NOT_BASE64).value_or(None)


def _size(encoded: object) -> str:
    return f"{len(encoded) * 3 // 4 / 1024:.0f} KB" if isinstance(encoded, str) else ""


_TOO_DEEP = ErrorTable.of((RecursionError, lambda _: bad_request("too deep")))
