"""Gemini."""

import base64
import json
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import httpx
from google import genai
from google.genai import errors, types
from pydantic import ValidationError
from strands.models.gemini import GeminiModel
from strands.types.streaming import StreamEvent

from agents.characters import whole
from agents.config import ModelConfig
from agents.failures import (
    MAX_CONNECTIONS,
    READ_TIMEOUT_SECONDS,
    REFUSED_BY_FILTER,
    RunHalted,
    described,
    refused,
)
from agents.providers.answer import (
    ANSWERED,
    ASKS_FOR_TOOLS,
    OUT_OF_TOKENS,
    STOPPED_BY_FILTER,
    UNREADABLE_TOOL_CALL,
    Chunk,
    End,
    Ends,
)
from agents.providers.event_lines import lines_of
from agents.providers.framework import answered
from apis.shared.errors import internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable, attempt, fold
from apis.shared.wiring import once

ERRORS = ErrorTable.of(
    (errors.APIError, lambda e: described(e, refused(e.code or 500, f"{e.status} {e.message}"))),
    (errors.UnknownApiResponseError, lambda e: described(e, service_unavailable())),
    (ValidationError, lambda e: described(e, service_unavailable())),
    (httpx.TimeoutException, lambda e: described(e, timed_out())),
    (httpx.TransportError, lambda e: described(e, service_unavailable())),
)

# It prints whatever word of a server it does not know.
warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai")

_FORBIDDEN_TEXT = End(failure=STOPPED_BY_FILTER.failure)
ENDS: Ends = {
    "STOP": ANSWERED,
    "TOOL_USE": ASKS_FOR_TOOLS,
    "MAX_TOKENS": OUT_OF_TOKENS,
    "SAFETY": STOPPED_BY_FILTER,
    "RECITATION": STOPPED_BY_FILTER,
    "PROHIBITED_CONTENT": _FORBIDDEN_TEXT,
    "BLOCKLIST": _FORBIDDEN_TEXT,
    "SPII": _FORBIDDEN_TEXT,
    "MALFORMED_FUNCTION_CALL": UNREADABLE_TOOL_CALL,
    "UNEXPECTED_TOOL_CALL": UNREADABLE_TOOL_CALL,
}


class _Model(GeminiModel):
    """Reads the response itself: the framework takes the last chunk for the end, and an end without a reason it knows
    for an answer."""

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[StreamEvent]:
        params, choice = self.config.get("params"), kwargs.get("tool_choice")
        request = self._format_request(messages, tool_specs, system_prompt, params, tool_choice=choice)
        chunks = answered(lambda: self._chunks(request), ends=ENDS, errors=ERRORS, messages=messages)
        async with aclosing(chunks) as regular:
            async for chunk in regular:
                yield chunk

    async def _chunks(self, request: dict[str, Any]) -> AsyncGenerator[Chunk]:
        response = await self._get_client().aio.models.generate_content_stream(**request)
        yield {"messageStart": {}}
        shows: str | None = None
        reason = ""
        async for event in response:
            blocked = event.prompt_feedback.block_reason if event.prompt_feedback else None
            if blocked is not None:
                raise RunHalted(REFUSED_BY_FILTER.caused_by(None, provider_error="prompt", provider_code=blocked.name))
            candidate = event.candidates[0] if event.candidates else None
            content = candidate.content if candidate is not None else None
            for part in (content.parts if content is not None else None) or ():
                kind = _kind(part)
                if kind is not None and (kind != shows or kind == "tool"):
                    if shows is not None:
                        yield {"contentBlockStop": {}}
                    yield {"contentBlockStart": {"start": _start(part)}}
                    shows = kind
                for delta in _deltas(part):
                    yield {"contentBlockDelta": {"delta": delta}}
            if candidate is not None and candidate.finish_reason is not None and reason in {"", "STOP"}:
                # A normal end never covers one that was not.
                reason = candidate.finish_reason.value
            if event.usage_metadata is not None:
                yield dict(self._format_chunk({"chunk_type": "metadata", "data": event.usage_metadata}))
        if shows is not None:
            yield {"contentBlockStop": {}}
        if reason:
            yield {"messageStop": {"stopReason": reason}}


def _kind(part: types.Part) -> str | None:
    if part.function_call is not None:
        return "tool"
    if part.thought or (part.thought_signature and not part.text):
        return "reasoning"
    return "text" if part.text else None


def _start(part: types.Part) -> dict[str, Any]:
    call = part.function_call
    if call is None:
        return {}
    signed = {"reasoningSignature": _encoded(part.thought_signature)} if part.thought_signature else {}
    return {"toolUse": {"toolUseId": call.id, "name": call.name, **signed}}


def _deltas(part: types.Part) -> Iterator[dict[str, Any]]:
    if part.function_call is not None:
        yield {"toolUse": {"input": json.dumps(part.function_call.args or {})}}
        return
    if part.text:
        yield {"reasoningContent": {"text": part.text}} if part.thought else {"text": part.text}
    if part.thought_signature and _kind(part) == "reasoning":
        yield {"reasoningContent": {"signature": _encoded(part.thought_signature)}}


def _encoded(signature: bytes) -> str:
    return base64.b64encode(signature).decode("ascii")


class _PlainLines(httpx.AsyncByteStream):
    """A response whose lines hold no half characters and nothing but ASCII.

    The library refuses a half character, and takes some characters within JSON for ends of lines.
    """

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for line in lines_of(aiter(self._stream)):
            yield _plain(line) + b"\n"

    async def aclose(self) -> None:
        await self._stream.aclose()


_NOT_JSON = ErrorTable.of((ValueError, internal_error), (RecursionError, internal_error))


def _plain(line: bytes) -> bytes:
    if not line.startswith(b"data:") or (line.isascii() and b"\\u" not in line):
        return line
    return fold(
        attempt(json.loads, line.removeprefix(b"data:"), errors=_NOT_JSON),
        success=lambda data: b"data: " + json.dumps(whole(data)).encode(),
        failure=lambda _: line,
    )


class _HttpClient(httpx.AsyncClient):
    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = await super().send(request, **options)
        if not response.is_stream_consumed and isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _PlainLines(response.stream)
        return response


def build(config: ModelConfig, key: str) -> GeminiModel:
    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_output_tokens"] = config.max_tokens
    return _Model(client=_client(key), model_id=config.model_id, params=params)


@once
def _client(key: str) -> genai.Client:
    options = types.HttpOptions(
        timeout=int(READ_TIMEOUT_SECONDS * 1000),
        # The lines of a compressed response could not be read on their way.
        headers={"Accept-Encoding": "identity"},
        # Named, because the library would take another one, with other exceptions, where it finds it installed.
        httpx_async_client=_HttpClient(
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=50), follow_redirects=True
        ),
    )
    return genai.Client(api_key=key, http_options=options)
