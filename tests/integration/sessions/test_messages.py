"""Reading messages with their costs, and what a delete cleans up."""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.sessions.conftest import ADA, BOB, Backend
from tests.support.fault_proxy import Fault, FaultKind

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
def session_id(backend: Backend) -> str:
    session_id = str(uuid.uuid4())
    backend.store_messages(ADA, session_id, CONVERSATION)
    backend.store_cost(ADA, session_id, 1, COST)
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
    backend: Backend, ada: httpx.AsyncClient, session_id: str
) -> None:
    odd = {"attribution": {"timestamp": "2025-01-16T00:00:00+00:00"}, "own": {"n": 1, "gone": None}, "cost": 0.25}
    backend.store_cost(ADA, session_id, 3, {**odd, "nothing": None})
    messages = (await ada.get(f"/sessions/{session_id}/messages")).json()["messages"]
    assert messages[3]["metadata"] == odd  # a null inside of a map stays


async def test_a_deleted_session_has_no_messages_and_is_cleaned_up(
    backend: Backend, ada: httpx.AsyncClient, session_id: str
) -> None:
    await ada.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
    await ada.delete(f"/sessions/{session_id}")
    assert (await ada.get(f"/sessions/{session_id}/messages")).json() == {"messages": []}
    for _ in range(50):
        if not remaining(backend, session_id):
            break
        await asyncio.sleep(0.1)
    assert remaining(backend, session_id) == 0


def remaining(backend: Backend, session_id: str) -> int:
    if not backend.in_tables:
        folder = backend.root / f"session_{session_id}" / "agents" / "agent_default" / "messages"
        return len(list(folder.iterdir())) if folder.is_dir() else 0
    events = backend.boto("bedrock-agentcore").list_events(
        memoryId=backend.aws["AGENTCORE_MEMORY_ID"], actorId=ADA, sessionId=session_id
    )
    return len(events["events"])


async def test_a_message_that_cannot_be_read_fails_the_list(
    files: Backend, tables: Backend, backend: Backend, session_id: str
) -> None:
    if backend is files:
        folder = files.root / f"session_{session_id}" / "agents" / "agent_default" / "messages"
        (folder / "message_1.json").write_text("{not json")
    else:
        tables.boto("bedrock-agentcore").create_event(
            memoryId=tables.aws["AGENTCORE_MEMORY_ID"],
            actorId=ADA,
            sessionId=session_id,
            eventTimestamp=1_800_000_000,
            payload=[{"conversational": {"content": {"text": "secret, not json"}, "role": "USER"}}],
        )
    async with await backend.client(ADA) as ada:
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
async def test_half_of_the_data_is_no_answer(tables: Backend, operation: str, kind: FaultKind, status: int) -> None:
    session_id = str(uuid.uuid4())
    tables.store_messages(ADA, session_id, CONVERSATION)
    async with await tables.client(ADA) as ada:
        with tables.proxy.injecting(Fault(kind, operation=operation)):
            answer = await ada.get(f"/sessions/{session_id}/messages")
    assert answer.status_code == status


async def test_markers_and_long_messages(tables: Backend) -> None:
    session_id = str(uuid.uuid4())
    create = tables.boto("bedrock-agentcore").create_event
    common = {"memoryId": tables.aws["AGENTCORE_MEMORY_ID"], "actorId": ADA, "sessionId": session_id}
    text = '{"message": {"role": "user", "content": [{"text": "long"}]}, "redact_message": null, "created_at": "t"}'
    bad, good = ({"role": "user", "content": [{"text": said}]} for said in ("bad", "good"))
    redacted = json.dumps({"message": bad, "redact_message": good})
    payloads = [
        {"blob": json.dumps([text, "user"])},
        {"blob": json.dumps({"agent_id": "default"})},
        {"conversational": {"content": {"text": redacted}, "role": "USER"}},
    ]
    for second, payload in enumerate(payloads):
        create(**common, eventTimestamp=1_700_000_000 + second, payload=[payload])
    async with await tables.client(ADA) as ada:
        messages = (await ada.get(f"/sessions/{session_id}/messages")).json()["messages"]
    assert [message["content"][0]["text"] for message in messages] == ["long", "good"]
    assert messages[1]["createdAt"] == ""


async def test_a_delete_takes_the_callers_files_along(tables: Backend) -> None:
    session_id = str(uuid.uuid4())
    s3, bucket = tables.boto("s3"), tables.aws["S3_USER_FILES_BUCKET_NAME"]
    dynamodb, table = tables.boto("dynamodb"), tables.aws["DYNAMODB_USER_FILES_TABLE_NAME"]
    for user_id in (ADA, BOB):
        s3.put_object(Bucket=bucket, Key=f"user-files/{user_id}/f1", Body=b"x")
        dynamodb.put_item(TableName=table, Item=file_item(user_id, session_id, bucket))
        dynamodb.put_item(
            TableName=table,
            Item={
                "PK": {"S": f"USER#{user_id}"},
                "SK": {"S": "QUOTA"},
                "totalBytes": {"N": "100"},
                "fileCount": {"N": "2"},
            },
        )
    async with await tables.client(ADA) as ada:
        await ada.put(f"/sessions/{session_id}/metadata", json={"title": "x"})
        await ada.delete(f"/sessions/{session_id}")
    quota: dict[str, Any] = {}
    for _ in range(50):
        quota = dynamodb.get_item(TableName=table, Key={"PK": {"S": f"USER#{ADA}"}, "SK": {"S": "QUOTA"}})["Item"]
        if quota["fileCount"]["N"] == "1":
            break
        await asyncio.sleep(0.1)
    assert (quota["totalBytes"]["N"], quota["fileCount"]["N"]) == ("58", "1")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="user-files/").get("Contents", [])]
    assert f"user-files/{ADA}/f1" not in keys
    assert f"user-files/{BOB}/f1" in keys


async def test_a_file_whose_object_cannot_be_deleted_is_found_by_the_next_delete(tables: Backend) -> None:
    session_id, user_id = str(uuid.uuid4()), "000000077"
    dynamodb, table = tables.boto("dynamodb"), tables.aws["DYNAMODB_USER_FILES_TABLE_NAME"]
    item = file_item(user_id, session_id, tables.aws["S3_USER_FILES_BUCKET_NAME"])
    dynamodb.put_item(TableName=table, Item=item)
    key = {"PK": item["PK"], "SK": item["SK"]}

    def is_kept() -> bool:
        return "Item" in dynamodb.get_item(TableName=table, Key=key)

    async with await tables.client(user_id) as client:
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


def file_item(user_id: str, session_id: str, bucket: str) -> dict[str, Any]:
    texts = {
        "PK": f"USER#{user_id}",
        "SK": "FILE#f1",
        "GSI1PK": f"CONV#{session_id}",
        "GSI1SK": "FILE#f1",
        "uploadId": "f1",
        "userId": user_id,
        "sessionId": session_id,
        "filename": "a.txt",
        "mimeType": "text/plain",
        "s3Key": f"user-files/{user_id}/f1",
        "s3Bucket": bucket,
        "status": "ready",
    }
    return {**{name: {"S": value} for name, value in texts.items()}, "sizeBytes": {"N": "42"}}
