"""A client of the chat's event stream: it assembles what a user would see, and refuses what the web client refuses.

Written from the client's side alone: it knows nothing of how the service makes its events.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

type Event = tuple[str, Any]

SERVER_EVENTS = frozenset(
    {"quota_warning", "citation", "message_start", "content_block_start", "content_block_delta", "tool_use"}
    | {"content_block_stop", "reasoning", "message_stop", "metadata", "tool_result", "quota_exceeded", "stream_error"}
    | {"done", "ping"}
)
# How a turn that failed ends: a complete message that says so, then the error.
ERROR_SEQUENCE = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_stop",
    "stream_error",
    "done",
]
STOP_REASONS = frozenset(
    {"end_turn", "tool_use", "max_tokens", "stop_sequence", "content_filtered", "guardrail_intervened"}
    | {"error", "quota_exceeded"}
)


class RefusedError(AssertionError):
    """The web client would drop the rest of the message."""


@dataclass(slots=True)
class Block:
    kind: str
    text: str = ""
    name: str = ""
    tool_use_id: str = ""
    stopped: bool = False
    result: dict[str, Any] | None = None

    @property
    def input(self) -> Any:
        return json.loads(self.text or "{}")


@dataclass(slots=True)
class ShownMessage:
    """`stop_reason` is None for a message that was left unfinished."""

    blocks: dict[int, Block] = field(default_factory=dict)
    reasoning_index: int | None = None
    stop_reason: str | None = None

    @property
    def text(self) -> str:
        return "".join(block.text for _, block in sorted(self.blocks.items()) if block.kind == "text")

    @property
    def reasoning(self) -> str:
        return "" if self.reasoning_index is None else self.blocks[self.reasoning_index].text

    @property
    def tools(self) -> list[Block]:
        return [block for _, block in sorted(self.blocks.items()) if block.kind == "tool_use"]


class ChatClient:
    """Feed it the events of one stream in order."""

    def __init__(self) -> None:
        self.messages: list[ShownMessage] = []
        self.done = False

    def feed(self, name: str, data: Any) -> None:
        _require(not self.done, f"{name} after done")
        _require(name in SERVER_EVENTS, f"unknown event {name!r}")
        _require(isinstance(data, dict), f"{name} with {data!r}")
        match name:
            case "message_start":
                _require(data["role"] == "assistant", f"role {data['role']}")
                self.messages.append(ShownMessage())
            case "content_block_start":
                self._start(data)
            case "content_block_delta":
                self._delta(data)
            case "content_block_stop":
                block = self._writable().blocks.get(_index(data))
                _require(block is not None and block.kind != "reasoning", f"stop of an unknown block {data}")
                assert block is not None
                _require(not block.stopped, f"second stop {data}")
                block.stopped = True
            case "tool_use":
                self._progress(data["tool_use"])
            case "reasoning":
                self._reasoning(data)
            case "message_stop":
                message = self._writable()
                _require(data["stopReason"] in STOP_REASONS, f"stop reason {data}")
                left = [index for index, one in message.blocks.items() if not one.stopped and one.kind != "reasoning"]
                _require(not left, f"message_stop with open blocks {left}")
                message.stop_reason = data["stopReason"]
            case "tool_result":
                self._result(data)
            case "metadata":
                _require("usage" in data or "metrics" in data, "empty metadata")
            case "done":
                self.done = True

    def _writable(self) -> ShownMessage:
        _require(bool(self.messages) and self.messages[-1].stop_reason is None, "no open message")
        return self.messages[-1]

    def _start(self, data: dict[str, Any]) -> None:
        message, index = self._writable(), _index(data)
        _require(index not in message.blocks, f"second start of index {index}")
        kind = data.get("type", "text")
        _require(kind in {"text", "tool_use"}, f"type {kind}")
        block = message.blocks[index] = Block(kind)
        if kind == "tool_use":
            tool = data["toolUse"]
            _require(tool["type"] == "tool_use" and bool(tool["toolUseId"] and tool["name"]), f"tool {tool}")
            block.tool_use_id, block.name = tool["toolUseId"], tool["name"]

    def _delta(self, data: dict[str, Any]) -> None:
        message, index, kind = self._writable(), _index(data), data["type"]
        if kind == "text" and index not in message.blocks:
            message.blocks[index] = Block("text")
        _require(index in message.blocks, f"delta of an unknown block {data}")
        block = message.blocks[index]
        _require(block.kind == kind and not block.stopped, f"delta of a {block.kind} block {data}")
        block.text += data["text"] if kind == "text" else data["input"]

    def _progress(self, data: dict[str, Any]) -> None:
        block = next((one for one in self._writable().tools if one.tool_use_id == data["tool_use_id"]), None)
        _require(block is not None, f"progress of an unknown tool use {data}")
        assert block is not None
        _require((block.name, block.text) == (data["name"], data["input"]), f"progress {data}")

    def _reasoning(self, data: dict[str, Any]) -> None:
        """All reasoning of a message is one block, behind those that are there when the first chunk comes."""
        message = self._writable()
        _require(data.keys() <= {"reasoningText", "reasoning_signature", "redactedContent"} and len(data) == 1, "shape")
        if message.reasoning_index is None:
            message.reasoning_index = max(message.blocks, default=-1) + 1
            message.blocks[message.reasoning_index] = Block("reasoning")
        message.blocks[message.reasoning_index].text += data.get("reasoningText", "")

    def _result(self, data: dict[str, Any]) -> None:
        _require(bool(self.messages) and self.messages[-1].stop_reason == "tool_use", "tool_result out of place")
        result = data["tool_result"]
        _require(data["message"] == {"role": "user", "content": [{"toolResult": result}]}, "two different results")
        _require(result["status"] in {"success", "error"}, f"status {result['status']}")
        waiting = [one for one in self.messages[-1].tools if one.result is None]
        # All results of a message come in the order of its tool uses.
        _require(bool(waiting) and waiting[0].tool_use_id == result["toolUseId"], f"result of {result['toolUseId']}")
        waiting[0].result = result


def shown(events: Iterable[Event], *, complete: bool = True) -> list[ShownMessage]:
    """The assistant messages that a user sees; a complete stream ends with `done`."""
    client = ChatClient()
    for name, data in events:
        client.feed(name, data)
    _require(client.done or not complete, "no done")
    return client.messages


def _index(data: dict[str, Any]) -> int:
    index = data["contentBlockIndex"]
    _require(type(index) is int and index >= 0, f"index {index!r}")
    return int(index)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise RefusedError(problem)
