"""Bedrock's chat models on this machine: `Converse` and `ConverseStream`, whatever model they name, are answered by the
language model of the stack, and `ListFoundationModels` shows the one that answers where none is named.

It is asked for text alone: tools are not offered to it, a document becomes its text, and an image is refused as Bedrock
refuses it for a model that reads none.
"""

import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from agents.config import DEFAULT_MODEL_ID
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt_stream, collect, fold, railway
from devstack import event_stream
from devstack.environment import REGION
from devstack.failures import refusal
from devstack.ingestion.readers import text_of
from devstack.model import Model

type Json = dict[str, Any]  # Any: JSON
type Event = tuple[str, Json]

_TIMEOUT = httpx.Timeout(120, connect=5)
_ENDS: Final[Mapping[str | None, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}
_MOST_OF_A_REFUSAL = 500
_NO_END = "malformed_model_output"
_UNSEEN: Final = frozenset({"image", "video", "audio"})


def _refused(error: httpx.HTTPStatusError) -> ErrorDetail:
    answer = error.response
    said = f"The model server answered with status {answer.status_code}: {answer.text[:_MOST_OF_A_REFUSAL]}"
    return bad_request(said) if answer.status_code == httpx.codes.BAD_REQUEST else refusal(said)


_ERRORS = ErrorTable.of(
    (httpx.HTTPStatusError, _refused),
    (httpx.HTTPError, lambda _: refusal("The model server cannot be reached.")),
)


class ChatModels:
    """These operations in front of `otherwise`, which gets every other request."""

    def __init__(self, model: Model, api_key: str) -> None:
        self._model = model
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, headers={"Authorization": f"Bearer {api_key}"})

    def in_front_of(self, otherwise: ASGIApp) -> ASGIApp:
        return Router(
            routes=[
                Route("/model/{model_id:path}/converse", self._converse, methods=["POST"]),
                Route("/model/{model_id:path}/converse-stream", self._converse_stream, methods=["POST"]),
                Route("/foundation-models", self._list, methods=["GET"]),
            ],
            default=otherwise,
            redirect_slashes=False,
        )

    async def _list(self, _: Request) -> Response:
        summary = {
            "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{DEFAULT_MODEL_ID}",
            "modelId": DEFAULT_MODEL_ID,
            "modelName": f"{self._model.name} on this machine",
            "providerName": "Local",
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": True,
            "customizationsSupported": [],
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
        return JSONResponse({"modelSummaries": [summary]})

    async def _converse(self, request: Request) -> Response:
        return fold(await self._whole(await request.json()), success=JSONResponse, failure=_refusal)

    async def _converse_stream(self, request: Request) -> Response:
        events = self._events(await request.json())
        first = await anext(events)
        match first:
            case Success(event):
                return StreamingResponse(_framed(event, events), media_type=event_stream.CONTENT_TYPE)
            case Failure(error):
                await events.aclose()
                return _refusal(error)

    @railway
    async def _whole(self, given: Json) -> Result[Json, ErrorDetail]:
        events = collect([event async for event in self._events(given)]).unwrap()
        text = "".join(body["delta"]["text"] for kind, body in events if kind == "contentBlockDelta")
        (end,) = (body for kind, body in events if kind == "messageStop")
        (counted,) = (body for kind, body in events if kind == "metadata")
        return Success({"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, **end, **counted})

    async def _events(self, given: Json) -> AsyncGenerator[Result[Event, ErrorDetail]]:
        """A Failure is the last, and then often the only one."""
        match asked(given):
            case Failure(error):
                yield Failure(error)
            case Success(question):
                async with aclosing(attempt_stream(self._said, question, errors=_ERRORS)) as events:
                    async for event in events:
                        yield event

    async def _said(self, question: Json) -> AsyncGenerator[Event]:
        begun = time.monotonic()
        end: str | None = None
        counted: Mapping[str, int] = {}
        stream = {"model": self._model.name, "stream": True, "stream_options": {"include_usage": True}}
        async with self._client.stream(
            "POST", f"{self._model.base_url}/chat/completions", json={**question, **stream}
        ) as answer:
            if answer.is_error:
                await answer.aread()
            answer.raise_for_status()
            yield "messageStart", {"role": "assistant"}
            async for chunk in _chunks(answer):
                counted = chunk.get("usage") or counted
                for choice in chunk.get("choices") or ():
                    end = choice.get("finish_reason") or end
                    if text := (choice.get("delta") or {}).get("content"):
                        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}
        yield "contentBlockStop", {"contentBlockIndex": 0}
        yield "messageStop", {"stopReason": _ENDS.get(end, _NO_END)}
        given, made = counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0)
        usage = {"inputTokens": given, "outputTokens": made, "totalTokens": given + made}
        yield "metadata", {"usage": usage, "metrics": {"latencyMs": round((time.monotonic() - begun) * 1000)}}


def asked(given: Json) -> Result[Json, ErrorDetail]:
    """What an OpenAI-compatible server is asked in the place of a request to Bedrock. Fails with `bad_request` for
    what cannot be said as text."""
    settings = given.get("inferenceConfig") or {}
    names = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
    system = [
        {"role": "system", "content": "\n\n".join(part["text"] for part in given.get("system") or () if "text" in part)}
    ]
    return collect(_message(message) for message in given["messages"]).map(
        lambda messages: {
            "messages": [message for message in (*system, *messages) if message["content"]],
            **{names[name]: value for name, value in settings.items() if name in names},
        }
    )


def _message(message: Json) -> Result[Json, ErrorDetail]:
    texts = collect(_text(block) for block in message["content"])
    return texts.map(lambda said: {"role": message["role"], "content": "\n\n".join(text for text in said if text)})


def _text(block: Json) -> Result[str, ErrorDetail]:
    """Empty for what has none: a request for a tool, a cache mark, reasoning."""
    match block:
        case {"text": str(text)}:
            return Success(text)
        case {"document": {"name": name, "format": kind, "source": {"bytes": str(data)}}}:
            return text_of(f"{name}.{kind}", base64.b64decode(data)).map(lambda text: f"{name}:\n{text}")
        case {"toolResult": {"content": content}}:
            return collect(_text(part) for part in content).map("\n".join)
    unseen = _UNSEEN & block.keys()
    if unseen:
        return Failure(bad_request(f"This model doesn't support the {min(unseen)} content block that you provided."))
    return Success("")


async def _chunks(answer: httpx.Response) -> AsyncIterator[Json]:
    async for line in answer.aiter_lines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":
            yield json.loads(data)


async def _framed(first: Event, others: AsyncIterator[Result[Event, ErrorDetail]]) -> AsyncIterator[bytes]:
    yield _event(first)
    async for item in others:
        match item:
            case Success(event):
                yield _event(event)
            case Failure(error):
                yield _frame(
                    {":message-type": "exception", ":exception-type": "modelStreamErrorException"}, _said(error)
                )


def _event(event: Event) -> bytes:
    kind, body = event
    return _frame({":message-type": "event", ":event-type": kind}, body)


def _frame(headers: Mapping[str, str], body: Json) -> bytes:
    return event_stream.frame(headers, json.dumps(body).encode())


def _refusal(error: ErrorDetail) -> Response:
    is_callers = error.code is ErrorCode.BAD_REQUEST
    status, kind = (400, "ValidationException") if is_callers else (503, "ServiceUnavailableException")
    return JSONResponse(_said(error), status, headers={"x-amzn-ErrorType": kind})


def _said(error: ErrorDetail) -> Json:
    return {"message": error.message}
