"""The one step that makes raw chunks of a model regular before the framework reads them.

A provider's module translates what its server sends into the framework's chunks, with the server's own word for the
end; this step does the rest, the same for all: blocks one after the other, tool ids that exist and differ, no half
characters, one usage, and an end that means what the provider's table says. An end that the table does not know, and
one that is no normal end, is a Failure.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from agents.characters import JsonPieces, Pieces, whole_text
from agents.failures import FILTERED, MALFORMED, STOPPED, CutStream, RunHalted
from apis.shared.errors import ErrorDetail

EMPTY_ANSWER = "(The model gave no answer.)"
LONGEST_ID = 256
_COUNTERS = ("inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
_MOST = 10**12
_WORD = re.compile(r"[A-Za-z_]{1,60}")

type Chunk = Mapping[str, Any]  # Any: the framework's dictionaries are open


@dataclass(frozen=True, slots=True)
class End:
    """What a provider's word for the end of an answer means.

    `stop_reason` is what the wire says, None where there is nothing to say but the failure. With both, the answer is
    shown and kept as far as it came, and the turn fails after it.
    """

    stop_reason: str | None = None
    failure: ErrorDetail | None = None


type Ends = Mapping[str, End]

ANSWERED = End("end_turn")
ASKS_FOR_TOOLS = End("tool_use")
OUT_OF_TOKENS = End("max_tokens")
STOPPED_BY_FILTER = End("content_filtered", FILTERED)
UNREADABLE_TOOL_CALL = End(failure=MALFORMED)
_UNKNOWN = End(failure=STOPPED)
# The ends that a provider's table gives a stop reason and that are failures all the same.
FAILED_ENDS: Mapping[str, ErrorDetail] = {"content_filtered": FILTERED}


async def normalised(
    raw: Callable[[], AsyncGenerator[Chunk]], *, ends: Ends, taken: Iterable[str]
) -> AsyncGenerator[Chunk]:
    """`taken` are the tool ids that the conversation has used already."""
    answer = _Answer(ends, set(taken))
    async with aclosing(raw()) as chunks:
        async for chunk in chunks:
            for event in answer.take(chunk):
                yield event
    for event in answer.finish():
        yield event


def tool_ids(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        for block in message["content"]:
            if "toolUse" in block:
                yield block["toolUse"]["toolUseId"]


class _Answer:
    """One answer in the making."""

    def __init__(self, ends: Ends, taken: set[str]) -> None:
        self._ends = ends
        self._taken = taken
        self._started = False
        self._ended = False
        self._says_something = False
        self._tools = 0
        self._unreadable_tool = False
        self._usage: dict[str, int] = {}
        self._metrics: Mapping[str, Any] | None = None
        # The open block: its key, None for providers without indices, and whether it is a tool's.
        self._open: tuple[int | None, bool] | None = None
        self._waiting: list[Chunk] = []
        self._text, self._reasoning, self._input = Pieces(), Pieces(), JsonPieces()

    def take(self, chunk: Chunk) -> Iterator[Chunk]:
        for kind, data in chunk.items():
            match kind:
                case "messageStart":
                    yield from self._start()
                case "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" if not self._ended:
                    yield from self._start()
                    yield from self._block(kind, data or {})
                case "messageStop" if not self._ended:
                    yield from self._start()
                    yield from self._end(str((data or {}).get("stopReason") or ""))
                case "metadata":
                    self._count(data or {})

    def finish(self) -> Iterator[Chunk]:
        if not self._ended:
            raise CutStream
        if not self._usage and self._metrics is None:
            return
        counted = {"inputTokens": 0, "outputTokens": 0, **self._usage}
        counted["totalTokens"] = counted.get("totalTokens") or counted["inputTokens"] + counted["outputTokens"]
        yield {"metadata": {"usage": counted, "metrics": {"latencyMs": 0, **(self._metrics or {})}}}

    def _start(self) -> Iterator[Chunk]:
        if not self._started:
            self._started = True
            yield {"messageStart": {"role": "assistant"}}

    def _block(self, kind: str, data: Mapping[str, Any]) -> Iterator[Chunk]:
        key = data.get("contentBlockIndex")
        if self._open is not None and self._open[1] and self._open[0] != key:
            # The framework reads one block at a time: what belongs to others waits until the tool's is complete.
            self._waiting.append({kind: data})
            return
        match kind:
            case "contentBlockStart":
                yield from self._block_start(key, data.get("start") or {})
            case "contentBlockDelta":
                yield from self._delta(key, data.get("delta") or {})
            case _ if self._open is not None and self._open[0] == key:
                yield from self._close()
                yield from self._catch_up()

    def _block_start(self, key: int | None, start: Mapping[str, Any]) -> Iterator[Chunk]:
        yield from self._close()
        if start and "toolUse" not in start:
            return
        if not start:
            self._open = (key, False)
            yield _event("contentBlockStart", key, start={})
            return
        use = start["toolUse"] or {}
        name = use.get("name")
        if not isinstance(name, str) or not (name := whole_text(name).strip()):
            self._unreadable_tool = True
            return
        self._open = (key, True)
        self._tools += 1
        named = {**use, "name": name, "toolUseId": self._id(use.get("toolUseId"))}
        named.pop("input", None)
        yield _event("contentBlockStart", key, start={"toolUse": named})

    def _delta(self, key: int | None, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        if "toolUse" in delta:
            yield from self._tool_input(key, delta["toolUse"] or {})
            return
        if isinstance(text := delta.get("text"), str) and text:
            yield from self._belongs(key)
            if piece := self._text.feed(text):
                self._says_something = self._says_something or bool(piece.strip())
                yield _event("contentBlockDelta", key, delta={"text": piece})
        elif isinstance(reasoning := delta.get("reasoningContent"), Mapping):
            yield from self._belongs(key)
            for name, value in reasoning.items():
                # One at a time: the framework reads one of each delta.
                if given := self._reasoning.feed(value) if name == "text" and isinstance(value, str) else value:
                    yield _event("contentBlockDelta", key, delta={"reasoningContent": {name: given}})
        # Citations of the model's own are left out: what they stand beside is text, and is shown and kept as text.

    def _belongs(self, key: int | None) -> Iterator[Chunk]:
        """Text needs no start of its own."""
        if self._open is None or self._open != (key, False):
            yield from self._close()
            self._open = (key, False)

    def _tool_input(self, key: int | None, use: Mapping[str, Any]) -> Iterator[Chunk]:
        if self._open != (key, True):
            if not use.get("name"):
                return
            yield from self._block_start(key, {"toolUse": use})
        given = use.get("input")
        text = given if isinstance(given, str) else "" if given is None else json.dumps(given)
        if self._open == (key, True) and (piece := self._input.feed(text)):
            yield _event("contentBlockDelta", key, delta={"toolUse": {"input": piece}})

    def _close(self) -> Iterator[Chunk]:
        if self._open is None:
            return
        key, is_tool = self._open
        self._open = None
        if is_tool and (rest := self._input.rest()):
            yield _event("contentBlockDelta", key, delta={"toolUse": {"input": rest}})
        self._text, self._reasoning, self._input = Pieces(), Pieces(), JsonPieces()
        yield _event("contentBlockStop", key)

    def _catch_up(self) -> Iterator[Chunk]:
        waiting, self._waiting = self._waiting, []
        for chunk in waiting:
            yield from self.take(chunk)

    def _end(self, word: str) -> Iterator[Chunk]:
        yield from self._close()
        while self._waiting:
            yield from self._catch_up()
            yield from self._close()
        end = self._ends.get(word, _UNKNOWN)
        if self._unreadable_tool and end.failure is None:
            end = UNREADABLE_TOOL_CALL
        if end.failure is not None and (end.stop_reason is None or not (self._says_something or self._tools)):
            # The word is the server's, and bounded: it is all that an operator can learn of the reason.
            named = word if _WORD.fullmatch(word) else "unreadable"
            raise RunHalted(end.failure.caused_by(None, provider_error="end", provider_code=named))
        stop_reason = end.stop_reason
        if self._tools and stop_reason in {"end_turn", "stop_sequence"}:
            stop_reason = "tool_use"
        elif not self._tools and stop_reason == "tool_use":
            stop_reason = "end_turn"
        if not self._says_something and not self._tools:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": EMPTY_ANSWER}}}
            yield {"contentBlockStop": {}}
        self._ended = True
        yield {"messageStop": {"stopReason": stop_reason}}

    def _count(self, data: Mapping[str, Any]) -> None:
        """Counters may come more than once and grow; what is no number was not counted."""
        usage = data.get("usage") or {}
        for name in _COUNTERS:
            value = usage.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST:
                self._usage[name] = max(int(value), self._usage.get(name, 0))
        if isinstance(data.get("metrics"), Mapping):
            self._metrics = data["metrics"]

    def _id(self, given: object) -> str:
        """An id that only this use has in the whole conversation."""
        tool_use_id = whole_text(given).strip() if isinstance(given, str) else ""
        if not tool_use_id or len(tool_use_id) > LONGEST_ID or tool_use_id in self._taken:
            tool_use_id = f"call_{uuid4().hex[:24]}"
        self._taken.add(tool_use_id)
        return tool_use_id


def _event(kind: str, key: int | None, **members: Any) -> Chunk:
    index = {} if key is None else {"contentBlockIndex": key}
    return {kind: {**members, **index}}
