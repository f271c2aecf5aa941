"""Gemini."""

from typing import Any

import httpx
from google import genai
from google.genai import errors, types
from strands.models.gemini import GeminiModel
from strands.types.streaming import StreamEvent

from agents.config import ModelConfig
from agents.failures import MAX_CONNECTIONS, READ_TIMEOUT_SECONDS, CutStream, described, refused
from apis.shared.errors import service_unavailable, timed_out
from apis.shared.result import ErrorTable
from apis.shared.wiring import once

ERRORS = ErrorTable.of(
    (errors.APIError, lambda e: described(e, refused(e.code, e.message or ""))),
    (errors.UnknownApiResponseError, lambda e: described(e, service_unavailable())),
    (httpx.TimeoutException, lambda e: described(e, timed_out())),
    (httpx.TransportError, lambda e: described(e, service_unavailable())),
)


class _Model(GeminiModel):
    """Notices a stream that ends without a finish reason: the framework calls that an answer."""

    def _format_chunk(self, event: dict[str, Any]) -> StreamEvent:
        if event["chunk_type"] == "message_stop" and event["data"] is None:
            raise CutStream
        return super()._format_chunk(event)


def build(config: ModelConfig, key: str) -> GeminiModel:
    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_output_tokens"] = config.max_tokens
    return _Model(client=_client(key), model_id=config.model_id, params=params)


@once
def _client(key: str) -> genai.Client:
    options = types.HttpOptions(
        timeout=int(READ_TIMEOUT_SECONDS * 1000),
        # Named, because the library would take another one, with other exceptions, where it finds it installed.
        httpx_async_client=httpx.AsyncClient(
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=50), follow_redirects=True
        ),
    )
    return genai.Client(api_key=key, http_options=options)
