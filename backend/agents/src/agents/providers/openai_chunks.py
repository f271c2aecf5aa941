"""Chunks of chat completions, as the many servers of this interface send them, as the framework's chunks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.failures import RunHalted, refused
from agents.providers.answer import (
    ANSWERED,
    ASKS_FOR_TOOLS,
    OUT_OF_TOKENS,
    STOPPED_BY_FILTER,
    Chunk,
    Ends,
)
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import ErrorTable, attempt, fold

# The empty word is an answer that its server ended properly, without saying why.
ENDS: Ends = {
    "": ANSWERED,
    "stop": ANSWERED,
    "eos": ANSWERED,
    "tool_calls": ASKS_FOR_TOOLS,
    "function_call": ASKS_FOR_TOOLS,
    "length": OUT_OF_TOKENS,
    "content_filter": STOPPED_BY_FILTER,
}
_NOT_JSON = ErrorTable.of((ValueError, internal_error), (RecursionError, internal_error))
_REASONING = ("reasoning_content", "reasoning")

type Json = Mapping[str, Any]  # Any: what a server sends has any shape


@dataclass(slots=True)
class _Call:
    """A tool call as far as it came. `index` is None from servers that count none."""

    index: int | None
    id: str = ""
    name: str = ""
    fragments: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return fold(
            attempt(json.loads, "".join(self.fragments), errors=_NOT_JSON),
            success=lambda parsed: isinstance(parsed, dict),
            failure=lambda _: False,
        )


class Chunks:
    """Feed it the data of one response in order. `is_ended`: the server said that the answer is over.

    `reasoning_member` is where the server put its reasoning, in the words in which it wants it back.
    """

    def __init__(self) -> None:
        self.reasoning_member: str | None = None
        self._calls: list[_Call] = []
        self._finish = ""
        self._counted_last = False
        self._shows: str | None = None

    @property
    def is_ended(self) -> bool:
        """Some servers give no reason, but count what they used in a chunk of its own at the end."""
        return bool(self._finish) or self._counted_last

    def feed(self, chunk: Any) -> Iterator[Chunk]:
        if not isinstance(chunk, Mapping):
            return
        error = chunk.get("error")
        if error or chunk.get("object") == "error":
            raise RunHalted(failure_in_stream(error or chunk))
        choices = [one for one in _list(chunk.get("choices")) if isinstance(one, Mapping) and not one.get("index")]
        if chunk.get("choices"):
            self._counted_last = False
        for counted in (chunk, _mapping(chunk.get("x_groq")), *choices):
            if usage := _usage(_mapping(counted.get("usage"))):
                yield {"metadata": {"usage": usage}}
                self._counted_last = not chunk.get("choices")
        for choice in choices:
            yield from self._choice(choice)

    def end(self) -> Iterator[Chunk]:
        yield from self._switch(None)
        for call in self._calls:
            yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": call.id, "name": call.name}}}}
            for fragment in call.fragments:
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": fragment}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": self._finish}}

    def _choice(self, choice: Json) -> Iterator[Chunk]:
        # A server that does not stream sends the whole message.
        delta = _mapping(choice.get("delta") or choice.get("message"))
        for member in _REASONING:
            if isinstance(thought := delta.get(member), str) and thought:
                self.reasoning_member = self.reasoning_member or member
                yield from self._show("reasoning", thought)
                break
        yield from self._content(delta.get("content"))
        if isinstance(refusal := delta.get("refusal"), str):
            # What the model says instead of an answer is its answer.
            yield from self._show("text", refusal)
        for call in _list(delta.get("tool_calls")):
            self._tool_call(_mapping(call))
        if isinstance(call := delta.get("function_call"), Mapping):
            self._tool_call({"function": call})
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and (not self._finish or self._finish in ENDS):
            # A normal end never covers one that was not.
            self._finish = reason

    def _content(self, content: Any) -> Iterator[Chunk]:
        """Text, or a list of parts."""
        if isinstance(content, str):
            yield from self._show("text", content)
        for part in content if isinstance(content, list) else ():
            if isinstance(part, str):
                yield from self._show("text", part)
            elif isinstance(part, Mapping):
                kind = "reasoning" if part.get("type") in {"thinking", "reasoning"} else "text"
                yield from self._show(kind, _part_text(part))

    def _show(self, kind: str, text: str) -> Iterator[Chunk]:
        if text:
            yield from self._switch(kind)
            delta = {"text": text} if kind == "text" else {"reasoningContent": {"text": text}}
            yield {"contentBlockDelta": {"delta": delta}}

    def _switch(self, kind: str | None) -> Iterator[Chunk]:
        if self._shows == kind:
            return
        if self._shows is not None:
            yield {"contentBlockStop": {}}
        self._shows = kind
        if kind is not None:
            yield {"contentBlockStart": {"start": {}}}

    def _tool_call(self, delta: Json) -> None:
        function = _mapping(delta.get("function"))
        given = function.get("arguments")
        arguments = given if isinstance(given, str) else "" if given is None else json.dumps(given)
        name = function.get("name") if isinstance(function.get("name"), str) else ""
        call_id = delta.get("id") if isinstance(delta.get("id"), str) else ""
        index = delta.get("index") if isinstance(delta.get("index"), int) else None
        call = self._continued(index, call_id or "", name or "", arguments)
        if call is None:
            if not (call_id or name or arguments):
                return
            call = _Call(index)
            self._calls.append(call)
        call.id = call.id or call_id or ""
        call.name = call.name or name or ""
        if arguments:
            call.fragments.append(arguments)

    def _continued(self, index: int | None, call_id: str, name: str, arguments: str) -> _Call | None:
        """The call that a delta goes on with: by index where there is one, and else the last. A delta with another id
        is another call, and so is one that names a function after a complete call."""
        same = [call for call in self._calls if call.index == index]
        call = same[-1] if same else self._calls[-1] if self._calls and index is None else None
        if call is None or (call_id and call.id and call_id != call.id):
            return None
        if name and call.name and (name != call.name or arguments) and call.is_complete:
            return None
        return call


def failure_in_stream(error: Any) -> ErrorDetail:
    """What an error object in a response of status 200 means."""
    members = _mapping(error)
    text = f"{error if isinstance(error, str) else ''} {members.get('message')} {members.get('type')}"
    code = members.get("code")
    failure = refused(_status(code), f"{text} {code}")
    named = {"provider_code": str(code)} if isinstance(code, int) else {}
    return failure.caused_by(None, provider_error="error in the stream", **named)


def _status(code: Any) -> int:
    """500 for a code that is no status: whose fault it is, nobody said."""
    status = int(code) if str(code).isdigit() and len(str(code)) == 3 else 500
    return status if 400 <= status <= 599 else 500


def _usage(usage: Json) -> dict[str, Any]:
    details = _mapping(usage.get("prompt_tokens_details"))
    counted = {
        "inputTokens": usage.get("prompt_tokens"),
        "outputTokens": usage.get("completion_tokens"),
        "totalTokens": usage.get("total_tokens"),
        "cacheReadInputTokens": details.get("cached_tokens", usage.get("prompt_cache_hit_tokens")),
        "cacheWriteInputTokens": details.get("cache_write_tokens"),
    }
    return {name: value for name, value in counted.items() if value is not None}


def _part_text(part: Json) -> str:
    for member in ("text", "thinking", "refusal", "reasoning", "content"):
        inner = part.get(member)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, list):
            return "".join(one if isinstance(one, str) else _part_text(_mapping(one)) for one in inner)
    return ""


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
