"""Turn ends, pages and odd files of sessions in local files."""

import asyncio
import base64
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from apis.shared.costs.local import LocalCostRecords
from apis.shared.result import Success, error_of
from apis.shared.sessions.local import LocalSessions
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import SessionPatch, TurnPreferences
from tests.support.platform import Platform

ADA, BOB = "000000001", "000000002"
PREFERENCES = TurnPreferences("m9", 0.2, None, "abcdef0123456789")


@pytest.fixture
def service(tmp_path: Path) -> SessionService:
    return SessionService(LocalSessions(tmp_path, LocalCostRecords(tmp_path)))


def write(root: Path, session_id: str, document: Any) -> Path:
    path = root / f"session_{session_id}" / "session-metadata.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def record(session_id: str, user_id: Any = ADA, moment: str = "2025-01-15T10:30:45.123456Z", **more: Any) -> Any:
    return {
        "sessionId": session_id,
        "userId": user_id,
        "title": "Old",
        "status": "active",
        "createdAt": moment,
        "lastMessageAt": moment,
        "messageCount": 1,
        **more,
    }


async def test_a_turn_keeps_all_that_the_file_holds(service: SessionService, tmp_path: Path) -> None:
    path = write(
        tmp_path, "s1", record("s1", compaction={"checkpoint": 2}, preferences={"enabledTools": ["a"]}, own=[None])
    )
    known = (await service.check_turn(ADA, "s1")).unwrap()
    assert error_of(await service.complete_turn(ADA, "s1", PREFERENCES, known)) is None
    after = json.loads(path.read_text())
    assert after.pop("lastMessageAt") > "2026"
    assert after == {
        **{name: value for name, value in record("s1").items() if name != "lastMessageAt"},
        "compaction": {"checkpoint": 2},
        "own": [None],
        "messageCount": 2,
        "preferences": {
            "enabledTools": ["a"],
            "lastModel": "m9",
            "lastTemperature": 0.2,
            "systemPromptHash": "abcdef0123456789",
        },
    }


async def test_a_turn_of_a_new_session(service: SessionService, tmp_path: Path) -> None:
    assert await service.check_turn(ADA, "s1") == Success(None)
    assert error_of(await service.complete_turn(ADA, "s1", PREFERENCES, None)) is None
    stored = json.loads((tmp_path / "session_s1" / "session-metadata.json").read_text())
    assert (stored["title"], stored["messageCount"], stored["starred"], stored["tags"]) == (
        "New Conversation",
        1,
        False,
        [],
    )
    assert None not in stored.values()
    assert await service.ensure_record(ADA, "s1") == Success(None)
    assert (await service.get_session(ADA, "s1")).unwrap().message_count == 1


async def test_racing_turns_are_all_counted(service: SessionService, tmp_path: Path) -> None:
    write(tmp_path, "s1", record("s1"))
    known = (await service.check_turn(ADA, "s1")).unwrap()
    outcomes = await asyncio.gather(*(service.complete_turn(ADA, "s1", PREFERENCES, known) for _ in range(5)))
    assert [error_of(outcome) for outcome in outcomes] == [None] * 5
    assert (await service.get_session(ADA, "s1")).unwrap().message_count == 6


async def test_nothing_revives_a_deleted_session(service: SessionService, tmp_path: Path) -> None:
    path = write(tmp_path, "s1", record("s1"))
    known = (await service.check_turn(ADA, "s1")).unwrap()
    assert await service.delete_session(ADA, "s1") == Success(None)
    deleted = path.read_text()
    assert (await service.complete_turn(ADA, "s1", PREFERENCES, known)).failure().code == "not_found"
    assert (await service.complete_turn(ADA, "s1", PREFERENCES, None)).failure().code == "not_found"
    assert (await service.update_session(ADA, "s1", SessionPatch({"title": "x"}))).failure().code == "not_found"
    assert (await service.check_turn(ADA, "s1")).failure().detail == "Session not found: s1"
    assert path.read_text() == deleted


async def test_a_foreign_session_is_not_taken_over(service: SessionService, tmp_path: Path) -> None:
    path = write(tmp_path, "s1", record("s1"))
    before = path.read_text()
    assert (await service.check_turn(BOB, "s1")).failure().code == "not_found"
    assert (await service.complete_turn(BOB, "s1", PREFERENCES, None)).failure().code == "not_found"
    assert (await service.delete_session(BOB, "s1")).failure().code == "not_found"
    assert path.read_text() == before


