"""What is stored for a session, what stored data of the previous system is read as, and how few calls it takes."""

import asyncio
import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from apis.shared.aws.dynamodb import Table
from apis.shared.result import Failure, Success, error_of
from apis.shared.sessions.dynamodb import DynamoSessions
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import TurnPreferences
from apis.shared.wiring import forget_all
from tests.integration.sessions.conftest import ADA, BOB
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform

PREFERENCES = TurnPreferences("m9", 0.2, ["calculator"], "abcdef0123456789")


@pytest.fixture(scope="module")
def service(tables: Platform) -> Iterator[SessionService]:
    """The service that both APIs use, in this process, on the same tables."""
    aws = {name: value for name, value in tables.variables.items() if name.startswith("AWS_")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.items():
            patch.setenv(name, value)
        forget_all()
        assert os.environ["AWS_ENDPOINT_URL"] == tables.proxy.url
        yield SessionService(DynamoSessions(Table(tables.variables[stored.SESSIONS])))


@pytest.fixture
async def ada(tables: Platform) -> httpx.AsyncClient:
    return tables.client(ADA)


@pytest.fixture
def session_id() -> str:
    return str(uuid.uuid4())


async def test_a_created_item(tables: Platform, ada: httpx.AsyncClient, session_id: str) -> None:
    created = (await ada.put(f"/sessions/{session_id}/metadata", json={"lastModel": "m1"})).json()
    (item,) = tables.of_session(ADA, session_id)
    assert item == {
        "PK": f"USER#{ADA}",
        "SK": f"S#ACTIVE#{created['lastMessageAt']}#{session_id}",
        "GSI_PK": f"SESSION#{session_id}",
        "GSI_SK": "META",
        "sessionId": session_id,
        "userId": ADA,
        "title": "New Conversation",
        "status": "active",
        "createdAt": created["createdAt"],
        "lastMessageAt": created["lastMessageAt"],
        "messageCount": 0,
        "starred": False,
        "tags": [],
        "preferences": {"lastModel": "m1"},
    }


async def test_e7_a_turn_moves_the_record_with_all_it_holds(
    tables: Platform, ada: httpx.AsyncClient, service: SessionService, session_id: str
) -> None:
    compaction = {"checkpoint": 8, "summary": None, "lastInputTokens": 120000, "updatedAt": "x"}
    unknown: dict[str, Any] = {"assistant_id": "ast-1", "weight": Decimal("0.12345678901234567890123")}
    record = stored.session(
        ADA, session_id, compaction=compaction, preferences={"customPromptText": "p", "lastModel": "m1"}, **unknown
    )
    before = record.item
    tables.store(record)
    known = (await service.check_turn(ADA, session_id)).unwrap()
    assert error_of(await service.complete_turn(ADA, session_id, PREFERENCES, known)) is None
    (after,) = tables.of_session(ADA, session_id)
    assert after.pop("lastMessageAt") > before["lastMessageAt"]
    assert after.pop("SK") != before["SK"]
    assert after == {
        **{name: value for name, value in before.items() if name not in {"SK", "lastMessageAt"}},
        "messageCount": 2,
        "preferences": {
            "customPromptText": "p",
            "lastModel": "m9",
            "lastTemperature": Decimal("0.2"),
            "enabledTools": ["calculator"],
            "systemPromptHash": "abcdef0123456789",
        },
    }
    assert (await ada.get("/sessions", params={"limit": 1})).json()["sessions"][0]["sessionId"] == session_id


async def test_a_turn_creates_the_record_of_a_new_session(
    tables: Platform, service: SessionService, session_id: str
) -> None:
    assert await service.check_turn(ADA, session_id) == Success(None)
    assert error_of(await service.complete_turn(ADA, session_id, PREFERENCES, None)) is None
    (item,) = tables.of_session(ADA, session_id)
    assert (item["title"], item["messageCount"], item["createdAt"]) == ("New Conversation", 1, item["lastMessageAt"])
    assert await service.ensure_record(ADA, session_id) == Success(None)
    (item,) = tables.of_session(ADA, session_id)
    assert (item["messageCount"], item["createdAt"] < item["lastMessageAt"]) == (1, True)


async def test_racing_turns_are_both_counted(tables: Platform, service: SessionService, session_id: str) -> None:
    tables.store(stored.session(ADA, session_id))
    known = (await service.check_turn(ADA, session_id)).unwrap()
    outcomes = await asyncio.gather(*(service.complete_turn(ADA, session_id, PREFERENCES, known) for _ in range(2)))
    assert [error_of(outcome) for outcome in outcomes] == [None] * 2
    (item,) = tables.of_session(ADA, session_id)
    assert item["messageCount"] == 3


async def test_nothing_revives_a_deleted_session(
    tables: Platform, ada: httpx.AsyncClient, service: SessionService, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id))
    known = (await service.check_turn(ADA, session_id)).unwrap()
    await ada.delete(f"/sessions/{session_id}")
    late = await service.complete_turn(ADA, session_id, PREFERENCES, known)
    assert isinstance(late, Failure)
    assert late.failure().code == "not_found"
    assert (await service.check_turn(ADA, session_id)).failure().code == "not_found"
    (item,) = tables.of_session(ADA, session_id)
    assert str(item["SK"]).startswith("S#DELETED#")


