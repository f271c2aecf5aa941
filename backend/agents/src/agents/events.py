"""What a turn streams: one class per event of the wire contract. Names and payloads are exact.

The events are values; only the HTTP adapter turns them into text.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from apis.shared.costs.models import StoredCitation, TokenUsage
from apis.shared.knowledge.models import QUOTED_CHARACTERS, Chunk
from apis.shared.quota.events import QuotaExceededEvent, QuotaWarningEvent

type JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Milliseconds; `time_to_first_byte_ms` is None when it was not measured."""

    latency_ms: int = 0
    time_to_first_byte_ms: int | None = None

    def payload(self) -> dict[str, object]:
        values: dict[str, object] = {"latencyMs": self.latency_ms}
        if self.time_to_first_byte_ms is not None:
            values["timeToFirstByteMs"] = self.time_to_first_byte_ms
        return values


@dataclass(frozen=True, slots=True)
class Citation:
    """What an assistant's answer rests on. `is_typed` is for the one stream whose citations name their type."""

    event: ClassVar[str] = "citation"
    source: StoredCitation
    is_typed: bool = False

    def payload(self) -> JsonObject:
        named = {"type": self.event} if self.is_typed else {}
        return {**named, **self.source.model_dump(by_alias=True)}


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What a test chat shows of the search in the assistant's documents."""

    event: ClassVar[str] = "debug"
    chunks: Sequence[Chunk]

    def payload(self) -> JsonObject:
        return {
            "type": "rag_debug",
            "chunk_count": len(self.chunks),
            "chunks": [_reported(number, chunk) for number, chunk in enumerate(self.chunks, start=1)],
        }


@dataclass(frozen=True, slots=True)
class MessageStart:
    event: ClassVar[str] = "message_start"
    role: str = "assistant"

    def payload(self) -> JsonObject:
        return {"role": self.role}


@dataclass(frozen=True, slots=True)
class TextBlockStart:
    event: ClassVar[str] = "content_block_start"
    index: int

    def payload(self) -> JsonObject:
        return {"contentBlockIndex": self.index}


@dataclass(frozen=True, slots=True)
class NoticeBlockStart:
    """Of a text that is not a model's."""

    event: ClassVar[str] = "content_block_start"
    index: int

    def payload(self) -> JsonObject:
        return {"contentBlockIndex": self.index, "type": "text"}


@dataclass(frozen=True, slots=True)
class ToolBlockStart:
    event: ClassVar[str] = "content_block_start"
    index: int
    tool_use_id: str
    name: str

    def payload(self) -> JsonObject:
        return {
            "contentBlockIndex": self.index,
            "type": "tool_use",
            "toolUse": {"toolUseId": self.tool_use_id, "name": self.name, "type": "tool_use"},
        }


@dataclass(frozen=True, slots=True)
class TextDelta:
    event: ClassVar[str] = "content_block_delta"
    index: int
    text: str

    def payload(self) -> JsonObject:
        return {"contentBlockIndex": self.index, "type": "text", "text": self.text}


@dataclass(frozen=True, slots=True)
class ToolInputDelta:
    """A fragment of the tool input's JSON text."""

    event: ClassVar[str] = "content_block_delta"
    index: int
    input: str

    def payload(self) -> JsonObject:
        return {"contentBlockIndex": self.index, "type": "tool_use", "input": self.input}


@dataclass(frozen=True, slots=True)
class ToolUseProgress:
    """The tool input's JSON text so far."""

    event: ClassVar[str] = "tool_use"
    name: str
    tool_use_id: str
    input: str

    def payload(self) -> JsonObject:
        return {"tool_use": {"name": self.name, "tool_use_id": self.tool_use_id, "input": self.input}}


@dataclass(frozen=True, slots=True)
class ContentBlockStop:
    event: ClassVar[str] = "content_block_stop"
    index: int

    def payload(self) -> JsonObject:
        return {"contentBlockIndex": self.index}


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A chunk of the model's reasoning: text, the provider's signature of it, or redacted bytes."""

    event: ClassVar[str] = "reasoning"
    kind: Literal["text", "signature", "redacted"]
    value: str | bytes

    def payload(self) -> JsonObject:
        match self.value:
            case bytes():
                return {"redactedContent": base64.b64encode(self.value).decode("ascii")}
            case str() if self.kind == "signature":
                return {"reasoning_signature": self.value}
            case _:
                return {"reasoningText": self.value}


@dataclass(frozen=True, slots=True)
class MessageStop:
    event: ClassVar[str] = "message_stop"
    stop_reason: str

    def payload(self) -> JsonObject:
        return {"stopReason": self.stop_reason}


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """Usage and latency of one model call, as the provider reports them."""

    event: ClassVar[str] = "metadata"
    usage: TokenUsage
    metrics: Metrics

    def payload(self) -> JsonObject:
        return {"usage": self.usage.payload(), "metrics": self.metrics.payload()}


@dataclass(frozen=True, slots=True)
class TurnMetadata:
    """Sum over the calls of the turn; `cost` in US dollars, None when the model has no pricing."""

    event: ClassVar[str] = "metadata"
    usage: TokenUsage
    metrics: Metrics
    cost: float | None = None

    def payload(self) -> JsonObject:
        cost = {} if self.cost is None else {"cost": self.cost}
        return {"usage": self.usage.payload(), "metrics": self.metrics.payload(), **cost}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One finished tool use; `result` has `toolUseId`, `status` and `content`."""

    event: ClassVar[str] = "tool_result"
    result: JsonObject

    def payload(self) -> JsonObject:
        return {"message": {"role": "user", "content": [{"toolResult": self.result}]}, "tool_result": self.result}


def _reported(number: int, chunk: Chunk) -> JsonObject:
    cut = "..." if len(chunk.text) > QUOTED_CHARACTERS else ""
    return {
        "index": number,
        "text": chunk.text[:QUOTED_CHARACTERS] + cut,
        "distance": chunk.distance,
        "key": chunk.key,
        "source": chunk.source or "unknown",
    }


type StreamEvent = (
    QuotaWarningEvent
    | QuotaExceededEvent
    | Citation
    | SearchReport
    | MessageStart
    | TextBlockStart
    | NoticeBlockStart
    | ToolBlockStart
    | TextDelta
    | ToolInputDelta
    | ToolUseProgress
    | ContentBlockStop
    | Reasoning
    | MessageStop
    | CallMetadata
    | TurnMetadata
    | ToolResult
)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One completed assistant message: what it used and how long it took, in milliseconds and monotonic seconds.

    `usage` is None when the provider reported none. `first_text` is None for a message without text.
    """

    usage: TokenUsage | None
    metrics: Metrics
    started: float
    first_text: float | None
    ended: float


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """The successful end of a run; not an event of the wire."""

    calls: tuple[CallRecord, ...]
