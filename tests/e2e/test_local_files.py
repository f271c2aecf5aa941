"""Without tables and AgentCore Memory: what a turn leaves in the folder of local sessions."""

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.model_server import ModelServer, answer, tool_call, usage
from tests.support.platform import PRICED, USER_ID, Platform, inline_file


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def folder_of(files: Platform, session_id: str) -> Path:
    return files.root / f"session_{session_id}"


async def test_the_files_of_a_conversation(files: Platform, model: ModelServer, session_id: str) -> None:
    model.script(
        tool_call(("t1", "calculator", {"expression": "6*7"}), counted=usage(20, 7)),
        answer("42.", counted=usage(40, 9)),
    )

    await files.chat(
        session_id, "look", enabled_tools=["calculator"], files=[inline_file("a.png", "image/png", b"\x89PNG")]
    )

    folder = folder_of(files, session_id)
    messages = folder / "agents" / "agent_default" / "messages"
    assert sorted(path.name for path in messages.iterdir()) == [f"message_{number}.json" for number in range(4)]
    entries = [read(messages / f"message_{number}.json") for number in range(4)]
    assert [entry["message_id"] for entry in entries] == [0, 1, 2, 3]
    assert [entry["message"]["role"] for entry in entries] == ["user", "assistant", "user", "assistant"]
    first = entries[0]
    assert first.keys() == {"message", "message_id", "redact_message", "created_at", "updated_at"}
    assert first["message"]["content"][0] == {"text": "look\n\n[Attached files: a.png]"}
    encoded = {"__bytes_encoded__": True, "data": base64.b64encode(b"\x89PNG").decode()}
    assert first["message"]["content"][1] == {"image": {"format": "png", "source": {"bytes": encoded}}}
    assert first["created_at"].endswith("+00:00")

    text = (folder / "session-metadata.json").read_text(encoding="utf-8")
    session = json.loads(text)
    assert text.startswith('{\n  "')
    assert {name: session[name] for name in ("sessionId", "userId", "title", "messageCount", "status")} == {
        "sessionId": session_id,
        "userId": USER_ID,
        "title": "New Conversation",
        "messageCount": 1,
        "status": "active",
    }
    assert session["preferences"]["enabledTools"] == ["calculator"]
    assert session.keys().isdisjoint({"PK", "SK", "GSI_PK", "GSI_SK"})
    assert None not in session.values()

    usage_of = read(folder / "message-metadata.json")
    assert usage_of.keys() == {"1", "3"}
    assert usage_of["1"]["tokenUsage"] == {"inputTokens": 20, "outputTokens": 7, "totalTokens": 27}
    assert usage_of["3"]["modelInfo"]["modelId"] == PRICED
    assert usage_of["3"]["attribution"]["userId"] == USER_ID
    assert list(files.root.rglob("cost-summary.json")) == []
    assert [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"] == []


async def test_a_folder_without_the_files_of_the_framework_is_a_conversation(
    files: Platform, model: ModelServer, session_id: str
) -> None:
    """A metadata file may come first, for instance when a client titles a new conversation."""
    changed = await files.app.put(f"/sessions/{session_id}/metadata", json={"title": "First"})
    assert changed.status_code == 200, changed.text
    turn = await files.chat(session_id)
    assert turn.shown[0].text == "Hello world."
    assert (await files.session(session_id))["title"] == "First"


async def test_messages_are_sorted_by_number(files: Platform, model: ModelServer, session_id: str) -> None:
    for number in range(6):
        await files.chat(session_id, f"question {number}")
    asked = [text for role, text in await files.conversation(session_id) if role == "user"]
    assert asked == [[f"question {number}"] for number in range(6)]
    sent = [message["content"] for message in model.calls[-1]["messages"] if message["role"] == "user"]
    assert len(sent) == 6


async def test_a_message_that_cannot_be_read_is_never_left_out(
    files: Platform, model: ModelServer, session_id: str
) -> None:
    await files.chat(session_id)
    model.reset()
    broken = folder_of(files, session_id) / "agents" / "agent_default" / "messages" / "message_1.json"
    broken.write_text("{", encoding="utf-8")
    turn = await files.chat(session_id, "again")
    assert turn.error["code"] == "internal_error"
    assert model.calls == []
    assert str(files.root) not in str(turn.events)
    assert broken.read_text(encoding="utf-8") == "{"


async def test_a_session_of_somebody_else_does_not_exist(files: Platform, session_id: str) -> None:
    await files.chat(session_id)
    path = folder_of(files, session_id) / "session-metadata.json"
    path.write_text(json.dumps({**read(path), "userId": "000000042"}), encoding="utf-8")
    refused = await files.chat(session_id, "again")
    assert (refused.status, refused.body["code"]) == (404, "not_found")


async def test_turns_of_many_sessions_at_once(files: Platform, session_id: str) -> None:
    turns = await asyncio.gather(*(files.chat(f"{session_id}-{number}", str(number)) for number in range(8)))
    assert [turn.shown[0].text for turn in turns] == ["Hello world."] * 8
    for number in range(8):
        folder = folder_of(files, f"{session_id}-{number}")
        assert read(folder / "message-metadata.json").keys() == {"1"}
        shutil.rmtree(folder)
