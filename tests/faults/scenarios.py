"""The requests whose every AWS call is failed in turn."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.platform import USER_ID, Platform, StreamedTurn
from tests.support.fault_proxy import FaultKind

MESSAGE = "a message that no log may hold"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the client got. `error` is the ErrorDetail or the `stream_error`; `partial` a failure told per item."""

    status: int
    request_id: str
    error: dict[str, Any] | None
    visible: str
    partial: bool = False
    turn: StreamedTurn | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """`act` is the one request under fault, `arrange` comes before it, `verify` when the fault is lifted.

    All three get the id of a session that no other case uses. `own_error` is the code of a request that fails without
    any fault. `background` work goes on after the answer.
    """

    name: str
    arrange: Callable[[Platform, str], Awaitable[None]]
    act: Callable[[Platform, str], Awaitable[Observed]]
    verify: Callable[[Platform, str], Awaitable[None]]
    own_error: str | None = None
    background: bool = False


# Faults that leave the answer right, with the contract's rule.
HARMLESS: dict[tuple[str, str, FaultKind], str] = {
    ("s3", "DeleteObject", FaultKind.RESET): "An answer without a body is complete before the connection breaks.",
    ("s3", "DeleteObject", FaultKind.GARBAGE): "Any 2xx answer to a delete means that the object is gone.",
}


def _observed(response: httpx.Response) -> Observed:
    body = response.json() if response.content else {}
    failed_items = [item for item in body.get("results", ()) if not item["success"]] if response.is_success else []
    return Observed(
        response.status_code,
        response.headers["x-request-id"],
        None if response.is_success else body,
        response.text,
        partial=bool(failed_items),
    )


def _http(method: str, path: str, body: Any = None) -> Callable[[Platform, str], Awaitable[Observed]]:
    async def act(platform: Platform, session_id: str) -> Observed:
        content = body(session_id) if callable(body) else body
        return _observed(await platform.app_client.request(method, path.format(id=session_id), json=content))

    return act


def _chat(message: str, **options: Any) -> Callable[[Platform, str], Awaitable[Observed]]:
    async def act(platform: Platform, session_id: str) -> Observed:
        chosen = {name: value.format(id=session_id) if name == "model_id" else value for name, value in options.items()}
        turn = await platform.turn(session_id, message, **chosen)
        return Observed(turn.status, turn.request_id, turn.error, turn.visible, turn=turn)

    return act


async def _nothing(platform: Platform, session_id: str) -> None:
    pass


async def _session(platform: Platform, session_id: str) -> None:
    answer = await platform.app_client.put(
        f"/sessions/{session_id}/metadata", json={"title": "Before", "lastModel": "m"}
    )
    assert answer.status_code == 200


async def _conversation(platform: Platform, session_id: str) -> None:
    await _session(platform, session_id)
    await asyncio.to_thread(platform.store_messages, session_id, ["one", "two"])


async def _conversation_with_costs(platform: Platform, session_id: str) -> None:
    assert (await platform.turn(session_id, "hello")).error is None


async def _conversation_with_file(platform: Platform, session_id: str) -> None:
    await _conversation(platform, session_id)
    await asyncio.to_thread(platform.store_file, session_id)


async def _two_sessions(platform: Platform, session_id: str) -> None:
    await _conversation(platform, session_id)
    await _session(platform, f"{session_id}-2")


async def _managed_model(platform: Platform, session_id: str) -> None:
    await asyncio.to_thread(platform.store_managed_model, f"gpt-{session_id}")


async def _first_of_the_month(platform: Platform, session_id: str) -> None:
    """The user has no summary yet, and the model is priced."""

    def forget_summary() -> None:
        table = platform.environment["DYNAMODB_COST_SUMMARY_TABLE_NAME"]
        dynamodb = platform.boto("dynamodb")
        for item in dynamodb.scan(TableName=table)["Items"]:
            dynamodb.delete_item(TableName=table, Key={"PK": item["PK"], "SK": item["SK"]})

    await asyncio.gather(asyncio.to_thread(forget_summary), _managed_model(platform, session_id))


