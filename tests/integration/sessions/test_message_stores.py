"""Writing, ordering, paging and deleting messages, in AgentCore Memory and in local files."""

import asyncio
import base64
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from apis.shared.aws.client import ServiceClient
from apis.shared.aws.memory import Memory
from apis.shared.result import Success
from apis.shared.sessions.messages.agentcore import AgentCoreMessages
from apis.shared.sessions.messages.local import LocalMessages
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.sessions.models import Message
from apis.shared.wiring import forget_all
from tests.integration.sessions.conftest import ADA, BOB
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient

NO_IDS = ["..", "../evil", "a/b", "", "-x", "x" * 101, "a.b"]


@pytest.fixture
def session_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def agentcore(tables: Platform) -> "Iterator[ServiceClient[BedrockAgentCoreClient]]":
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tables.variables.items():
            patch.setenv(name, value)
        forget_all()
        yield ServiceClient("bedrock-agentcore")


@pytest.fixture
def in_memory(agentcore: "ServiceClient[BedrockAgentCoreClient]", tables: Platform) -> AgentCoreMessages:
    return AgentCoreMessages(Memory(tables.variables["AGENTCORE_MEMORY_ID"], agentcore))


@pytest.fixture
def in_files(tmp_path: Path) -> LocalMessages:
    return LocalMessages(tmp_path)


@pytest.fixture(params=["in_memory", "in_files"])
def store(request: pytest.FixtureRequest) -> MessageRepository:
    chosen: MessageRepository = request.getfixturevalue(request.param)
    return chosen


def said(index: int) -> Message:
    return {"role": "assistant" if index % 2 else "user", "content": [{"text": f"message {index}"}]}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def texts(store: MessageRepository, session_id: str) -> list[str]:
    return [stored.message["content"][0]["text"] for stored in (await store.read(ADA, session_id)).unwrap()]


async def test_messages_of_one_moment_keep_their_order(store: MessageRepository, session_id: str) -> None:
    for index in range(12):
        assert await store.append(ADA, session_id, said(index), begins=index == 0) == Success(None)
    read = (await store.read(ADA, session_id)).unwrap()
    assert [stored.message for stored in read] == [said(index) for index in range(12)]
    assert all(stored.created_at.endswith("+00:00") for stored in read)


async def test_bytes_come_back_as_bytes(store: MessageRepository, session_id: str) -> None:
    message: Message = {
        "role": "user",
        "content": [{"text": "look"}, {"image": {"format": "png", "source": {"bytes": b"\x89PNG\xff"}}}],
    }
    assert await store.append(ADA, session_id, message, begins=True) == Success(None)
    assert [stored.message for stored in (await store.read(ADA, session_id)).unwrap()] == [message]


async def test_blank_text_is_not_stored(store: MessageRepository, session_id: str) -> None:
    blank: Message = {"role": "user", "content": [{"text": " \n"}]}
    assert await store.append(ADA, session_id, blank, begins=True) == Success(None)
    partly: Message = {"role": "user", "content": [{"text": ""}, {"text": "x"}]}
    assert await store.append(ADA, session_id, partly, begins=True) == Success(None)
    assert await texts(store, session_id) == ["x"]


async def test_a_deleted_conversation_is_empty_and_can_be_deleted_again(
    store: MessageRepository, session_id: str
) -> None:
    for index in range(3):
        assert await store.append(ADA, session_id, said(index), begins=index == 0) == Success(None)
    assert (await store.delete(ADA, session_id)).unwrap() >= 3
    assert await store.read(ADA, session_id) == Success([])
    assert await store.delete(ADA, session_id) == Success(0)


@pytest.mark.parametrize("no_id", NO_IDS)
async def test_an_id_that_is_none_has_no_messages(store: MessageRepository, no_id: str) -> None:
    assert await store.read(ADA, no_id) == Success([])
    assert await store.delete(ADA, no_id) == Success(0)


@pytest.mark.parametrize("no_id", NO_IDS)
async def test_no_file_is_written_for_an_id_that_is_none(in_files: LocalMessages, no_id: str, tmp_path: Path) -> None:
    assert (await in_files.append(ADA, no_id, said(0))).failure().code == "validation_error"
    assert files_below(tmp_path) == []


