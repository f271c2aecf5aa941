"""The result envelope of a tool: a status that is true, and content that clients can parse."""

import json
from typing import Any

type Envelope = dict[str, Any]  # Any: {"status": ..., "content": [blocks]}


def text_result(text: str) -> Envelope:
    return {"status": "success", "content": [{"text": text}]}


def json_result(value: dict[str, Any]) -> Envelope:
    """`value` as JSON text, which clients parse."""
    return text_result(json.dumps(value, ensure_ascii=False))


def json_block(value: dict[str, Any]) -> Envelope:
    return {"status": "success", "content": [{"json": value}]}


def error_block(error: str, **members: Any) -> Envelope:
    return {"status": "error", "content": [{"json": {"success": False, "error": error, **members}}]}


def error_text(text: str) -> Envelope:
    return {"status": "error", "content": [{"text": text}]}


def error_json(error: str, **members: Any) -> Envelope:
    return {
        "status": "error",
        "content": [{"text": json.dumps({"success": False, "error": error, **members}, ensure_ascii=False)}],
    }
