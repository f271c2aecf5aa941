from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support.fault_proxy import FaultKind
from tests.support.long_term_memory import STRATEGY
from tests.support.platform import Platform
from tests.support.stored import Thing


def _record_id(case: Case) -> str:
    return f"mem-{case.marker:0>36}"


def a_record(platform: Platform, case: Case) -> Iterator[Thing]:
    """With an id of its own, which it has again when the request is repeated."""
    yield from ()
    namespace = f"/strategies/{STRATEGY}/actors/{case.user_id}"
    platform.memory.remember(namespace, "likes tea", score=0.9, memoryRecordId=_record_id(case))


async def remembered_again(platform: Platform, case: Case, _: bool) -> None:
    platform.memory.deleted = [one for one in platform.memory.deleted if one != _record_id(case)]


UNKNOWN_STRATEGY = {
    ("bedrock-agentcore-control.GetMemory", FaultKind.CORRUPT_ITEM): (
        "A strategy without an id is listed as `unknown`; nothing is searched with it."
    ),
}

SCENARIOS = [
    Scenario("memory status", Request("GET /memory/status")),
    Scenario("all memories", Request("GET /memory"), a_record),
    Scenario("preferences", Request("GET /memory/preferences"), a_record),
    Scenario("facts", Request("GET /memory/facts"), a_record),
    Scenario("summaries", Request("GET /memory/summaries/{session_id}"), a_record),
    Scenario(
        "search memories",
        Request("POST /memory/search", {"query": "what a user may not see logged", "namespace": "preferences"}),
        a_record,
    ),
    Scenario("strategies", Request("GET /memory/strategies"), harmless=UNKNOWN_STRATEGY),
    Scenario(
        "delete memory",
        Request("DELETE /memory/{record_id}", fill={"record_id": _record_id}),
        a_record,
        repeats=False,
        verify=remembered_again,
    ),
]
