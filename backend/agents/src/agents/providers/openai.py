"""OpenAI, and any server that speaks its chat completions (`OPENAI_BASE_URL`)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx
import openai
from openai.types.chat import ChatCompletionChunk
from strands.models.openai import OpenAIModel
from strands.types.streaming import StreamEvent

from agents.config import ModelConfig
from agents.failures import (
    CONNECT_TIMEOUT_SECONDS,
    MAX_CONNECTIONS,
    READ_TIMEOUT_SECONDS,
    CutStream,
    described,
    refused,
)
from agents.providers.framework import retry_after
from apis.shared.errors import service_unavailable, timed_out
from apis.shared.result import ErrorTable
from apis.shared.settings import ModelSettings, settings
from apis.shared.wiring import once

LAST_BYTES_SECONDS = 0.1

ERRORS = ErrorTable.of(
    (openai.APITimeoutError, lambda e: described(e, timed_out())),
    (openai.APIConnectionError, lambda e: described(e, service_unavailable())),
    (openai.APIStatusError, lambda e: described(e, refused(e.status_code, e.message, retry_after(e)))),
    (openai.APIError, lambda e: described(e, service_unavailable())),
    # Once a response has begun, its connection's errors come as they are.
    (httpx.TimeoutException, lambda e: described(e, timed_out())),
    (httpx.TransportError, lambda e: described(e, service_unavailable())),
)


class _Model(OpenAIModel):
    """Notices a stream that ends without a finish reason and without usage: the framework calls that an answer."""

    _open = False

    def format_request(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        request = super().format_request(*args, **kwargs)
        if not request["tools"]:
            # Servers of this interface, among them the original one, have refused an empty list.
            del request["tools"]
        return request

    def format_chunk(self, event: dict[str, Any], **kwargs: Any) -> StreamEvent:
        if event["chunk_type"] == "message_stop":
            # The framework's word for the reason that the server did not give.
            self._open = event["data"] == "end_turn"
        return super().format_chunk(event, **kwargs)

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[StreamEvent]:
        self._open = False
        unconfirmed: StreamEvent | None = None
        async with aclosing(super().stream(*args, **kwargs)) as chunks:
            async for chunk in chunks:
                if self._open and "messageStop" in chunk:
                    unconfirmed = chunk
                    continue
                if unconfirmed is not None:
                    yield unconfirmed
                    unconfirmed = None
                yield chunk
        if unconfirmed is not None:
            raise CutStream


def build(config: ModelConfig, key: str) -> OpenAIModel:
    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_tokens"] = config.max_tokens
    client = _client(key, settings(ModelSettings).openai_base_url)
    return _Model(client=client, model_id=config.model_id, params=params)


class _Part:
    """A chunk, or a part of one, as the framework reads it: members as attributes, None for an absent one.

    The library makes its models by looking up the type of every member of every chunk, absent ones too. That was a
    quarter of the processor time of a stream, and it checks nothing.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _part(self._members.get(name))


def _part(value: Any) -> Any:
    if isinstance(value, dict):
        return _Part(value)
    if isinstance(value, list):
        return [_part(member) for member in value]
    return value


class _Client(openai.AsyncOpenAI):
    def _process_response_data(self, *, data: object, cast_to: Any, response: httpx.Response) -> Any:
        if cast_to is ChatCompletionChunk and isinstance(data, dict):
            return _Part(data)
        return super()._process_response_data(data=data, cast_to=cast_to, response=response)


class _ReadToTheEnd(httpx.AsyncByteStream):
    """A response whose last bytes are read with the end of its events.

    The library stops at `[DONE]`. A response with anything left, if only the end of its transfer, costs its connection,
    and the next call of the model a new one with its handshakes.
    """

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest = aiter(self._stream)
        async for chunk in rest:
            if b"data: [DONE]" in chunk:
                reading = asyncio.ensure_future(_exhaust(rest))
                await asyncio.wait((reading,), timeout=LAST_BYTES_SECONDS)
                reading.cancel()
                await asyncio.wait((reading,))
                yield chunk
                return
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _exhaust(rest: AsyncIterator[bytes]) -> None:
    async for _ in rest:
        pass


class _HttpClient(httpx.AsyncClient):
    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = await super().send(request, **options)
        if not response.is_stream_consumed and isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _ReadToTheEnd(response.stream)
        return response


@once
def _client(key: str, base_url: str | None) -> openai.AsyncOpenAI:
    return _Client(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        http_client=_HttpClient(
            timeout=httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=50),
            follow_redirects=True,
        ),
    )