def _again(act: Callable[[Platform, str], Awaitable[Observed]]) -> Callable[[Platform, str], Awaitable[None]]:
    """The same request now succeeds: nothing is stuck or half done."""

    async def verify(platform: Platform, session_id: str) -> None:
        observed = await act(platform, session_id)
        assert observed.status < 400, observed.visible
        assert not observed.partial, observed.visible

    return verify


async def _deleted(platform: Platform, session_id: str) -> None:
    await _again(_http("DELETE", "/sessions/{id}"))(platform, session_id)
    listed = await platform.app_client.get("/sessions?limit=20")
    assert session_id not in {session["sessionId"] for session in listed.json()["sessions"]}
    assert await platform.messages(session_id) == []


async def _goes_on(platform: Platform, session_id: str) -> None:
    """Roles alternate, the session is free, and the next turn is stored and billed at its place."""
    _assert_alternating(await platform.messages(session_id))
    turn = await platform.turn(session_id, "and now?")
    assert turn.error is None, turn.visible
    stored = await platform.messages(session_id)
    _assert_alternating(stored)
    assert [stored[-2]["content"][0]["text"], stored[-1]["content"][0]["text"]] == ["and now?", "Hello world."]
    assert stored[-1]["metadata"]["tokenUsage"]["inputTokens"] == 1000
    billed = [index for index, message in enumerate(stored) if "metadata" in message]
    assert all(stored[index]["role"] == "assistant" for index in billed), "a cost record is joined to a user message"
    session = await platform.app_client.get(f"/sessions/{session_id}/metadata")
    assert session.status_code == 200
    assert session.json()["messageCount"] >= 1


def _assert_alternating(messages: list[dict[str, Any]]) -> None:
    roles = [message["role"] for message in messages]
    assert all(first != second for first, second in itertools.pairwise(roles)), f"roles do not alternate: {roles}"
    assert not roles or roles[0] == "user", f"roles do not alternate: {roles}"


_list = _http("GET", "/sessions?limit=5")
_get = _http("GET", "/sessions/{id}/metadata")
_create = _http("PUT", "/sessions/{id}/metadata", {"title": "New"})
_patch = _http("PUT", "/sessions/{id}/metadata", {"title": "After", "lastModel": "n", "tags": ["a"]})
_read = _http("GET", "/sessions/{id}/messages")
_delete = _http("DELETE", "/sessions/{id}")
_bulk = _http("POST", "/sessions/bulk-delete", lambda session_id: {"sessionIds": [session_id, f"{session_id}-2"]})

SCENARIOS = [
    Scenario("list sessions", _session, _list, _again(_list)),
    Scenario("get session", _session, _get, _again(_get)),
    Scenario("create session", _nothing, _create, _again(_create)),
    Scenario("change session", _session, _patch, _again(_patch)),
    Scenario("read messages", _conversation_with_costs, _read, _again(_read)),
    Scenario("delete session", _conversation_with_file, _delete, _deleted, background=True),
    Scenario("delete sessions", _two_sessions, _bulk, _again(_bulk), background=True),
    Scenario("first turn", _first_of_the_month, _chat(MESSAGE, model_id="gpt-{id}"), _goes_on),
    Scenario("second turn", _conversation_with_costs, _chat(MESSAGE), _goes_on),
    Scenario(
        "turn with a tool",
        _managed_model,
        _chat(f"[tool] {MESSAGE}", model_id="gpt-{id}", enabled_tools=["calculator"]),
        _goes_on,
    ),
    Scenario("turn of a failing model", _session, _chat(f"[status 401] {MESSAGE}"), _goes_on, own_error="model_error"),
    Scenario(
        "turn that fails midway", _nothing, _chat(f"[reset later] {MESSAGE}"), _goes_on, own_error="service_unavailable"
    ),
]

__all__ = ["HARMLESS", "MESSAGE", "SCENARIOS", "USER_ID", "Observed", "Scenario"]