@pytest.mark.parametrize("session_id", ["..", "../evil", "a/b", "", "x" * 101])
async def test_no_path_is_built_from_an_id_that_is_none(
    service: SessionService, tmp_path: Path, session_id: str
) -> None:
    outcome = await service.complete_turn(ADA, session_id, PREFERENCES, None)
    assert outcome.failure().code == "validation_error"
    assert not (tmp_path.parent / "evil").exists()


async def test_pages_of_equal_times_lose_nothing(service: SessionService, tmp_path: Path) -> None:
    ids = {f"s{number}" for number in range(5)}
    for session_id in ids:
        write(tmp_path, session_id, record(session_id))
    seen: list[str] = []
    token: str | None = None
    for _ in range(3):
        page = (await service.list_sessions(ADA, limit=2, token=token)).unwrap()
        seen += [entry.session_id for entry in page.records]
        token = page.next_token
    assert (set(seen), len(seen), token) == (ids, 5, None)


async def test_a_token_of_the_previous_system_goes_on_before_its_time(service: SessionService, tmp_path: Path) -> None:
    for day in (1, 2, 3):
        write(tmp_path, f"s{day}", record(f"s{day}", moment=f"2025-01-0{day}T00:00:00Z"))
    token = base64.b64encode(b"2025-01-02T00:00:00Z").decode()
    page = (await service.list_sessions(ADA, limit=None, token=token)).unwrap()
    assert [entry.session_id for entry in page.records] == ["s1"]


@pytest.mark.parametrize("text", [b"", b"2", b"yesterday", b"#s1", b"\xff"])
async def test_a_token_that_is_no_time(service: SessionService, text: bytes) -> None:
    outcome = await service.list_sessions(ADA, limit=None, token=base64.b64encode(text).decode())
    assert (outcome.failure().code, outcome.failure().field) == ("bad_request", "query.next_token")


ITS_OWNERS = [
    {"userId": ADA},
    record(""),
    record("s1", status="nope"),
    record("s1", messageCount="many"),
    record("s1", deleted=True, tags=5),
]
NOBODYS: list[Any] = [[], "x", 5, {}, record("s1", user_id=None), record("s1", user_id=["x"])]
COSTS_OF_ADA = {"1": {"attribution": {"userId": ADA}}, "3": {"attribution": {"userId": ADA}}, "5": "corrupt"}


async def listed(service: SessionService, user_id: str) -> list[str]:
    return [
        entry.session_id for entry in (await service.list_sessions(user_id, limit=None, token=None)).unwrap().records
    ]


@pytest.mark.parametrize("document", ITS_OWNERS, ids=str)
async def test_a_corrupt_record_fails_the_list_of_its_owner_only(
    service: SessionService, tmp_path: Path, document: Any
) -> None:
    write(tmp_path, "s1", document)
    write(tmp_path, "s2", record("s2"))
    write(tmp_path, "s3", record("s3", user_id=BOB))
    assert (await service.list_sessions(ADA, limit=None, token=None)).failure().code == "internal_error"
    assert (await service.get_session(ADA, "s1")).failure().code == "internal_error"
    assert await listed(service, BOB) == ["s3"]
    assert (await service.get_session(BOB, "s1")).failure().code == "not_found"
    assert (await service.check_turn(BOB, "s1")).failure().code == "not_found"


@pytest.mark.parametrize("document", NOBODYS, ids=str)
async def test_a_corrupt_record_that_names_nobody_is_in_no_list(
    service: SessionService, tmp_path: Path, document: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "s1", document)
    write(tmp_path, "s2", record("s2"))
    write(tmp_path, "s3", record("s3", user_id=BOB))
    for _ in range(3):
        assert (await listed(service, ADA), await listed(service, BOB)) == (["s2"], ["s3"])
    (told,) = (entry for entry in caplog.records if entry.levelname == "ERROR")
    assert told.__dict__["session_folder"] == "session_s1"
    for user_id in (ADA, BOB):
        assert (await service.get_session(user_id, "s1")).failure().code == "internal_error"
        assert (await service.check_turn(user_id, "s1")).failure().code == "internal_error"
        assert (
            await service.update_session(user_id, "s1", SessionPatch({"title": "x"}))
        ).failure().code == "internal_error"
    assert json.loads(path.read_text()) == document


