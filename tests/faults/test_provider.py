"""Failures of the model provider, and requests that make no sense."""

import asyncio
from typing import Any

import pytest

from tests.faults.scenario import MESSAGE, new_case, say
from tests.support.platform import Platform

PROVIDER = [
    ("[status 401]", "model_error", False),
    ("[status 403]", "model_error", False),
    ("[status 404]", "model_error", False),
    ("[status 400]", "model_error", False),
    ("[status 429]", "model_error", True),
    ("[status 500]", "service_unavailable", True),
    ("[status 503]", "service_unavailable", True),
    ("[reset]", "service_unavailable", True),
    ("[reset later]", "service_unavailable", True),
    ("[garbage]", "service_unavailable", True),
    ("[garbage later]", "service_unavailable", True),
]


@pytest.mark.parametrize(("order", "code", "recoverable"), PROVIDER, ids=[row[0] for row in PROVIDER])
async def test_a_failing_provider_is_told_and_the_conversation_goes_on(
    tables: Platform, order: str, code: str, recoverable: bool
) -> None:
    case = new_case(tables)
    turn = await say(tables, case, f"{order} {MESSAGE}")
    assert turn.failure is not None
    assert (turn.error["code"], turn.error["recoverable"]) == (code, recoverable)
    assert turn.names[-2:] == ["stream_error", "done"]
    assert [word for word in tables.internals if word in turn.visible] == []
    assert (await say(tables, case, "and now?")).failure is None
    roles = [message["role"] for message in await tables.messages(case.session_id, user=case.user)]
    assert roles == ["user", "assistant", "user", "assistant"]


NONSENSE: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/invocations", {"content": b"{"}, 422, "validation_error"),
    ("POST", "/invocations", {"json": []}, 422, "validation_error"),
    ("POST", "/invocations", {"json": {"session_id": 1, "message": {}}}, 422, "validation_error"),
    ("POST", "/invocations", {"json": {"session_id": "../x", "message": "x"}}, 422, "validation_error"),
    ("POST", "/invocations", {"json": {"session_id": "a", "message": " "}}, 422, "validation_error"),
    ("GET", "/invocations", {}, 405, "bad_request"),
    ("GET", "/no/such/path", {}, 404, "not_found"),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "code"), NONSENSE)
async def test_nonsense_is_refused(
    tables: Platform, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    case = new_case(tables)
    answer = await tables.inference_api.http.request(method, path, headers=case.user.headers, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic abc"])
async def test_a_bad_token_is_unauthorized(tables: Platform, token: str) -> None:
    for client, method, path in (
        (tables.app_api.http, "GET", "/sessions"),
        (tables.inference_api.http, "POST", "/invocations"),
    ):
        body = {"session_id": "a", "message": "x"} if method == "POST" else None
        answer = await client.request(method, path, headers={"Authorization": token}, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_same_message_twice_at_once_is_answered_once(tables: Platform) -> None:
    case = new_case(tables)
    first = asyncio.create_task(say(tables, case, "[slow] first"))
    await tables.asked("[slow] first")
    second = await say(tables, case, "[slow] first")
    first.cancel()
    assert (second.status, second.body["code"]) == (409, "conflict")


async def test_a_client_that_hangs_up_frees_the_session(tables: Platform) -> None:
    case = new_case(tables)
    streaming = asyncio.create_task(say(tables, case, "[slow] tell me"))
    await tables.asked("[slow] tell me")
    await asyncio.sleep(0.2)
    streaming.cancel()
    async with asyncio.timeout(6):
        assert (await say(tables, case, "and now?")).failure is None
    stored = await tables.messages(case.session_id, user=case.user)
    assert [message["role"] for message in stored] == ["user", "assistant", "user", "assistant"]
    assert stored[1]["content"][-1]["text"] == "Session stopped by user"