async def test_a_foreign_session_is_refused_to_a_turn(
    tables: Platform, service: SessionService, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id))
    assert (await service.check_turn(BOB, session_id)).failure().code == "not_found"
    assert (await service.ensure_record(BOB, session_id)).failure().code == "not_found"
    assert tables.of_session(BOB, session_id) == []


async def test_deleting_removes_all_records_of_the_caller_and_keeps_costs(
    tables: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id, at="2025-01-01T00:00:00+00:00"))
    tables.store(
        stored.session(
            ADA, session_id, preferences={"lastModel": "m", "assistantId": None}, compaction={"checkpoint": 1}
        )
    )
    tables.store(stored.session(BOB, session_id))
    tables.store(stored.cost_record(ADA, session_id, 1, cost=1))
    assert (await ada.delete(f"/sessions/{session_id}")).status_code == 204
    (item,) = tables.of_session(ADA, session_id)
    assert str(item["SK"]) == f"S#DELETED#{item['deletedAt']}#{session_id}"
    assert (item["preferences"], item["title"], item["GSI_PK"]) == ({"lastModel": "m"}, "Old", f"SESSION#{session_id}")
    assert "ttl" not in item
    assert len(tables.of_session(BOB, session_id)) == 1
    assert tables.of_session(ADA, session_id, "C#")


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({"title": None}, {"title": ""}),
        ({"status": None, "createdAt": None, "messageCount": None}, {"status": "active", "messageCount": 0}),
        ({"preferences": {"lastModel": "m", "assistantId": None}}, {"preferences": {"lastModel": "m"}}),
        ({"preferences": {"own": {"a": None}}}, {"preferences": {"own": {"a": None}}}),
        ({"starred": None, "tags": None}, {"starred": False, "tags": []}),
        ({"compaction": {"checkpoint": 1}, "assistant_id": "x", "deleted": None}, {"deleted": False}),
        ({"createdAt": "2025-01-15T10:30:45Z"}, {"createdAt": "2025-01-15T10:30:45Z"}),
    ],
)
async def test_incomplete_records_are_read_with_defaults(
    tables: Platform, ada: httpx.AsyncClient, session_id: str, attributes: dict[str, Any], shown: dict[str, Any]
) -> None:
    tables.store(stored.session(ADA, session_id, **attributes))
    body = (await ada.get(f"/sessions/{session_id}/metadata")).json()
    assert {name: body.get(name) for name in shown} == shown
    assert not {"userId", "compaction", "assistant_id", "PK", "SK", "GSI_PK"} & body.keys()
    assert (await ada.put(f"/sessions/{session_id}/metadata", json={"lastModel": "new"})).json()["preferences"][
        "lastModel"
    ] == "new"


async def test_several_records_of_one_id(tables: Platform, ada: httpx.AsyncClient, session_id: str) -> None:
    tables.store(stored.session(ADA, session_id, at="2025-01-01T00:00:00+00:00", title="older"))
    tables.store(stored.session(ADA, session_id, title="newer"))
    tables.store(stored.session(ADA, session_id, title="gone", SK=f"S#DELETED#2026-01-01T00:00:00+00:00#{session_id}"))
    assert (await ada.get(f"/sessions/{session_id}/metadata")).json()["title"] == "newer"
    listed = [s["title"] for s in (await ada.get("/sessions")).json()["sessions"] if s["sessionId"] == session_id]
    assert listed == ["newer"]


async def test_a_record_without_session_id_fails_the_list(tables: Platform) -> None:
    user = "000000666"
    tables.put(
        stored.SESSIONS, {"PK": f"USER#{user}", "SK": "S#ACTIVE#2025-01-01T00:00:00+00:00#x", "title": "secret title"}
    )
    async with tables.client(user) as client:
        answer = await client.get("/sessions")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret title" not in answer.text


async def test_records_of_older_layouts_are_ignored(tables: Platform, session_id: str) -> None:
    user = "000000667"
    tables.put(stored.SESSIONS, {"PK": f"USER#{user}", "SK": f"SESSION#{session_id}", "title": "old layout"})
    tables.put(stored.SESSIONS, {"PK": f"USER#{user}", "SK": f"SESSION#{session_id}#MSG#1"})
    async with tables.client(user) as client:
        assert (await client.get("/sessions")).json()["sessions"] == []