@pytest.mark.parametrize(
    "content", [b"", b'{"userId": "000000001", "titl', b"\xff\xfe", b"null", b"[" * 100_000, b"[]"]
)
async def test_the_costs_of_a_session_tell_whose_its_unreadable_record_is(
    service: SessionService, tmp_path: Path, content: bytes
) -> None:
    path = write(tmp_path, "s1", {})
    path.write_bytes(content)
    path.with_name("message-metadata.json").write_text(json.dumps(COSTS_OF_ADA))
    write(tmp_path, "s2", record("s2"))
    write(tmp_path, "s3", record("s3", user_id=BOB))
    assert (await service.list_sessions(ADA, limit=None, token=None)).failure().code == "internal_error"
    assert (await service.get_session(ADA, "s1")).failure().code == "internal_error"
    assert await listed(service, BOB) == ["s3"]
    assert (await service.get_session(BOB, "s1")).failure().code == "not_found"


@pytest.mark.parametrize(
    "costs", [b"{", b"[]", b'{"1": {}}', b'{"1": {"attribution": [1]}}', b'{"1": {"attribution": {}}}']
)
async def test_costs_that_tell_nothing(service: SessionService, tmp_path: Path, costs: bytes) -> None:
    path = write(tmp_path, "s1", {})
    path.write_text("{")
    path.with_name("message-metadata.json").write_bytes(costs)
    assert await listed(service, ADA) == []
    assert (await service.get_session(ADA, "s1")).failure().code == "internal_error"


async def test_a_record_that_the_system_does_not_give_fails_every_list_that_it_may_belong_to(
    service: SessionService, tmp_path: Path
) -> None:
    """That is an outage, not a corrupt record: it may be over in a moment, and nobody is shown less meanwhile."""
    (tmp_path / "session_s1" / "session-metadata.json").mkdir(parents=True)
    for user_id in (ADA, BOB):
        assert (await service.list_sessions(user_id, limit=None, token=None)).failure().code == "service_unavailable"
    (tmp_path / "session_s1" / "message-metadata.json").write_text(json.dumps(COSTS_OF_ADA))
    assert (await service.list_sessions(ADA, limit=None, token=None)).failure().code == "service_unavailable"
    assert await listed(service, BOB) == []


async def test_a_record_of_no_user_is_nobodys(service: SessionService, tmp_path: Path) -> None:
    write(tmp_path, "s1", record("s1", user_id=""))
    assert await listed(service, ADA) == []
    assert (await service.get_session(ADA, "s1")).failure().code == "not_found"


async def test_corrupt_costs_concern_only_the_owner(service: SessionService, tmp_path: Path) -> None:
    write(tmp_path, "s1", record("s1")).with_name("message-metadata.json").write_text("{")
    assert (await service.message_costs(ADA, "s1")).failure().code == "internal_error"
    assert await service.message_costs(BOB, "s1") == Success(None)


async def test_over_http_one_corrupt_record_concerns_its_owner(files: Platform) -> None:
    """A trial of the whole service: its lists, and what is asked of the session itself."""
    async with files.client("000000011") as ada, files.client("000000012") as bob:
        for client in (ada, bob):
            assert (await client.put(f"/sessions/{uuid.uuid4()}/metadata", json={"title": "x"})).status_code == 200
        corrupt = str(uuid.uuid4())
        path = write(files.root, corrupt, record(corrupt, user_id="000000011", status="nope"))
        messages = path.parent / "agents" / "agent_default" / "messages"
        messages.mkdir(parents=True)
        (messages / "message_0.json").write_text("{")
        asked = [(client, await client.get("/sessions")) for client in (ada, bob)]
        assert [answer.status_code for _, answer in asked] == [500, 200]
        assert len(asked[1][1].json()["sessions"]) == 1
        assert (await bob.get(f"/sessions/{corrupt}/metadata")).status_code == 404
        assert (await bob.get(f"/sessions/{corrupt}/messages")).json() == {"messages": []}
        assert (await ada.get(f"/sessions/{corrupt}/messages")).status_code == 500
        shutil.rmtree(path.parent)


async def test_a_missing_root_is_an_empty_list(tmp_path: Path) -> None:
    service = SessionService(LocalSessions(tmp_path / "absent", LocalCostRecords(tmp_path / "absent")))
    assert (await service.list_sessions(ADA, limit=None, token=None)).unwrap().records == []


@pytest.mark.parametrize("document", [[], {"1": "x"}, {"1": None}])
async def test_costs_that_are_none(tmp_path: Path, document: Any) -> None:
    path = write(tmp_path, "s1", record("s1"))
    path.with_name("message-metadata.json").write_text(json.dumps(document))
    outcome = await LocalSessions(tmp_path, LocalCostRecords(tmp_path)).annotations(ADA, "s1")
    assert (outcome.failure().code if document else outcome.unwrap().costs) == ("internal_error" if document else {})