async def test_event_times_rise_and_the_session_is_marked_once(
    in_memory: AgentCoreMessages, tables: Platform, session_id: str
) -> None:
    for index in range(3):
        assert await in_memory.append(ADA, session_id, said(index), begins=index == 0) == Success(None)
    stored = tables.events(ADA, session_id)
    times = [event["eventTimestamp"] for event in stored]
    assert len(set(times)) == 3
    assert times == sorted(times, reverse=True)  # the service lists the newest first
    payload = stored[1]["payload"][0]["conversational"]
    entry = json.loads(payload["content"]["text"])
    assert payload["role"] == "ASSISTANT"
    assert entry.keys() == {"message", "message_id", "redact_message", "created_at", "updated_at"}
    assert (entry["message"], entry["message_id"], entry["redact_message"]) == (said(1), 0, None)
    (marker,) = tables.events(f"session_{session_id}", session_id)
    assert json.loads(marker["payload"][0]["blob"]).keys() == {
        "session_id",
        "session_type",
        "created_at",
        "updated_at",
    }


async def test_another_process_goes_on_after_the_last_event(
    in_memory: AgentCoreMessages,
    agentcore: "ServiceClient[BedrockAgentCoreClient]",
    tables: Platform,
    session_id: str,
) -> None:
    """The first process wrote faster than one message a second, so its times run ahead of the clock."""
    for index in range(6):
        assert await in_memory.append(ADA, session_id, said(index)) == Success(None)
    other = AgentCoreMessages(Memory(tables.variables["AGENTCORE_MEMORY_ID"], agentcore))
    assert len((await other.read(ADA, session_id)).unwrap()) == 6
    assert await other.append(ADA, session_id, said(6)) == Success(None)
    assert (await in_memory.read(ADA, session_id)).unwrap()
    assert await in_memory.append(ADA, session_id, said(7)) == Success(None)
    assert await texts(in_memory, session_id) == [f"message {index}" for index in range(8)]


async def test_a_long_message_is_read_back(in_memory: AgentCoreMessages, tables: Platform, session_id: str) -> None:
    long: Message = {"role": "user", "content": [{"text": "ä" * 20_000}]}
    assert await in_memory.append(ADA, session_id, long) == Success(None)
    (event,) = tables.events(ADA, session_id)
    assert json.loads(event["payload"][0]["blob"])[1] == "user"
    assert await texts(in_memory, session_id) == ["ä" * 20_000]


@pytest.mark.parametrize(
    "payload",
    [
        {"blob": "[not json]"},
        {"blob": "[]"},
        {"blob": json.dumps(["one"])},
        {"blob": json.dumps(["a", "b", "c"])},
        {"blob": json.dumps([1, "user"])},
        {"blob": ""},
        {"blob": json.dumps({"session_id": "s"})},
    ],
)
async def test_a_blob_that_is_no_message_is_ignored(
    in_memory: AgentCoreMessages, tables: Platform, session_id: str, payload: dict[str, Any]
) -> None:
    tables.create_event(ADA, session_id, 1_700_000_000, payload)
    assert await in_memory.read(ADA, session_id) == Success([])


async def test_a_delete_takes_marker_and_agent_state_along_and_nobody_elses_events(
    in_memory: AgentCoreMessages, tables: Platform, session_id: str
) -> None:
    assert await in_memory.append(ADA, session_id, said(0), begins=True) == Success(None)
    assert await in_memory.append(BOB, session_id, said(0)) == Success(None)
    state = {"blob": json.dumps({"agent_id": "default"})}
    tables.create_event("agent_default", session_id, 1_700_000_000, state)
    assert await in_memory.delete(ADA, session_id) == Success(3)
    actors = (ADA, f"session_{session_id}", "agent_default", BOB)
    assert [len(tables.events(actor, session_id)) for actor in actors] == [0, 0, 0, 1]


async def test_a_delete_that_fails_in_between_deletes_the_others_and_tells_how_many(
    in_memory: AgentCoreMessages, tables: Platform, session_id: str
) -> None:
    for index in range(4):
        assert await in_memory.append(ADA, session_id, said(index)) == Success(None)
    with tables.proxy.injecting(Fault(FaultKind.SERVER_ERROR, operation="DeleteEvent", nth=1)):
        error = (await in_memory.delete(ADA, session_id)).failure()
    assert (error.code, error.context["deleted"]) == ("service_unavailable", "3 of 4 events")
    assert len(tables.events(ADA, session_id)) == 1


async def test_a_refused_read_is_no_empty_conversation(
    in_memory: AgentCoreMessages, tables: Platform, session_id: str
) -> None:
    with tables.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="ListEvents")):
        assert (await in_memory.read(ADA, session_id)).failure().code == "internal_error"


