from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing


def a_session(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.session(case.user_id, case.session_id)


def a_conversation(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_session(platform, case)
    yield from stored.conversation(case.user_id, case.session_id, "one", "two")


def a_conversation_with_costs(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_conversation(platform, case)
    yield stored.cost_record(case.user_id, case.session_id, 1)


def a_conversation_with_a_file(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_conversation(platform, case)
    yield from stored.uploaded_file(case.user_id, case.session_id, platform.variables[stored.FILES_BUCKET])


def two_sessions(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_conversation(platform, case)
    yield stored.session(case.user_id, f"{case.session_id}-2")


async def is_gone(platform: Platform, case: Case, _: bool) -> None:
    assert (await platform.ask(case.user, "GET", "/sessions")).json()["sessions"] == []
    assert await platform.messages(case.session_id, user=case.user) == []


IDS_ARE_ENOUGH = {
    ("bedrock-agentcore.ListEvents", FaultKind.CORRUPT_ITEM): "A deletion reads the ids of events, not what they hold.",
}
ANY_2XX = {
    (f"s3.DeleteObject {stored.FILES_BUCKET}", FaultKind.GARBAGE): "Any 2xx to a delete means that the object is gone.",
}

SCENARIOS = [
    Scenario("list sessions", Request("GET /sessions"), a_session),
    Scenario("get session", Request("GET /sessions/{session_id}/metadata"), a_session),
    Scenario("create session", Request("PUT /sessions/{session_id}/metadata", {"title": "New"})),
    Scenario(
        "change session",
        Request("PUT /sessions/{session_id}/metadata", {"title": "After", "lastModel": "n", "tags": ["a"]}),
        a_session,
    ),
    Scenario("read messages", Request("GET /sessions/{session_id}/messages"), a_conversation_with_costs),
    Scenario(
        "delete session",
        Request("DELETE /sessions/{session_id}"),
        a_conversation_with_a_file,
        is_gone,
        harmless=IDS_ARE_ENOUGH | ANY_2XX,
    ),
    Scenario(
        "delete sessions",
        Request("POST /sessions/bulk-delete", lambda case: {"sessionIds": [case.session_id, f"{case.session_id}-2"]}),
        two_sessions,
        harmless=IDS_ARE_ENOUGH,
    ),
]
