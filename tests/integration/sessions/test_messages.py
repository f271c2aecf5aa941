"""Reading messages with their costs, and what a delete cleans up."""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.sessions.conftest import ADA, BOB
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform

PNG = bytes.fromhex("89504e47ff")
CONVERSATION: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": PNG}}}, {"text": "  "}],
    },
    {
        "role": "assistant",
        "content": [
            {"reasoningContent": {"reasoningText": {"text": "hmm", "signature": "s"}}},
            {"text": "ok"},
            {"toolUse": {"toolUseId": "t1", "name": "calc", "input": {"a": None, "b": 1}}},
            {"cachePoint": {"type": "default"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "toolResult": {
                    "toolUseId": "t1",
                    "status": "success",
                    "content": [{"json": {"x": None}}, {"image": {"format": "png", "source": {"bytes": PNG}}}],
                }
            }
        ],
    },
    {"role": "assistant", "content": [{"text": "done"}]},
]
COST: dict[str, Any] = {
    "latency": {"timeToFirstToken": 250, "endToEndLatency": 1500},
    "tokenUsage": {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500, "cacheReadInputTokens": 200},
    "modelInfo": {
        "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "modelName": "Claude Sonnet 4.5",
        "modelVersion": "v1",
        "provider": "bedrock",
        "pricingSnapshot": {
            "inputPricePerMtok": 3.0,
            "outputPricePerMtok": 15.0,
            "cacheReadPricePerMtok": 0.3,
            "currency": "USD",
            "snapshotAt": "2025-01-15T10:30:45Z",
        },
    },
    "attribution": {"userId": ADA, "sessionId": "abc", "timestamp": "2025-01-15T10:30:45.123456+00:00"},
    "cost": 0.010935,
    "citations": [{"assistantId": "AST-1", "documentId": "DOC-1", "fileName": "a.pdf", "text": "hello"}],
}


@pytest.fixture
def session_id(platform: Platform) -> str:
    session_id = str(uuid.uuid4())
    platform.store(*stored.conversation(ADA, session_id, *CONVERSATION), stored.cost_record(ADA, session_id, 1, **COST))
    return session_id


async def test_e12_messages_with_metadata_and_pages(ada: httpx.AsyncClient, session_id: str) -> None:
    first = (await ada.get(f"/sessions/{session_id}/messages", params={"limit": 2})).json()
    assert first == {
        "messages": [
            {
                "id": f"msg-{session_id}-0",
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image", "image": {"format": "png", "data": "iVBOR/8="}},
                ],
                "createdAt": "2026-01-05T03:39:13+00:00",
            },
            {
                "id": f"msg-{session_id}-1",
                "role": "assistant",
                "content": [
                    {
                        "type": "reasoningContent",
                        "reasoningContent": {"reasoningText": {"text": "hmm", "signature": "s"}},
                    },
                    {"type": "text", "text": "ok"},
                    {"type": "toolUse", "toolUse": {"toolUseId": "t1", "name": "calc", "input": {"a": None, "b": 1}}},
                ],
                "createdAt": "2026-01-05T03:39:14+00:00",
                "metadata": {name: value for name, value in COST.items() if name != "citations"},
                "citations": COST["citations"],
            },
        ],
        "nextToken": "Mg==",
    }
    second = (await ada.get(f"/sessions/{session_id}/messages", params={"next_token": "Mg=="})).json()
    assert [message["id"] for message in second["messages"]] == [f"msg-{session_id}-2", f"msg-{session_id}-3"]
    assert "nextToken" not in second
    assert second["messages"][0]["content"] == [
        {
            "type": "toolResult",
            "toolResult": {
                "toolUseId": "t1",
                "status": "success",
                "content": [{"json": {"x": None}}, {"image": {"format": "png", "data": "iVBOR/8="}}],
            },
        }
    ]


@pytest.mark.parametrize("token", ["zzz", "LTE=", base64.b64encode(b"1.5").decode(), "Mg"])
async def test_a_token_that_is_no_place(ada: httpx.AsyncClient, session_id: str, token: str) -> None:
    answer = await ada.get(f"/sessions/{session_id}/messages", params={"next_token": token})
    assert answer.status_code == 400
    assert "next_token" in answer.json()["detail"]


async def test_beyond_the_end_and_unknown_sessions_are_empty(ada: httpx.AsyncClient, session_id: str) -> None:
    token = base64.b64encode(b"99").decode()
    beyond = await ada.get(f"/sessions/{session_id}/messages", params={"next_token": token})
    assert beyond.json() == {"messages": []}
    for unknown in (str(uuid.uuid4()), "not an id", "x" * 200):
        answer = await ada.get(f"/sessions/{unknown}/messages")
        assert (answer.status_code, answer.json()) == (200, {"messages": []})


