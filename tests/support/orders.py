"""Replies of the scripted model that the user orders in brackets, for chats that run side by side.

`[tool]` calls the calculator once, `[echo x]` the tool `echo` of a server, `[draw x]` the code interpreter, `[status
429]` refuses, `[reset]` and `[garbage]` break before the first token, `[reset later]` and `[garbage later]` after it,
`[hang]` and `[hang later]` never go on, `[slow]` writes a word every 50 ms for a minute, `[pause]` waits two seconds
after the first. Anything else is answered as `DEFAULT_REPLY` says.
"""

import re
from typing import Any

from tests.support.model_server import DEFAULT_REPLY, Reply, Step, answer, refusal, tool_call

_ORDER = re.compile(r"\[(\w+)( \w+)?\]")
_BREAKS: dict[str, Step] = {"reset": {"reset": True}, "hang": {"hang": True}, "garbage": {"raw": "data: {not json\n\n"}}
_HELLO: Step = {"text": "Hello"}


def obeyed(body: Any) -> Reply:
    """The reply to a model call, as the last message of the user orders it."""
    messages = body["messages"]
    said = next(_text(message["content"]) for message in reversed(messages) if message["role"] == "user")
    found = _ORDER.search(said)
    order, detail = (found.group(1), (found.group(2) or "").strip()) if found else ("", "")
    match order:
        case "status":
            return refusal(int(detail), message="key sk-secret of arn:aws:leaked refused", retry_after=7)
        case "reset" | "hang" | "garbage":
            return {"steps": [*([_HELLO] if detail == "later" else []), _BREAKS[order]]}
        case "tool" | "echo" | "draw" if messages[-1]["role"] != "tool":
            return tool_call(("t1", *_called(order, detail)))
        case "slow":
            return {"steps": [_HELLO, *[{"pause_ms": 50}, {"text": " and"}] * 1200]}
        case "pause":
            return {"steps": [_HELLO, {"pause_ms": 2000}, *answer(" world", ".")["steps"]]}
        case _:
            return DEFAULT_REPLY


def _called(order: str, detail: str) -> tuple[str, dict[str, Any]]:
    match order:
        case "echo":
            return "echo", {"text": detail}
        case "draw":
            drawing = {"python_code": f"draw({detail})", "diagram_filename": f"{detail}.png"}
            return "generate_diagram_and_validate", drawing
        case _:
            return "calculator", {"expression": "6 * 7"}


def _text(content: Any) -> str:
    """The last text: an unanswered message before it may have been joined to it."""
    if isinstance(content, str):
        return content
    texts = [block["text"] for block in content if "text" in block]
    return str(texts[-1]) if texts else ""
