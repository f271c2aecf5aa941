"""The event stream, seen by an SSE client."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.http import EventStream, ResultRouter, create_service, sse
from apis.shared.result import Failure, Result, Success
from tests.support.chat_client import ERROR_SEQUENCE
from tests.support.platform import until
from tests.support.serving import serving


@dataclass(frozen=True)
class Delta:
    text: Any
    event: str = "content_block_delta"

    def payload(self) -> dict[str, object]:
        return {"text": self.text}


MODEL_FAILED = ErrorDetail(code=ErrorCode.MODEL_ERROR, message="The provider refused.").with_recovery(
    recoverable=True, retry_after=5
)


class Scripts:
    """What each stream yields, and what happened to it."""

    def __init__(self) -> None:
        self.recorded: list[tuple[ErrorCode, str]] = []
        self.record: Result[None, ErrorDetail] = Success(None)
        self.closed = asyncio.Event()

    async def run(self, name: str) -> AsyncIterator[Result[Delta, ErrorDetail]]:
        try:
            if name != "early":
                yield Success(Delta("Hel"))
            if name in {"early", "late"}:
                yield Failure(MODEL_FAILED)
            elif name == "bug":
                msg = "secret"
                raise RuntimeError(msg)
            elif name == "unserialisable":
                yield Success(Delta(object()))
            elif name == "nan":
                yield Success(Delta(float("nan")))
            elif name == "endless":
                await asyncio.sleep(3600)
            elif name == "slow":
                await asyncio.sleep(0.25)
            yield Success(Delta("lo"))
        finally:
            await asyncio.sleep(0.01)
            self.closed.set()

    async def record_failure(self, error: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        self.recorded.append((error.code, text))
        return self.record


@pytest.fixture
async def scripts() -> Scripts:
    return Scripts()


@pytest.fixture
async def client(scripts: Scripts) -> AsyncIterator[httpx.AsyncClient]:
    router = ResultRouter()

    @router.get("/stream/{name}")
    async def stream(name: str) -> Result[EventStream, ErrorDetail]:
        return Success(EventStream(scripts.run(name), session_id="s1", record_failure=scripts.record_failure))

    app = create_service(
        title="t",
        description="",
        version="1",
        tags=[],
        routers=[router],
        origins=[],
        max_body_bytes=10,
        compress=True,
        open_routes={("GET", "/stream/{name}")},
    )
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def read(client: httpx.AsyncClient, name: str) -> tuple[httpx.Response, list[tuple[str, Any]]]:
    async with aconnect_sse(client, "GET", f"/stream/{name}") as source:
        events = [(event.event, json.loads(event.data)) async for event in source.aiter_sse()]
    return source.response, events


def names(events: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in events]


async def test_a_stream_and_its_headers(client: httpx.AsyncClient) -> None:
    response, events = await read(client, "plain")
    assert events == [("content_block_delta", {"text": "Hel"}), ("content_block_delta", {"text": "lo"}), ("done", {})]
    headers = response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")
    assert headers["x-session-id"] == "s1"
    assert "content-encoding" not in headers
    assert "x-error-code" not in headers


async def test_a_failure_before_the_first_byte(client: httpx.AsyncClient, scripts: Scripts) -> None:
    response, events = await read(client, "early")
    assert (response.status_code, response.headers["x-error-code"]) == (200, "model_error")
    assert names(events) == ERROR_SEQUENCE
    data = dict(events)
    shown = data["content_block_delta"]["text"]
    assert data["message_start"] == {"role": "assistant"}
    assert data["message_stop"] == {"stopReason": "error"}
    assert data["stream_error"] == {
        "type": "stream_error",
        "code": "model_error",
        "message": shown,
        "recoverable": True,
        "retry_after": 5,
        "metadata": {"session_id": "s1"},
    }
    assert scripts.recorded == [(ErrorCode.MODEL_ERROR, shown)]


async def test_a_failure_in_mid_stream(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="apis.requests")
    response, events = await read(client, "late")
    assert "x-error-code" not in response.headers
    assert names(events) == ["content_block_delta", *ERROR_SEQUENCE]

    async def written() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "apis.requests"]

    # It is written after the last byte.
    (record,) = await until(written)
    assert (record.__dict__["code"], record.__dict__["status"]) == ("model_error", 200)


@pytest.mark.parametrize("name", ["bug", "unserialisable", "nan"])
async def test_what_cannot_be_sent_ends_the_turn(client: httpx.AsyncClient, name: str) -> None:
    _, events = await read(client, name)
    assert names(events) == ["content_block_delta", *ERROR_SEQUENCE]
    error = dict(events)["stream_error"]
    assert (error["code"], error["recoverable"]) == ("stream_error", False)
    assert "secret" not in json.dumps(events)


async def test_a_failure_that_cannot_be_stored_says_so(client: httpx.AsyncClient, scripts: Scripts) -> None:
    scripts.record = Failure(internal_error())
    _, events = await read(client, "early")
    assert names(events) == ERROR_SEQUENCE
    assert dict(events)["stream_error"]["metadata"] == {"session_id": "s1", "persisted": False}


async def test_a_client_that_hangs_up_closes_the_stream(client: httpx.AsyncClient, scripts: Scripts) -> None:
    async with aconnect_sse(client, "GET", "/stream/endless") as source:
        await anext(source.aiter_sse())
    await asyncio.wait_for(scripts.closed.wait(), timeout=2)
    assert scripts.recorded == []


async def test_a_silent_stream_is_kept_alive(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.1)
    _, events = await read(client, "slow")
    assert names(events)[:3] == ["content_block_delta", "ping", "ping"]
    assert dict(events)["ping"] == {}
    assert names(events)[-2:] == ["content_block_delta", "done"]