async def test_a_stored_cost_that_fits_no_schema_passes_through(
    platform: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    odd = {"attribution": {"timestamp": "2025-01-16T00:00:00+00:00"}, "own": {"n": 1, "gone": None}, "cost": 0.25}
    usual = dict.fromkeys(("latency", "tokenUsage", "modelInfo"), stored.LEFT_OUT)
    platform.store(stored.cost_record(ADA, session_id, 3, **{**usual, **odd, "nothing": None}))
    messages = (await ada.get(f"/sessions/{session_id}/messages")).json()["messages"]
    assert messages[3]["metadata"] == odd  # a null inside of a map stays


async def test_a_deleted_session_has_no_messages_and_is_cleaned_up(
    platform: Platform, ada: httpx.AsyncClient, session_id: str
) -> None:
    await ada.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
    await ada.delete(f"/sessions/{session_id}")
    assert (await ada.get(f"/sessions/{session_id}/messages")).json() == {"messages": []}
    for _ in range(50):
        if not remaining(platform, session_id):
            break
        await asyncio.sleep(0.1)
    assert remaining(platform, session_id) == 0


def remaining(platform: Platform, session_id: str) -> int:
    if platform.in_tables:
        return len(platform.events(ADA, session_id))
    folder = platform.folder.messages(session_id)
    return len(list(folder.iterdir())) if folder.is_dir() else 0


async def test_a_message_that_cannot_be_read_fails_the_list(
    files: Platform, tables: Platform, platform: Platform, session_id: str
) -> None:
    if platform is files:
        (files.folder.messages(session_id) / "message_1.json").write_text("{not json")
    else:
        unreadable = {"conversational": {"content": {"text": "secret, not json"}, "role": "USER"}}
        tables.create_event(ADA, session_id, 1_800_000_000, unreadable)
    async with platform.client(ADA) as ada:
        answer = await ada.get(f"/sessions/{session_id}/messages")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("operation", "kind", "status"),
    [
        ("ListEvents", FaultKind.ACCESS_DENIED, 500),
        ("ListEvents", FaultKind.THROTTLED, 503),
        ("Query", FaultKind.THROTTLED, 503),
        ("Query", FaultKind.SERVER_ERROR, 503),
    ],
)
async def test_half_of_the_data_is_no_answer(tables: Platform, operation: str, kind: FaultKind, status: int) -> None:
    session_id = str(uuid.uuid4())
    tables.store(*stored.conversation(ADA, session_id, *CONVERSATION))
    async with tables.client(ADA) as ada:
        with tables.proxy.injecting(Fault(kind, operation=operation)):
            answer = await ada.get(f"/sessions/{session_id}/messages")
    assert answer.status_code == status


async def test_markers_and_long_messages(tables: Platform) -> None:
    session_id = str(uuid.uuid4())
    text = '{"message": {"role": "user", "content": [{"text": "long"}]}, "redact_message": null, "created_at": "t"}'
    bad, good = ({"role": "user", "content": [{"text": said}]} for said in ("bad", "good"))
    redacted = json.dumps({"message": bad, "redact_message": good})
    payloads: list[dict[str, Any]] = [
        {"blob": json.dumps([text, "user"])},
        {"blob": json.dumps({"agent_id": "default"})},
        {"conversational": {"content": {"text": redacted}, "role": "USER"}},
    ]
    for second, payload in enumerate(payloads):
        tables.create_event(ADA, session_id, 1_700_000_000 + second, payload)
    async with tables.client(ADA) as ada:
        messages = (await ada.get(f"/sessions/{session_id}/messages")).json()["messages"]
    assert [message["content"][0]["text"] for message in messages] == ["long", "good"]
    assert messages[1]["createdAt"] == ""


async def test_a_delete_takes_the_callers_files_along(tables: Platform) -> None:
    session_id = str(uuid.uuid4())
    bucket = tables.variables[stored.FILES_BUCKET]
    for user_id in (ADA, BOB):
        tables.store(
            *stored.uploaded_file(user_id, session_id, bucket, content=b"x" * 42, s3Key=f"user-files/{user_id}/f1"),
            stored.file_quota(user_id, total_bytes=100, file_count=2),
        )
    async with tables.client(ADA) as ada:
        await ada.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
        await ada.delete(f"/sessions/{session_id}")

    def quota() -> tuple[int, int]:
        item = tables.item(stored.FILES, f"USER#{ADA}", "QUOTA")
        return item["totalBytes"], item["fileCount"]

    await until(lambda: quota() == (58, 1))
    objects = tables.boto("s3").list_objects_v2(Bucket=bucket, Prefix="user-files/").get("Contents", [])
    keys = [entry["Key"] for entry in objects]
    assert f"user-files/{ADA}/f1" not in keys
    assert f"user-files/{BOB}/f1" in keys


async def test_a_file_whose_object_cannot_be_deleted_is_found_by_the_next_delete(tables: Platform) -> None:
    session_id, user_id = str(uuid.uuid4()), "000000077"
    tables.store(*stored.uploaded_file(user_id, session_id, tables.variables[stored.FILES_BUCKET]))

    def is_kept() -> bool:
        return any(item["SK"].startswith("FILE#") for item in tables.items(stored.FILES, f"USER#{user_id}"))

    async with tables.client(user_id) as client:
        await client.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
        with (
            tables.proxy.recording() as recording,
            tables.proxy.injecting(Fault(FaultKind.SERVER_ERROR, operation="DeleteObject")),
        ):
            assert (await client.delete(f"/sessions/{session_id}")).status_code == 204
            await until(lambda: any(call.target.operation == "DeleteObject" for call in recording.calls))
        assert is_kept()
        assert (await client.delete(f"/sessions/{session_id}")).status_code == 204
        await until(lambda: not is_kept())


async def until(is_true: Callable[[], bool]) -> None:
    for _ in range(50):
        if is_true():
            return
        await asyncio.sleep(0.1)
    pytest.fail("waited in vain")