class Paged(BaseHTTPRequestHandler):
    """ListEvents as the service answers it: newest first, at most 100 a page. The embedded endpoint does neither."""

    total: ClassVar[int] = 250
    asked: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        token = body.get("nextToken")
        self.asked.append(token)
        newest_first = list(reversed(range(self.total)))
        start = int(token or 0)
        page = newest_first[start : start + body["maxResults"]]
        following = start + len(page)
        answer = {
            "events": [self._event(body, number) for number in page],
            "nextToken": str(following) if following < self.total else None,
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def _event(body: dict[str, Any], number: int) -> dict[str, Any]:
        # Two events a second: only the order of the answer tells which of the two came first.
        moment = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=number // 2)
        text = json.dumps({"message": {"role": "user", "content": [{"text": f"message {number}"}]}})
        return {
            "memoryId": "m",
            "actorId": body.get("actorId", "a"),
            "sessionId": body.get("sessionId", "s"),
            "eventId": f"{number}#0",
            "eventTimestamp": moment.timestamp(),
            "payload": [{"conversational": {"content": {"text": text}, "role": "USER"}}],
        }

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("total", "pages"), [(250, 3), (100, 1), (0, 1), (10_250, 100)])
async def test_all_pages_are_read_and_put_in_order(
    monkeypatch: pytest.MonkeyPatch, tables: Platform, total: int, pages: int
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Paged)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        for name, value in {**tables.variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}.items():
            monkeypatch.setenv(name, value)
        forget_all()
        monkeypatch.setattr(Paged, "total", total)
        monkeypatch.setattr(Paged, "asked", [])
        read = await texts(AgentCoreMessages(Memory("memory-0123456789", ServiceClient("bedrock-agentcore"))), "s1")
    finally:
        server.shutdown()
        server.server_close()
    assert read == [f"message {number}" for number in range(max(0, total - 10_000), total)]
    assert len(Paged.asked) == pages


async def test_a_file_takes_the_next_free_index(in_files: LocalMessages, tmp_path: Path, session_id: str) -> None:
    folder = tmp_path / f"session_{session_id}" / "agents" / "agent_default" / "messages"
    folder.mkdir(parents=True)
    for index in (0, 2, 10):
        entry = {"message": said(index), "message_id": index}
        (folder / f"message_{index}.json").write_text(json.dumps(entry))
    assert await in_files.append(ADA, session_id, said(11)) == Success(None)
    written = json.loads((folder / "message_11.json").read_text())
    assert (written["message"], written["message_id"]) == (said(11), 11)
    assert await texts(in_files, session_id) == [f"message {index}" for index in (0, 2, 10, 11)]


async def test_a_folder_that_the_record_made_is_no_obstacle(
    in_files: LocalMessages, tmp_path: Path, session_id: str
) -> None:
    folder = tmp_path / f"session_{session_id}"
    folder.mkdir()
    (folder / "session-metadata.json").write_text("{}")
    for index in range(2):
        assert await in_files.append(ADA, session_id, said(index), begins=index == 0) == Success(None)
    session = json.loads((folder / "session.json").read_text())
    agent = json.loads((folder / "agents" / "agent_default" / "agent.json").read_text())
    assert (session["session_id"], session["session_type"], agent["agent_id"]) == (session_id, "AGENT", "default")


async def test_a_message_that_is_deleted_while_the_folder_is_read_is_absent(
    in_files: LocalMessages, tmp_path: Path, session_id: str
) -> None:
    assert await in_files.append(ADA, session_id, said(0)) == Success(None)
    path = next(path for path in files_below(tmp_path) if path.name == "message_0.json")
    path.with_name("message_1.json").symlink_to(path.with_name("gone"))
    assert await texts(in_files, session_id) == ["message 0"]


async def test_writers_of_one_moment_get_files_of_their_own(in_files: LocalMessages, session_id: str) -> None:
    outcomes = await asyncio.gather(*(in_files.append(ADA, session_id, said(index)) for index in range(8)))
    assert outcomes == [Success(None)] * 8
    assert sorted(await texts(in_files, session_id)) == [f"message {index}" for index in range(8)]


async def test_bytes_in_a_file_are_encoded(in_files: LocalMessages, tmp_path: Path, session_id: str) -> None:
    message: Message = {"role": "user", "content": [{"document": {"format": "txt", "source": {"bytes": b"\xff"}}}]}
    assert await in_files.append(ADA, session_id, message) == Success(None)
    path = next(path for path in files_below(tmp_path) if path.name == "message_0.json")
    source = json.loads(path.read_text())["message"]["content"][0]["document"]["source"]["bytes"]
    assert source == {"__bytes_encoded__": True, "data": base64.b64encode(b"\xff").decode()}
