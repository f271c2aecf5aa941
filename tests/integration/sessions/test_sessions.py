"""Session endpoints as clients see them, in both storage modes; E-numbers are the contract's acceptance examples."""

import asyncio
import base64
import json
import uuid

import httpx
import pytest

from tests.integration.sessions.conftest import ADA
from tests.support.platform import Platform


def new_id() -> str:
    return str(uuid.uuid4())


async def put(client: httpx.AsyncClient, session_id: str, **body: object) -> httpx.Response:
    return await client.put(f"/sessions/{session_id}/metadata", json=body)


async def test_e1_no_data(platform: Platform) -> None:
    async with platform.client("000000009") as nobody:
        assert (await nobody.get("/sessions")).json() == {"sessions": [], "nextToken": None}


async def test_e2_e3_create_and_change(platform: Platform, ada: httpx.AsyncClient) -> None:
    s0 = new_id()
    created = await put(ada, s0, lastModel="m1", lastTemperature=0, enabledTools=["a"], systemPromptHash="zz")
    body = created.json()
    now = body["createdAt"]
    assert now.endswith("Z")
    assert body == {
        "sessionId": s0,
        "title": "New Conversation",
        "status": "active",
        "createdAt": now,
        "lastMessageAt": now,
        "messageCount": 0,
        "starred": False,
        "tags": [],
        "preferences": {"lastModel": "m1", "lastTemperature": 0.0, "enabledTools": ["a"]},
        "deleted": False,
    }
    changed = await put(ada, s0, enabledTools=[], last_model="m2", title="", starred=True, customPromptText="")
    assert changed.json() == {
        **body,
        "starred": True,
        "preferences": {"lastModel": "m2", "lastTemperature": 0.0, "enabledTools": ["a"]},
    }
    assert (await ada.get(f"/sessions/{s0}/metadata")).json() == changed.json()
    cleared = await put(ada, s0, tags=["x"], status="archived")
    assert (cleared.json()["tags"], cleared.json()["status"]) == (["x"], "archived")
    assert (await put(ada, s0, tags=[])).json()["tags"] == []


async def test_preferences_are_added_to_a_record_without_any(platform: Platform, ada: httpx.AsyncClient) -> None:
    session_id = new_id()
    assert "preferences" not in (await put(ada, session_id, title="A")).json()
    assert (await put(ada, session_id, assistantId="ast-1")).json()["preferences"] == {"assistantId": "ast-1"}


async def test_e4_wrong_status(ada: httpx.AsyncClient) -> None:
    answer = await put(ada, new_id(), status="nope")
    assert (answer.status_code, answer.json()["field"]) == (422, "body.status")


@pytest.mark.parametrize("session_id", ["..", "a b", "-x", "x" * 101, "..%2Fevil", "a.b"])
async def test_an_id_that_the_message_store_refuses_is_not_created(ada: httpx.AsyncClient, session_id: str) -> None:
    answer = await put(ada, session_id, title="x")
    assert answer.status_code in {404, 422}  # `..` is resolved before it is sent
    assert (await ada.get(f"/sessions/{session_id}/metadata")).status_code == 404
    assert (await ada.delete(f"/sessions/{session_id}")).status_code in {404, 405}


async def test_e5_pages(platform: Platform) -> None:
    async with platform.client("000000003") as carol, platform.client("000000004") as dan:
        ids = [new_id() for _ in range(3)]
        for session_id in ids:
            await put(carol, session_id, title=session_id)
        first = (await carol.get("/sessions", params={"limit": 2})).json()
        assert [s["sessionId"] for s in first["sessions"]] == ids[:0:-1]
        second = (await carol.get("/sessions", params={"limit": 2, "next_token": first["nextToken"]})).json()
        assert [s["sessionId"] for s in second["sessions"]] == ids[:1]
        while second["nextToken"] is not None:
            second = (await carol.get("/sessions", params={"limit": 2, "next_token": second["nextToken"]})).json()
            assert second["sessions"] == []
        stolen = await dan.get("/sessions", params={"next_token": first["nextToken"]})
        if platform.in_tables:
            assert (stolen.status_code, stolen.json()["code"]) == (400, "bad_request")
            key = json.loads(base64.b64decode(first["nextToken"]))
            assert key.keys() == {"PK", "SK"}
            assert key["SK"].startswith("S#ACTIVE#")
        else:
            assert stolen.json()["sessions"] == []


@pytest.mark.parametrize("token", ["zzz", "%%%", base64.b64encode(b"\xff\xfe").decode()])
async def test_an_unreadable_token(ada: httpx.AsyncClient, token: str) -> None:
    answer = await ada.get("/sessions", params={"next_token": token})
    assert answer.status_code == 400
    assert "next_token" in answer.json()["detail"]


