"""Responses of chat completions byte for byte, for what the scripted server's own steps would put right."""

import json
from typing import Any

from tests.support.model_server import Reply

DONE = "data: [DONE]\n\n"


def sse(**members: Any) -> str:
    common = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**common, **members})}\n\n"


def d(delta: Any, finish: str | None = None, **members: Any) -> str:
    """A chunk with one choice."""
    return sse(choices=[{"index": 0, "delta": delta, "finish_reason": finish}], **members)


def counted(**counters: Any) -> dict[str, Any]:
    return {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **counters}


U = sse(choices=[], usage=counted())


def call(arguments: Any = "", **members: Any) -> dict[str, Any]:
    """A delta with one tool call of the calculator; `arguments` None leaves the function out."""
    function = {} if arguments is None else {"function": {"name": "calculator", "arguments": arguments}}
    return {"tool_calls": [{"type": "function", **function, **members}]}


def sent(*chunks: str) -> Reply:
    """Exactly these chunks: the server adds no end of its own."""
    return {"steps": [*({"raw": chunk} for chunk in chunks), {"truncate": True}]}
