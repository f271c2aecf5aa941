"""The requests whose every AWS call is failed in turn."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.platform import Case, Platform, StreamedTurn
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

    @property
    def is_unstored(self) -> bool:
        """The client was told that the failed turn could not be stored."""
        return self.error is not None and self.error.get("metadata", {}).get("persisted") is False


@dataclass(frozen=True, slots=True)
class Scenario:
    """`act` is the one request under fault, `arrange` comes before it, `verify` when the fault is lifted.

    `verify` is also told whether the client was told that the failed turn could not be stored. `own_error` is the code
    of a request that fails without any fault. `background` work goes on after the answer.
    """

    name: str
    arrange: Callable[[Platform, Case], Awaitable[None]]
    act: Callable[[Platform, Case], Awaitable[Observed]]
    verify: Callable[[Platform, Case, bool], Awaitable[None]]
    own_error: str | None = None
    background: bool = False


# Faults that leave the answer right, with the contract's rule.
HARMLESS: dict[tuple[str, str, FaultKind], str] = {
    (scenario, target, kind): reason
    for target, kind, reason, *scenarios in (
        (
            "dynamodb.GetItem faults-sessions-metadata",
            FaultKind.CORRUPT_ITEM,
            "The move of a session is conditional on all that was read: it is lost, and reads again.",
            "second turn",
            "turn of a failing model",
        ),
        (
            "bedrock-agentcore.ListEvents",
            FaultKind.CORRUPT_ITEM,
            "A deletion reads the ids of events, not what they hold.",
            "delete session",
            "delete sessions",
        ),
        (
            "s3.DeleteObject faults-user-files",
            FaultKind.GARBAGE,
            "Any 2xx answer to a delete means that the object is gone.",
            "delete session",
        ),
    )
    for scenario in scenarios
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


def _http(method: str, path: str, body: Any = None) -> Callable[[Platform, Case], Awaitable[Observed]]:
    async def act(platform: Platform, case: Case) -> Observed:
        return _observed(await platform.ask(case, method, path, body(case) if callable(body) else body))

    return act


def _chat(message: str, **options: Any) -> Callable[[Platform, Case], Awaitable[Observed]]:
    async def act(platform: Platform, case: Case) -> Observed:
        turn = await platform.turn(case, message, **options)
        return Observed(turn.status, turn.request_id, turn.error, turn.visible, turn=turn)

    return act


async def _nothing(platform: Platform, case: Case) -> None:
    pass


async def _session(platform: Platform, case: Case) -> None:
    answer = await platform.ask(case, "PUT", "/sessions/{id}/metadata", {"title": "Before", "lastModel": "m"})
    assert answer.status_code == 200, answer.text


async def _conversation(platform: Platform, case: Case) -> None:
    await _session(platform, case)
    await asyncio.to_thread(platform.store_messages, case, ["one", "two"])


async def _conversation_with_costs(platform: Platform, case: Case) -> None:
    assert (await platform.turn(case, "hello")).error is None


async def _conversation_with_file(platform: Platform, case: Case) -> None:
    await _conversation(platform, case)
    await asyncio.to_thread(platform.store_file, case)


async def _two_sessions(platform: Platform, case: Case) -> None:
    await _conversation(platform, case)
    answer = await platform.ask(case, "PUT", "/sessions/{id}-2/metadata", {"title": "Second"})
    assert answer.status_code == 200, answer.text


async def _managed_model(platform: Platform, case: Case) -> None:
    await asyncio.to_thread(platform.store_managed_model, case)


async def _managed_model_and_role(platform: Platform, case: Case) -> None:
    await _managed_model(platform, case)
    await asyncio.to_thread(platform.store_role, case)


def _again(act: Callable[[Platform, Case], Awaitable[Observed]]) -> Callable[[Platform, Case, bool], Awaitable[None]]:
    """The same request now succeeds: nothing is stuck or half done."""

    async def verify(platform: Platform, case: Case, _: bool) -> None:
        observed = await act(platform, case)
        assert observed.status < 400, observed.visible
        assert not observed.partial, observed.visible

    return verify


async def _deleted(platform: Platform, case: Case, unstored: bool) -> None:
    await _again(_http("DELETE", "/sessions/{id}"))(platform, case, unstored)
    assert (await platform.ask(case, "GET", "/sessions")).json()["sessions"] == []
    assert await platform.messages(case) == []


async def _goes_on(platform: Platform, case: Case, unstored: bool) -> None:
    """Roles alternate, the session is free, and the next turn is stored and billed at its place."""
    if not unstored:
        _assert_alternating(await platform.messages(case))
    turn = await platform.turn(case, "and now?")
    assert turn.error is None, f"the next turn failed: {turn.error}"
    stored = await platform.messages(case)
    if not unstored:
        _assert_alternating(stored)
    assert [message["content"][0]["text"] for message in stored[-2:]] == ["and now?", "Hello world."]
    assert stored[-1]["metadata"]["tokenUsage"]["inputTokens"] == 1000
    billed = [message["role"] for message in stored if "metadata" in message]
    assert set(billed) == {"assistant"}, "a cost record is joined to a user message"
    session = await platform.ask(case, "GET", "/sessions/{id}/metadata")
    assert session.status_code == 200, session.text
    assert session.json()["messageCount"] >= 1


def _assert_alternating(messages: list[dict[str, Any]]) -> None:
    roles = [message["role"] for message in messages]
    assert all(first != second for first, second in itertools.pairwise(roles)), f"roles do not alternate: {roles}"
    assert not roles or roles[0] == "user", f"roles do not alternate: {roles}"


_list = _http("GET", "/sessions")
_get = _http("GET", "/sessions/{id}/metadata")
_create = _http("PUT", "/sessions/{id}/metadata", {"title": "New"})
_patch = _http("PUT", "/sessions/{id}/metadata", {"title": "After", "lastModel": "n", "tags": ["a"]})
_read = _http("GET", "/sessions/{id}/messages")
_delete = _http("DELETE", "/sessions/{id}")
_bulk = _http("POST", "/sessions/bulk-delete", lambda case: {"sessionIds": [case.session_id, f"{case.session_id}-2"]})

SCENARIOS = [
    Scenario("list sessions", _session, _list, _again(_list)),
    Scenario("get session", _session, _get, _again(_get)),
    Scenario("create session", _nothing, _create, _again(_create)),
    Scenario("change session", _session, _patch, _again(_patch)),
    Scenario("read messages", _conversation_with_costs, _read, _again(_read)),
    Scenario("delete session", _conversation_with_file, _delete, _deleted, background=True),
    Scenario("delete sessions", _two_sessions, _bulk, _again(_bulk), background=True),
    Scenario("first turn", _managed_model, _chat(MESSAGE), _goes_on),
    Scenario("second turn", _conversation_with_costs, _chat(MESSAGE), _goes_on),
    Scenario(
        "turn with a tool",
        _managed_model_and_role,
        _chat(f"[tool] {MESSAGE}", enabled_tools=["calculator"]),
        _goes_on,
    ),
    Scenario("turn of a failing model", _session, _chat(f"[status 401] {MESSAGE}"), _goes_on, own_error="model_error"),
    Scenario(
        "turn that fails midway", _nothing, _chat(f"[reset later] {MESSAGE}"), _goes_on, own_error="service_unavailable"
    ),
]