@pytest.mark.parametrize(
    "key",
    [
        {"PK": f"USER#{ADA}", "SK": "C#2026"},
        {"PK": "USER#somebody", "SK": "S#ACTIVE#x"},
        {"PK": f"USER#{ADA}"},
        {"PK": f"USER#{ADA}", "SK": "S#ACTIVE#x", "GSI": "x"},
        {"PK": f"USER#{ADA}", "SK": 1},
        ["PK", "SK"],
    ],
)
async def test_a_key_that_is_not_a_place_in_the_callers_list(tables: Platform, key: object) -> None:
    token = base64.b64encode(json.dumps(key).encode()).decode()
    async with tables.client(ADA) as ada:
        assert (await ada.get("/sessions", params={"next_token": token})).status_code == 400


@pytest.mark.parametrize("limit", [0, 1001, "x"])
async def test_limit_out_of_range(ada: httpx.AsyncClient, limit: object) -> None:
    answer = await ada.get("/sessions", params={"limit": str(limit)})
    assert (answer.status_code, answer.json()["field"]) == (422, "query.limit")


async def test_e8_delete(ada: httpx.AsyncClient) -> None:
    session_id = new_id()
    await put(ada, session_id, title="Gone", lastModel="m")
    assert (await ada.delete(f"/sessions/{session_id}")).status_code == 204
    assert session_id not in (await ada.get("/sessions")).text
    shown = (await ada.get(f"/sessions/{session_id}/metadata")).json()
    assert (shown["status"], shown["deleted"], shown["title"]) == ("deleted", True, "Gone")
    assert shown["deletedAt"].endswith("+00:00")
    assert (await ada.delete(f"/sessions/{session_id}")).status_code == 204
    revived = await put(ada, session_id, title="x")
    assert revived.status_code == 404
    assert revived.json()["detail"] == f"Session not found: {session_id}"
    assert (await ada.delete(f"/sessions/{new_id()}")).status_code == 404


async def test_e10_bulk_delete(ada: httpx.AsyncClient) -> None:
    s0, absent = new_id(), new_id()
    await put(ada, s0, title="x")
    answer = await ada.post("/sessions/bulk-delete", json={"sessionIds": [s0, s0, absent]})
    deleted = {"sessionId": s0, "success": True, "error": None}
    assert answer.json() == {
        "deletedCount": 2,
        "failedCount": 1,
        "results": [deleted, deleted, {"sessionId": absent, "success": False, "error": "Session not found"}],
    }
    assert (await ada.post("/sessions/bulk-delete", json={"session_ids": [s0]})).json()["deletedCount"] == 1


@pytest.mark.parametrize("ids", [[], ["x"] * 21])
async def test_bulk_delete_is_bounded(ada: httpx.AsyncClient, ids: list[str]) -> None:
    assert (await ada.post("/sessions/bulk-delete", json={"sessionIds": ids})).status_code == 422


async def test_e11_a_foreign_session_is_absent(ada: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    session_id = new_id()
    await put(ada, session_id, title="Mine")
    assert (await put(bob, session_id, title="evil")).status_code == 404
    assert (await bob.get(f"/sessions/{session_id}/metadata")).status_code == 404
    assert (await bob.delete(f"/sessions/{session_id}")).status_code == 404
    assert (await bob.get(f"/sessions/{session_id}/messages")).json() == {"messages": []}
    assert (await ada.get(f"/sessions/{session_id}/metadata")).json()["title"] == "Mine"


async def test_racing_creators_make_one_record(
    platform: Platform, ada: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    session_id = new_id()
    answers = await asyncio.gather(
        *(put(ada, session_id, title=f"t{i}") for i in range(5)), put(bob, session_id, title="b")
    )
    winners = [answer for answer in answers if answer.status_code == 200]
    assert winners
    assert {answer.status_code for answer in answers} <= {200, 404, 409}
    owners = [await client.get(f"/sessions/{session_id}/metadata") for client in (ada, bob)]
    assert sorted(answer.status_code for answer in owners) == [200, 404]
    if platform.in_tables:
        assert len(platform.of_session(ADA, session_id)) + len(platform.of_session("000000002", session_id)) == 1


async def test_racing_writers_lose_nothing(ada: httpx.AsyncClient) -> None:
    session_id = new_id()
    await put(ada, session_id, title="x")
    changes: list[dict[str, object]] = [
        {"starred": True},
        {"tags": ["t"]},
        {"lastModel": "m"},
        {"lastTemperature": 0.5},
    ]
    answers = await asyncio.gather(*(put(ada, session_id, **change) for change in changes))
    assert {answer.status_code for answer in answers} <= {200, 409}
    record = (await ada.get(f"/sessions/{session_id}/metadata")).json()
    if all(answer.status_code == 200 for answer in answers):
        assert (record["starred"], record["tags"]) == (True, ["t"])
        assert record["preferences"] == {"lastModel": "m", "lastTemperature": 0.5}


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic abc"])
async def test_a_guarded_route_without_valid_credentials(platform: Platform, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=platform.app_api.process.base_url, headers=headers) as anonymous:
        answer = await anonymous.get("/sessions", params={"limit": 0})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert isinstance(answer.json()["detail"], str)
