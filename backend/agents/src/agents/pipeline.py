"""From the framework's events to the events of the wire.

One `Pipeline` serves one run. It is fed with the framework's event dictionaries in order and answers the wire events
that follow. It owns the block indices: integers from 0 for each message, unique, the provider's where it gives
usable ones. A block that only reasons consumes an index and shows none. `stop_reason` is how the latest call ended.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.events import (
    CallMetadata,
    CallRecord,
    ContentBlockStop,
    MessageStart,
    MessageStop,
    Metrics,
    Reasoning,
    StreamEvent,
    TextBlockStart,
    TextDelta,
    ToolBlockStart,
    ToolInputDelta,
    ToolResult,
    ToolUseProgress,
)
from apis.shared.costs.models import TokenUsage

_RESULT = ("toolUseId", "status", "content", "metadata")

type FrameworkEvent = Mapping[str, Any]  # Any: the framework's dictionaries are open


@dataclass(slots=True)
class _Block:
    """An open block. `index` is None until something visible (or reasoning) needs one."""

    kind: Literal["undecided", "text", "tool", "reasoning"]
    announced: bool
    index: int | None = None
    tool_use_id: str = ""
    name: str = ""
    input: str = ""


@dataclass(slots=True)
class _Call:
    """The model call in progress."""

    started: float
    first_text: float | None = None
    ended: float | None = None
    usage: TokenUsage | None = None
    metrics: Metrics = field(default_factory=Metrics)
    text: str = ""
    used: set[int] = field(default_factory=set)
    shown: set[int] = field(default_factory=set)
    reasons: bool = False
    open: dict[int | None, _Block] = field(default_factory=dict)


class Pipeline:
    """`input_includes_cached`: this provider counts cached tokens as input too; the wire never does."""

    def __init__(self, *, input_includes_cached: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._input_includes_cached = input_includes_cached
        self._clock = clock
        self._call = _Call(started=clock())
        self._asked: list[str] = []
        self.calls: list[CallRecord] = []
        self.stop_reason: str | None = None
        self.first_delta: float | None = None

    @property
    def partial_text(self) -> str:
        """The text of the assistant message that is not complete yet."""
        return self._call.text

    def feed(self, event: FrameworkEvent) -> Iterator[StreamEvent]:
        if "event" in event:
            yield from self._chunk(event["event"])
        elif "message" in event:
            yield from self._message(event["message"])

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[StreamEvent]:
        for kind, data in chunk.items():
            match kind:
                case "messageStart":
                    self._call = _Call(started=self._clock())
                    yield MessageStart(data.get("role", "assistant"))
                case "contentBlockStart":
                    yield from self._block_start(data.get("contentBlockIndex"), data.get("start") or {})
                case "contentBlockDelta":
                    yield from self._delta(data.get("contentBlockIndex"), data.get("delta") or {})
                case "contentBlockStop":
                    yield from self._block_stop(data.get("contentBlockIndex"))
                case "messageStop":
                    yield from self._close_all()
                    self._call.ended = self._clock()
                    self.stop_reason = data.get("stopReason") or "end_turn"
                    yield MessageStop(self.stop_reason)
                case "metadata" | "modelMetadataEvent":
                    yield self._metadata(data)

    def _block_start(self, key: int | None, start: Mapping[str, Any]) -> Iterator[StreamEvent]:
        yield from self._block_stop(key)
        tool = start.get("toolUse") or {}
        if not (tool.get("toolUseId") and tool.get("name")):
            # What kind it is shows in its first delta; a block that stays empty is never shown.
            self._call.open[key] = _Block("undecided", announced=True)
            return
        block = _Block("tool", announced=True, tool_use_id=tool["toolUseId"], name=tool["name"])
        block.index = self._allocate(key)
        self._call.open[key] = block
        yield ToolBlockStart(block.index, block.tool_use_id, block.name)

    def _delta(self, key: int | None, delta: Mapping[str, Any]) -> Iterator[StreamEvent]:
        if delta.get("text"):
            yield from self._text(key, delta["text"])
        if "toolUse" in delta:
            yield from self._tool_input(key, delta["toolUse"])
        if "reasoningContent" in delta:
            yield from self._reasoning(key, delta["reasoningContent"])

    def _text(self, key: int | None, text: str) -> Iterator[StreamEvent]:
        block = self._call.open.get(key)
        if block is not None and block.kind == "tool":
            yield from self._block_stop(key)
            block = None
        if block is None or block.kind == "reasoning":
            block = _Block("undecided", announced=False)
            self._call.open[key] = block
        if block.kind == "undecided":
            block.kind = "text"
            block.index = self._allocate(key)
            if block.announced:
                yield TextBlockStart(block.index)
        now = self._clock()
        self._note_delta(now)
        if self._call.first_text is None:
            self._call.first_text = now
        self._call.text += text
        yield TextDelta(_index(block), text)

    def _tool_input(self, key: int | None, tool_use: Mapping[str, Any]) -> Iterator[StreamEvent]:
        block = self._call.open.get(key)
        if (block is None or block.kind != "tool") and tool_use.get("toolUseId") and tool_use.get("name"):
            # Some models name the tool here and not in a start of its own.
            yield from self._block_start(key, {"toolUse": tool_use})
            block = self._call.open[key]
        if block is None or block.kind != "tool":
            return
        fragment = tool_use.get("input") or ""
        self._note_delta(self._clock())
        block.input += fragment
        yield ToolInputDelta(_index(block), fragment)
        yield ToolUseProgress(block.name, block.tool_use_id, block.input)

    def _reasoning(self, key: int | None, content: Mapping[str, Any]) -> Iterator[StreamEvent]:
        block = self._call.open.get(key)
        if block is None or block.kind == "undecided":
            block = _Block("reasoning", announced=False)
            block.index = self._allocate(key, shown=False)
            self._call.open[key] = block
        text = content.get("text") or (content.get("reasoningText") or {}).get("text")
        signature = content.get("signature") or (content.get("reasoningText") or {}).get("signature")
        redacted = content.get("redactedContent")
        if not self._call.reasons and (text or signature or redacted):
            self._call.reasons = True
            # Clients put all reasoning of a message into one block above those that they have been shown by now.
            self._call.used.add(max(self._call.shown, default=-1) + 1)
        if text:
            self._note_delta(self._clock())
            yield Reasoning("text", text)
        if signature:
            yield Reasoning("signature", signature)
        if redacted:
            yield Reasoning("redacted", redacted)

    def _block_stop(self, key: int | None) -> Iterator[StreamEvent]:
        block = self._call.open.pop(key, None)
        if block is not None and block.index is not None and block.kind in {"text", "tool"}:
            yield ContentBlockStop(block.index)

    def _close_all(self) -> Iterator[StreamEvent]:
        for key in tuple(self._call.open):
            yield from self._block_stop(key)

    def _allocate(self, key: int | None, *, shown: bool = True) -> int:
        """The provider's index unless it was used in this message already, else the next above all used ones."""
        used = self._call.used
        index = key if key is not None and key >= 0 and key not in used else max(used, default=-1) + 1
        used.add(index)
        if shown:
            self._call.shown.add(index)
        return index

    def _metadata(self, data: Mapping[str, Any]) -> CallMetadata:
        call = self._call
        call.usage = self._usage(data.get("usage") or {})
        metrics = data.get("metrics") or {}
        latency = int(metrics.get("latencyMs") or metrics.get("latency_ms") or 0)
        reported = metrics.get("timeToFirstByteMs") or metrics.get("time_to_first_byte_ms")
        call.metrics = Metrics(latency, int(reported) if reported else self._time_to_first_text(latency))
        return CallMetadata(call.usage, call.metrics)

    def _time_to_first_text(self, latency_ms: int) -> int | None:
        """Below 10 ms the text was buffered on its way: then 30 % of a latency over 100 ms is the better guess."""
        if self._call.first_text is None:
            return None
        measured = int((self._call.first_text - self._call.started) * 1000)
        if measured >= 10:
            return measured
        return int(latency_ms * 0.3) if latency_ms > 100 else None

    def _usage(self, data: Mapping[str, Any]) -> TokenUsage:
        def counter(camel: str, snake: str) -> int | None:
            value = data.get(camel, data.get(snake))
            return None if value is None else int(value)

        cache_read = counter("cacheReadInputTokens", "cache_read_input_tokens")
        cache_write = counter("cacheWriteInputTokens", "cache_write_input_tokens")
        input_tokens = counter("inputTokens", "input_tokens") or 0
        if self._input_includes_cached:
            input_tokens = max(0, input_tokens - (cache_read or 0) - (cache_write or 0))
        return TokenUsage(
            input_tokens=input_tokens,
            output_tokens=counter("outputTokens", "output_tokens") or 0,
            total_tokens=counter("totalTokens", "total_tokens") or 0,
            cache_read_input_tokens=cache_read,
            cache_write_input_tokens=cache_write,
        )

    def _message(self, message: Mapping[str, Any]) -> Iterator[StreamEvent]:
        content = message.get("content", ())
        if message.get("role") == "assistant":
            self._asked = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
            self._complete()
            return
        results = {block["toolResult"]["toolUseId"]: block["toolResult"] for block in content if "toolResult" in block}
        # The framework puts the results of uses that it refused before those that it ran.
        for tool_use_id in self._asked:
            if tool_use_id in results:
                yield ToolResult({name: results[tool_use_id][name] for name in _RESULT if name in results[tool_use_id]})

    def _complete(self) -> None:
        """Counted here and not at its start: a call that the provider throttled starts again."""
        call = self._call
        ended = call.ended if call.ended is not None else self._clock()
        self.calls.append(CallRecord(call.usage, call.metrics, call.started, call.first_text, ended))
        self._call = _Call(started=ended)

    def _note_delta(self, now: float) -> None:
        if self.first_delta is None:
            self.first_delta = now


def _index(block: _Block) -> int:
    assert block.index is not None  # noqa: S101 - a shown block has its index
    return block.index