def claims(tables: Platform, session_id: str) -> list[Any]:
    return tables.items(stored.SESSIONS, f"CLAIM#{session_id}")


async def test_a_record_of_the_previous_system_is_claimed_when_it_moves(
    tables: Platform, ada: httpx.AsyncClient, service: SessionService, session_id: str
) -> None:
    """The index may show a moved record nowhere for a moment; the claim then stops a second one."""
    tables.store(stored.session(ADA, session_id))
    assert claims(tables, session_id) == []
    assert await service.ensure_record(ADA, session_id) == Success(None)
    assert len(claims(tables, session_id)) == 1
    other = str(uuid.uuid4())
    tables.store(stored.session(ADA, other))
    assert (await ada.delete(f"/sessions/{other}")).status_code == 204
    assert len(claims(tables, other)) == 1
    record = (await service.get_session(ADA, other)).unwrap()
    repository = DynamoSessions(Table(tables.variables[stored.SESSIONS]))
    assert (await repository.create(record)).failure().code == "conflict"


async def test_a_second_delete_state_of_older_data_is_removed_too(
    tables: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id))
    tables.store(stored.session(ADA, session_id, SK=f"S#DELETED#2026-01-01T00:00:00+00:00#{session_id}", deleted=True))
    assert (await ada.delete(f"/sessions/{session_id}")).status_code == 204
    (item,) = tables.of_session(ADA, session_id)
    assert str(item["SK"]) == f"S#DELETED#{item['deletedAt']}#{session_id}"


async def test_a_turn_of_the_same_moment_stays_where_it_is(
    tables: Platform, service: SessionService, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id, own={"a": None}, preferences={"assistantId": "x"}))
    record = (await service.get_session(ADA, session_id)).unwrap()
    repository = DynamoSessions(Table(tables.variables[stored.SESSIONS]))
    with tables.proxy.recording() as recording:
        outcome = await repository.advance(record, record.last_message_at, turns=1, preferences={"lastModel": "m"})
    assert error_of(outcome) is None
    assert [call.target.operation for call in recording.calls] == ["GetItem", "UpdateItem"]
    (item,) = tables.of_session(ADA, session_id)
    assert (item["messageCount"], item["own"]) == (2, {"a": None})
    assert item["preferences"] == {"assistantId": "x", "lastModel": "m"}


@pytest.mark.parametrize("present", [{}, {"preferences": None}, {"preferences": {}}, {"preferences": {"own": [1]}}])
async def test_preferences_in_every_form_of_older_data_can_be_changed(
    tables: Platform, ada: httpx.AsyncClient, session_id: str, present: dict[str, Any]
) -> None:
    tables.store(stored.session(ADA, session_id, **present))
    changed = await ada.put(f"/sessions/{session_id}/metadata", json={"lastModel": "m", "lastTemperature": 0})
    expected = {**(present.get("preferences") or {}), "lastModel": "m", "lastTemperature": 0.0}
    assert changed.json()["preferences"] == expected
    (item,) = tables.of_session(ADA, session_id)
    assert item["preferences"] == expected


