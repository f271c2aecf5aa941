"""OpenAI, and any server that speaks its chat completions (`OPENAI_BASE_URL`)."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import httpx
import openai
from strands.models.openai import OpenAIModel
from strands.types.streaming import StreamEvent

from agents.config import ModelConfig
from agents.failures import (
    CONNECT_TIMEOUT_SECONDS,
    MAX_CONNECTIONS,
    READ_TIMEOUT_SECONDS,
    described,
    refused,
)
from agents.providers.answer import Chunk
from agents.providers.event_lines import events_of
from agents.providers.framework import answered, retry_after
from agents.providers.openai_chunks import ENDS, Chunks
from apis.shared.errors import service_unavailable, timed_out
from apis.shared.result import ErrorTable
from apis.shared.settings import ModelSettings, settings
from apis.shared.wiring import once

LAST_BYTES_SECONDS = 0.1

ERRORS = ErrorTable.of(
    (openai.APITimeoutError, lambda e: described(e, timed_out())),
    (openai.APIConnectionError, lambda e: described(e, service_unavailable())),
    (openai.APIStatusError, lambda e: described(e, refused(e.status_code, f"{e.message} {e.body}", retry_after(e)))),
    (openai.APIError, lambda e: described(e, service_unavailable())),
    # Once a response has begun, its connection's errors come as they are.
    (httpx.TimeoutException, lambda e: described(e, timed_out())),
    (httpx.TransportError, lambda e: described(e, service_unavailable())),
)


class _Model(OpenAIModel):
    """Reads the response itself: the library and the framework lose or refuse much that servers really send."""

    _reasoning_member: str | None = None

    def format_request(self, messages: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        request = super().format_request(messages, *args, **kwargs)
        if not request["tools"]:
            # Servers of this interface, among them the original one, have refused an empty list.
            del request["tools"]
        if self._reasoning_member is not None:
            _give_back_reasoning(messages, request["messages"], self._reasoning_member)
        return request

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[StreamEvent]:
        request = self.format_request(messages, tool_specs, system_prompt, kwargs.get("tool_choice"))
        chunks = answered(lambda: self._chunks(request), ends=ENDS, errors=ERRORS, messages=messages)
        async with aclosing(chunks) as regular:
            async for chunk in regular:
                yield chunk

    async def _chunks(self, request: dict[str, Any]) -> AsyncGenerator[Chunk]:
        chunks = Chunks()
        async with (
            self._get_client() as client,
            client.chat.completions.with_streaming_response.create(**request) as response,
        ):
            yield {"messageStart": {}}
            if "json" in response.headers.get("content-type", ""):
                for chunk in chunks.feed(json.loads(await response.read())):
                    yield chunk
                for chunk in chunks.end():
                    yield chunk
                return
            body = response.iter_bytes()
            is_done = False
            async with aclosing(events_of(body)) as events:
                async for event in events:
                    if event.data.strip() == "[DONE]":
                        is_done = True
                        break
                    data = json.loads(event.data)
                    for chunk in chunks.feed({"error": data} if event.name == "error" else data):
                        yield chunk
            self._reasoning_member = chunks.reasoning_member or self._reasoning_member
            if is_done or chunks.is_ended:
                for chunk in chunks.end():
                    yield chunk
            await _read_to_the_end(body)


def _give_back_reasoning(messages: Sequence[Any], request: Sequence[dict[str, Any]], member: str) -> None:
    """Models that reason between their tool calls refuse to go on without what they thought before."""
    asked = [message for message in request if message["role"] == "assistant"]
    said = [message for message in messages if message["role"] == "assistant"]
    for message, formatted in zip(said, asked, strict=False):
        thoughts = [block["reasoningContent"] for block in message["content"] if "reasoningContent" in block]
        if thought := "".join(one.get("reasoningText", {}).get("text", "") for one in thoughts):
            formatted[member] = thought


async def _read_to_the_end(body: AsyncIterator[bytes]) -> None:
    """A response with anything left, if only the end of its transfer, costs its connection, and the next call of the
    model a new one with its handshakes."""
    reading = asyncio.ensure_future(_exhaust(body))
    try:
        await asyncio.wait((reading,), timeout=LAST_BYTES_SECONDS)
    finally:
        reading.cancel()
        await asyncio.wait((reading,))
    if not reading.cancelled():
        # What comes after the end of an answer is nobody's concern, and neither is what fails there.
        reading.exception()


async def _exhaust(body: AsyncIterator[bytes]) -> None:
    async for _ in body:
        pass


def build(config: ModelConfig, key: str) -> OpenAIModel:
    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_tokens"] = config.max_tokens
    client = _client(key, settings(ModelSettings).openai_base_url)
    return _Model(client=client, model_id=config.model_id, params=params)


@once
def _client(key: str, base_url: str | None) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        http_client=httpx.AsyncClient(
            timeout=httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=50),
            follow_redirects=True,
        ),
    )