@pytest.mark.parametrize("body", [{"tags": ["x" * 1000] * 500}, {"customPromptText": "x" * 500_000}])
@pytest.mark.parametrize("exists", [True, False])
async def test_a_record_that_would_be_too_large(
    tables: Platform, ada: httpx.AsyncClient, session_id: str, body: dict[str, Any], exists: bool
) -> None:
    if exists:
        tables.store(stored.session(ADA, session_id))
    answer = await ada.put(f"/sessions/{session_id}/metadata", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_ids_and_tokens_that_the_store_would_refuse(tables: Platform, ada: httpx.AsyncClient) -> None:
    with tables.proxy.recording() as recording:
        assert (await ada.get(f"/sessions/{'x' * 3000}/metadata")).status_code == 404
        for place in ("x" * 2000, "\ud800"):
            key = json.dumps({"PK": f"USER#{ADA}", "SK": f"S#ACTIVE#{place}"})
            token = base64.b64encode(key.encode()).decode()
            assert (await ada.get("/sessions", params={"next_token": token})).status_code == 400
    assert recording.calls == []


async def test_a_bulk_delete_does_not_wait_for_each_session_of_a_store_that_hangs(
    tables: Platform, ada: httpx.AsyncClient
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(20)]
    started = time.monotonic()
    with tables.proxy.injecting(Fault(FaultKind.TIMEOUT, operation="Query")):
        answer = await ada.post("/sessions/bulk-delete", json={"sessionIds": ids})
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert time.monotonic() - started < 20


async def test_an_id_that_is_given_twenty_times_is_waited_for_once(
    tables: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    started = time.monotonic()
    with tables.proxy.injecting(Fault(FaultKind.TIMEOUT, operation="Query")):
        answer = await ada.post("/sessions/bulk-delete", json={"sessionIds": [session_id] * 20}, timeout=150)
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert time.monotonic() - started < 10


async def test_an_id_that_is_given_twice_is_deleted_once_and_answered_twice(
    tables: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    tables.store(stored.session(ADA, session_id))
    with tables.proxy.recording(containing=session_id) as recording:
        answer = await ada.post("/sessions/bulk-delete", json={"sessionIds": [session_id, session_id]})
    deleted = {"sessionId": session_id, "success": True, "error": None}
    assert answer.json() == {"deletedCount": 2, "failedCount": 0, "results": [deleted, deleted]}
    table = tables.variables[stored.SESSIONS]
    own = [call.target.operation for call in recording.calls if call.target.table == table]
    assert own == ["Query", "GetItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    ("method", "path", "body", "calls"),
    [
        ("GET", "/sessions", None, ["Query"]),
        ("GET", "/sessions/{id}/metadata", None, ["Query"]),
        ("PUT", "/sessions/{id}/metadata", {"title": "x", "lastModel": "m"}, ["Query", "UpdateItem"]),
        ("GET", "/sessions/{id}/messages", None, ["ListEvents", "Query"]),
    ],
)
async def test_round_trips(
    tables: Platform, ada: httpx.AsyncClient, session_id: str, method: str, path: str, body: Any, calls: list[str]
) -> None:
    tables.store(stored.session(ADA, session_id))
    with tables.proxy.recording() as recording:
        await ada.request(method, path.format(id=session_id), json=body)
    assert sorted(call.target.operation for call in recording.calls) == calls


async def test_round_trips_of_a_first_write(tables: Platform, ada: httpx.AsyncClient, session_id: str) -> None:
    with tables.proxy.recording() as recording:
        await ada.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
    assert [call.target.operation for call in recording.calls] == ["Query", "TransactWriteItems"]


async def test_round_trips_of_a_delete(tables: Platform, ada: httpx.AsyncClient, session_id: str) -> None:
    tables.store(stored.session(ADA, session_id))
    with tables.proxy.recording() as recording:
        await ada.delete(f"/sessions/{session_id}")
    # The clean-up, which no client waits for, uses other tables.
    own = [call.target.operation for call in recording.calls if call.target.table == tables.variables[stored.SESSIONS]]
    assert own == ["Query", "GetItem", "TransactWriteItems"]


async def test_round_trips_of_a_turn_end(tables: Platform, service: SessionService, session_id: str) -> None:
    tables.store(stored.session(ADA, session_id))
    known = (await service.check_turn(ADA, session_id)).unwrap()
    with tables.proxy.recording() as recording:
        assert error_of(await service.complete_turn(ADA, session_id, PREFERENCES, known)) is None
    assert [call.target.operation for call in recording.calls] == ["GetItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.THROTTLED, 503), (FaultKind.SERVER_ERROR, 503), (FaultKind.ACCESS_DENIED, 500), (FaultKind.RESET, 503)],
)
async def test_e6_e9_a_store_that_fails(
    tables: Platform, ada: httpx.AsyncClient, session_id: str, kind: FaultKind, status: int
) -> None:
    tables.store(stored.session(ADA, session_id))
    with tables.proxy.injecting(Fault(kind, operation="Query")):
        listed = await ada.get("/sessions")
        read = await ada.get(f"/sessions/{session_id}/metadata")
    assert (listed.status_code, read.status_code) == (status, status)
    assert tables.variables[stored.SESSIONS] not in listed.text + read.text
    if kind is not FaultKind.RESET:  # a reset answer leaves a delete carried out
        with tables.proxy.injecting(Fault(kind, operation="TransactWriteItems")):
            deleted = await ada.delete(f"/sessions/{session_id}")
        assert deleted.status_code == status
        assert session_id in (await ada.get("/sessions")).text


async def test_a_bulk_delete_that_fails_for_one_outage_fails(
    tables: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    other = str(uuid.uuid4())
    tables.store(stored.session(ADA, session_id), stored.session(ADA, other))
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query", containing=session_id)):
        partly = await ada.post("/sessions/bulk-delete", json={"sessionIds": [session_id, other]})
    assert (partly.json()["deletedCount"], partly.json()["failedCount"]) == (1, 1)
    assert "Session not found" not in partly.text
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query")):
        wholly = await ada.post("/sessions/bulk-delete", json={"sessionIds": [session_id]})
    assert wholly.status_code == 503
