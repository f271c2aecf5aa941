"""The check in front of every chat turn, as the client of the Inference API sees it."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer
from tests.support.platform import ROLE, Answer, Platform, User, running_platform, until
from tests.support.service_log import FAILED, SUPPRESSED
from tests.support.stored.assistants import assistant, document
from tests.support.stored.knowledge import vector

BLOCKED = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_stop",
    "quota_exceeded",
    "done",
]


@dataclass
class Spender:
    """Somebody with a tier of their own."""

    platform: Platform
    user: User

    @property
    def session_id(self) -> str:
        return f"quota-{self.user.user_id}"

    async def chat(self, session: str = "", **members: Any) -> Answer:
        """Until what is recorded beside the answer is written, too."""
        answer = await self.platform.chat(f"{self.session_id}{session}", user=self.user, **members)
        await self.platform.inference_api.steer("settle", answer.request_id)
        return answer

    def limited(self, limit: Any, **tier: Any) -> None:
        tier_id = self.user.user_id
        self.platform.store(
            stored.quota_tier(tier_id, limit, **{"tierName": "Basic", **tier}),
            stored.quota_assignment("direct_user", tier_id, tier_id, assignmentId=f"a-{tier_id}"),
        )

    def spent(self, cost: str) -> None:
        self.platform.store(stored.spent(self.user.user_id, Decimal(cost)))

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.platform.items(stored.QUOTA_EVENTS, f"USER#{self.user.user_id}")

    @property
    def kinds(self) -> Counter[str]:
        return Counter(event["eventType"] for event in self.events)

    async def messages(self, session: str = "") -> list[tuple[str, Any]]:
        found = await self.platform.messages(f"{self.session_id}{session}", user=self.user)
        return [(one["role"], one["content"][0]["text"]) for one in found]


@pytest.fixture
def spender(gated: Platform) -> Spender:
    user_id = str(uuid.uuid4().int)[:9]
    return Spender(gated, gated.sign_in(user_id, ROLE, "Staff", f"R{user_id}"))


@dataclass(frozen=True)
class Other:
    """Processes of their own over the same tables, started when whoever has `role` had a tier already."""

    platform: Platform
    role: str


@pytest.fixture(scope="module")
async def other(gated: Platform) -> AsyncIterator[Other]:
    role, tier = "Warmed up", "warmed-up"
    gated.store(stored.quota_tier(tier, 10, softLimitPercentage=0), stored.quota_assignment("jwt_role", role, tier))
    kept = {f"APP_ROLE_{layer}_CACHE_TTL_MINUTES": "5" for layer in ("USER", "ROLE", "MAPPING")}
    enforcing = replace(gated.surroundings, chosen={"ENABLE_QUOTA_ENFORCEMENT": "true", **kept})
    async with running_platform(enforcing, gated.root, in_tables=True) as platform:
        # Now: a start within a test would keep requests that are under way from being read.
        assert platform.inference_api
        yield Other(platform, role)


@pytest.fixture(autouse=True)
def model(gated: Platform) -> Iterator[ModelServer]:
    gated.model.reset()
    yield gated.model
    gated.model.reset()


async def test_e7_e10_used_up(spender: Spender, model: ModelServer) -> None:
    """E7 and E10: nothing runs, what the user is told is kept at the end of the conversation, and both events."""
    user_id = spender.user.user_id
    spender.limited(10)
    spender.spent("12")
    spender.platform.store(
        stored.session(user_id, spender.session_id), *stored.conversation(user_id, spender.session_id, "hi", "Hello.")
    )
    answer = await spender.chat(enabled_tools=["calculator"], model_id=None)
    assert (answer.status, answer.names) == (200, BLOCKED)
    assert answer.headers["x-session-id"] == spender.session_id
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "x-error-code" not in answer.headers
    (notice,) = answer.of("quota_exceeded")
    (delta,) = answer.of("content_block_delta")
    assert notice == {
        "type": "quota_exceeded",
        "currentUsage": 12.0,
        "quotaLimit": 10.0,
        "percentageUsed": 120.0,
        "periodType": "monthly",
        "tierName": "Basic",
        "resetInfo": notice["resetInfo"],
        "message": delta["text"],
    }
    assert answer.of("content_block_start") == [{"contentBlockIndex": 0, "type": "text"}]
    assert answer.of("message_stop") == [{"stopReason": "quota_exceeded"}]
    for part in ("**Basic**", "**$12.00**", "$10.00", "120%", notice["resetInfo"]):
        assert part in notice["message"]
    assert model.calls == []
    assert await spender.messages() == [
        ("user", "hi"),
        ("assistant", "Hello."),
        ("user", "hi"),
        ("assistant", notice["message"]),
    ]
    assert (await spender.platform.session(spender.session_id, user=spender.user))["messageCount"] == 1
    by_kind = {event["eventType"]: event for event in spender.events}
    assert by_kind.keys() == {"warning", "block"}
    block = by_kind["block"]
    assert block["metadata"] == {
        "tier_name": "Basic",
        "session_id": spender.session_id,
        "assignment_id": f"a-{user_id}",
        "user_email": "",
        "user_roles": [ROLE, "Staff", f"R{user_id}"],
    } | {"user_email": block["metadata"]["user_email"]}
    assert by_kind["warning"]["metadata"] == {"threshold": "90%", **block["metadata"]}
    at = block["timestamp"]
    assert block == {
        "PK": f"USER#{user_id}",
        "SK": f"EVENT#{at}#{block['eventId']}",
        "GSI5PK": f"TIER#{user_id}",
        "GSI5SK": f"TIMESTAMP#{at}",
        "eventId": block["eventId"],
        "userId": user_id,
        "tierId": user_id,
        "eventType": "block",
        "currentUsage": 12,
        "quotaLimit": 10,
        "percentageUsed": 120,
        "timestamp": at,
        "metadata": block["metadata"],
    }
    assert spender.platform.records(answer.request_id, FAILED) == [], "a used-up quota is no failed request"


async def test_a_new_conversation_that_is_blocked(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("10")
    answer = await spender.chat()
    assert answer.names == BLOCKED
    session = await spender.platform.session(spender.session_id, user=spender.user)
    assert (session["title"], session["messageCount"]) == ("New Conversation", 0)
    again = await spender.chat()
    assert again.names == BLOCKED, "the session is free again"
    assert [role for role, _ in await spender.messages()] == ["user", "assistant"] * 2
    assert spender.kinds == {"warning": 1, "block": 2}, "every blocked turn, and one warning within an hour"


@pytest.mark.parametrize(
    ("limit", "soft", "usage", "level", "percentage", "remaining"),
    [
        (100, 80, "80", "80%", 80.0, 20.0),
        (10, 80, "8.5", "80%", 85.0, 1.5),
        (100, 75, "76", "75%", 76.0, 24.0),
        (9, 80, "8.1", "90%", 90.0, 0.9),
        (5.65, 80, "4.52", "80%", 80.0, 1.13),
        (100, 95, "90", "90%", 90.0, 10.0),
        (100, 80, "95.123456", "90%", 95.123456, 4.876544),
    ],
)
async def test_e8_e11_m1_a_warning_comes_first(
    spender: Spender, limit: float, soft: int, usage: str, level: str, percentage: float, remaining: float
) -> None:
    spender.limited(limit, softLimitPercentage=soft)
    spender.spent(usage)
    for session in "ab":
        answer = await spender.chat(session)
        assert answer.failure is None
        assert answer.names[:2] == ["quota_warning", "message_start"]
        (warning,) = answer.of("quota_warning")
        assert warning == {
            "type": "quota_warning",
            "warningLevel": level,
            "currentUsage": warning["currentUsage"],
            "quotaLimit": limit,
            "percentageUsed": pytest.approx(percentage, abs=0.01),
            "remaining": pytest.approx(remaining, abs=0.001),
            "message": f"You have used {level} of your quota (${Decimal(usage):.2f} / ${limit:.2f})",
        }
    (event,) = spender.events
    assert (event["eventType"], event["metadata"]["threshold"]) == ("warning", level)


async def test_below_the_soft_limit_nothing_is_told(spender: Spender) -> None:
    spender.limited(100)
    spender.spent("79.99")
    answer = await spender.chat()
    assert answer.names[0] == "message_start"
    assert spender.events == []


async def test_a_tier_that_only_warns(spender: Spender) -> None:
    spender.limited(10, actionOnLimit="warn")
    spender.spent("12")
    answer = await spender.chat()
    assert answer.failure is None
    assert answer.names[:2] == ["quota_warning", "message_start"]
    assert answer.of("quota_warning")[0]["remaining"] == 0.0
    assert spender.kinds == {"warning": 1}


@pytest.mark.parametrize(
    ("limit", "usage", "is_blocked"),
    [
        (0, "0", True),
        (-5, "0", True),
        (100, "100.00", True),
        (100, "250.5", True),
        (999_998.99, "999998.99", True),
        (999_999, "1000000", False),
    ],
)
async def test_m4_p1_where_limits_end(spender: Spender, limit: float, usage: str, is_blocked: bool) -> None:
    spender.limited(limit)
    spender.spent(usage)
    answer = await spender.chat()
    assert ("quota_exceeded" in answer.names) is is_blocked
    if not is_blocked:
        assert answer.names[0] == "message_start"
        assert spender.events == []


@pytest.mark.parametrize("costs", [["0.7", "0.1", "0.1", "0.1"], ["6"]], ids=["M2", "E12"])
async def test_m2_e12_the_day(spender: Spender, costs: list[str]) -> None:
    limit = 1 if len(costs) > 1 else 5
    spender.limited(100, dailyCostLimit=limit, periodType="daily")
    now = datetime.now(UTC)
    attribution = {"userId": spender.user.user_id, "sessionId": "s", "timestamp": now.isoformat()}
    for cost in costs:
        row = stored.cost_record(spender.user.user_id, "s", 1, cost=Decimal(cost), attribution=attribution)
        spender.platform.store(row)
    (notice,) = (await spender.chat()).of("quota_exceeded")
    assert (notice["periodType"], notice["quotaLimit"]) == ("daily", limit)
    assert notice["percentageUsed"] == (100.0 if limit == 1 else 120.0)
    assert notice["resetInfo"] == "Your quota resets at midnight UTC."


async def test_daily_without_a_daily_limit_is_monthly(spender: Spender) -> None:
    spender.limited(10, periodType="daily")
    spender.spent("12")
    (notice,) = (await spender.chat()).of("quota_exceeded")
    assert (notice["periodType"], notice["quotaLimit"]) == ("monthly", 10.0)


async def test_f_qtm_29_without_a_quota(spender: Spender) -> None:
    spender.spent("1000")
    answer = await spender.chat()
    assert (answer.failure, answer.names[0]) == (None, "message_start")
    assert spender.events == []


async def test_e8_f_qtm_33_an_unlimited_override(spender: Spender) -> None:
    spender.limited(1)
    spender.spent("1000")
    spender.platform.store(
        stored.quota_override(spender.user.user_id, overrideType="unlimited", monthlyCostLimit=stored.LEFT_OUT)
    )
    answer = await spender.chat()
    assert (answer.failure, answer.names[0]) == (None, "message_start")


def failing(spender: Spender, variable: str, operation: str | None = None) -> Fault:
    return Fault(
        FaultKind.THROTTLED,
        operation=operation,
        table=spender.platform.variables[variable],
        containing=spender.user.user_id,
        nth=1,
    )


@pytest.mark.parametrize("variable", [stored.QUOTAS, stored.SUMMARIES])
async def test_e9_e13_q5_f_qtm_31_f_qtm_38_a_check_that_fails(
    spender: Spender, model: ModelServer, variable: str
) -> None:
    """F-CHAT-05: it lets nobody through, and is not kept."""
    spender.limited(10)
    spender.spent("1")
    with spender.platform.proxy.injecting(failing(spender, variable)) as injection:
        answer = await spender.chat()
    assert injection.hits == 1
    assert answer.names == [*BLOCKED[:-2], "stream_error", "done"]
    assert (answer.error["code"], answer.error["recoverable"]) == ("service_unavailable", True)
    assert answer.headers["x-error-code"] == "service_unavailable"
    assert model.calls == []
    assert [record["code"] for record in spender.platform.records(answer.request_id, FAILED)] == ["service_unavailable"]
    again = await spender.chat()
    assert (again.failure, len(model.calls)) == (None, 1)


async def test_f_qtm_27_roles_that_cannot_be_read(spender: Spender, model: ModelServer) -> None:
    """Only the gate needs them: no model and no tool is asked for."""
    roles = spender.platform.variables[stored.ROLES]
    fault = Fault(FaultKind.THROTTLED, table=roles, containing=f"R{spender.user.user_id}")
    with spender.platform.proxy.injecting(fault) as injection:
        answer = await spender.chat(model_id=None)
    assert injection.hits == 1, "by nobody but the gate"
    assert answer.names == [*BLOCKED[:-2], "stream_error", "done"]
    assert (answer.error["code"], model.calls) == ("service_unavailable", [])
    assert (await spender.chat()).failure is None, "not kept"


async def test_f_qtm_34_f_qtm_35_f_chat_06_events_that_cannot_be_written(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    fault = Fault(
        FaultKind.THROTTLED,
        operation="PutItem",
        table=spender.platform.variables[stored.QUOTA_EVENTS],
        containing=spender.user.user_id,
    )
    with spender.platform.proxy.injecting(fault) as injection:
        answer = await spender.chat()
    assert injection.hits == 2
    assert answer.names == BLOCKED
    assert len(spender.platform.records(answer.request_id, SUPPRESSED)) == 2
    errors = spender.platform.records(answer.request_id, "a quota event could not be recorded")
    assert [record["level"] for record in errors] == ["ERROR", "ERROR"]


@pytest.mark.parametrize("usage", ["8.5", "12"], ids=["warned", "blocked"])
async def test_nobody_waits_for_the_audit_trail(spender: Spender, usage: str) -> None:
    spender.limited(10)
    spender.spent(usage)
    with spender.platform.proxy.holding("PutItem", containing=spender.platform.variables[stored.QUOTA_EVENTS]):
        async with asyncio.timeout(3):
            answer = await spender.platform.chat(spender.session_id, user=spender.user)
        assert (answer.failure, answer.names[-1]) == (None, "done")
    await spender.platform.settled(answer.request_id)
    assert spender.kinds


async def test_a_block_is_recorded_for_a_client_that_leaves(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    async with spender.platform.chatting(spender.session_id, user=spender.user) as events:
        await anext(aiter(events))

    async def is_recorded() -> bool:
        return spender.kinds == {"warning": 1, "block": 1}

    await until(is_recorded)


async def test_f_qtm_18_earlier_warnings_that_cannot_be_read(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("8.5")
    for session in "ab":
        with spender.platform.proxy.injecting(failing(spender, stored.QUOTA_EVENTS, "Query")):
            assert (await spender.chat(session)).names[0] == "quota_warning"
    assert spender.kinds == {"warning": 2}


async def test_a_warning_of_another_level_or_of_an_hour_ago(spender: Spender) -> None:
    user_id, now = spender.user.user_id, datetime.now(UTC)
    for minutes, threshold in ((61, "80%"), (30, "90%")):
        at = (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
        spender.platform.store(stored.quota_event(user_id, at, metadata={"threshold": threshold}))
    spender.limited(10)
    spender.spent("8.5")
    await spender.chat()
    assert spender.kinds == {"warning": 3}


async def test_f_qtm_39_f_chat_18_a_notice_that_cannot_be_kept(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    fault = Fault(FaultKind.THROTTLED, operation="CreateEvent", containing=spender.user.user_id)
    with spender.platform.proxy.injecting(fault):
        answer = await spender.chat()
    assert answer.names == [*BLOCKED[:-1], "stream_error", "done"]
    assert answer.error["code"] == "service_unavailable"
    assert answer.error["metadata"] == {"session_id": spender.session_id, "persisted": False}
    assert [record["code"] for record in spender.platform.records(answer.request_id, FAILED)] == ["service_unavailable"]


async def test_a_lease_that_is_not_given_back_takes_nothing_from_the_notice(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    fault = Fault(FaultKind.THROTTLED, operation="UpdateItem", containing="releasedAt")
    with spender.platform.proxy.injecting(fault) as injection:
        answer = await spender.platform.chat(spender.session_id, user=spender.user)
    assert injection.hits
    assert answer.names == BLOCKED
    assert len(spender.platform.records(answer.request_id, SUPPRESSED)) == 1


async def test_somebody_elses_session_is_not_found_and_no_event_tells_of_it(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    spender.platform.store(stored.session("999999990", spender.session_id))
    answer = await spender.chat()
    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert spender.events == []


async def test_the_gate_comes_before_model_and_files(spender: Spender) -> None:
    spender.limited(10)
    spender.spent("12")
    with spender.platform.proxy.recording(containing=spender.user.user_id) as recording:
        answer = await spender.chat(model_id="gpt-forbidden", file_upload_ids=["nope"])
    assert answer.names == BLOCKED
    operations = {call.target.operation for call in recording.calls}
    assert operations.isdisjoint({"RetrieveMemoryRecords", "GetObject"})
    assert stored.FILES not in {call.target.table for call in recording.calls}


SEARCHING = {"InvokeModel", "QueryVectors"}


@pytest.fixture
def assistant_id(spender: Spender) -> str:
    """One of the spender's, with a document."""
    made = f"ast-{spender.user.user_id}"
    spender.platform.store(
        assistant(spender.user.user_id, made), document(made, "DOC-1"), vector(made, "DOC-1", 0, "Fees are due in May.")
    )
    return made


async def test_a_blocked_turn_of_an_assistant_pays_for_no_search(
    spender: Spender, model: ModelServer, assistant_id: str
) -> None:
    """And the session stays with its assistant."""
    spender.limited(10)
    spender.spent("12")
    with spender.platform.proxy.recording() as recording:
        answers = [await spender.chat(assistant_id=assistant_id) for _ in range(2)]
    assert [answer.names for answer in answers] == [BLOCKED, BLOCKED]
    assert SEARCHING.isdisjoint(call.target.operation for call in recording.calls)
    assert model.requests == []
    session = await spender.platform.session(spender.session_id, user=spender.user)
    assert session["preferences"]["assistantId"] == assistant_id


async def test_a_blocked_turn_binds_no_session_to_an_assistant_that_is_not_for_the_user(spender: Spender) -> None:
    foreign = f"ast-foreign-{spender.user.user_id}"
    spender.platform.store(assistant("Ada", foreign))
    spender.limited(10)
    spender.spent("12")
    assert (await spender.chat(assistant_id=foreign)).names == BLOCKED
    session = await spender.platform.session(spender.session_id, user=spender.user)
    assert not (session.get("preferences") or {}).get("assistantId")


@pytest.mark.parametrize("spent", ["12", None], ids=["used up", "a gate that cannot be asked"])
async def test_a_test_chat_that_the_gate_stops(
    spender: Spender, model: ModelServer, assistant_id: str, spent: str | None
) -> None:
    """An HTTP error before anything is paid for; nothing of it is kept but what the audit needs."""
    platform, path = spender.platform, f"/assistants/{assistant_id}/test-chat"
    spender.limited(10)
    down = Fault(FaultKind.THROTTLED, table=platform.variables[stored.SUMMARIES], containing=spender.user.user_id)
    if spent is not None:
        spender.spent(spent)
    with platform.proxy.recording() as recording, nullcontext() if spent else platform.proxy.injecting(down):
        answer = await platform.ask(spender.user, "POST", path, {"message": "When are fees due?"})
    expected = (429, "quota_exceeded") if spent else (503, "service_unavailable")
    assert (answer.status_code, answer.json()["code"]) == expected
    assert SEARCHING.isdisjoint(call.target.operation for call in recording.calls)
    assert model.requests == []
    if spent:
        await until(lambda: _is_recorded(spender))
        assert all(event["metadata"]["session_id"].startswith("test-") for event in spender.events)


async def _is_recorded(spender: Spender) -> bool:
    return spender.kinds == {"warning": 1, "block": 1}


async def test_a_test_chat_with_a_warning(spender: Spender, model: ModelServer, assistant_id: str) -> None:
    """The client reads what was found first, always."""
    spender.limited(10)
    spender.spent("8.5")
    answer = await spender.platform.ask(
        spender.user, "POST", f"/assistants/{assistant_id}/test-chat", {"message": "hi"}
    )
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[:3] == ["debug", "quota_warning", "message_start"]
    assert names[-1] == "done"


async def test_m3_turns_of_one_moment_are_all_billed_and_the_next_is_blocked(
    spender: Spender, model: ModelServer
) -> None:
    """The process that wrote the cost does not wait for what it keeps of it."""
    spender.limited(10)
    spender.spent("9.99999")
    answers = await asyncio.gather(*(spender.chat(str(number)) for number in range(5)))
    assert {answer.names[0] for answer in answers} == {"quota_warning"}
    assert all(answer.failure is None for answer in answers)
    costs = [Decimal(str(answer.total["cost"])) for answer in answers]
    (summary,) = spender.platform.items(stored.SUMMARIES, f"USER#{spender.user.user_id}")
    assert summary["totalCost"] == Decimal("9.99999") + sum(costs)
    assert summary["totalCost"] >= 10
    assert (await spender.chat("next")).names == BLOCKED
    assert len(model.calls) == 5
    assert spender.kinds == {"warning": 1, "block": 1}


async def test_m3_fifty_turns_around_the_limit_in_two_processes(
    spender: Spender, other: Other, model: ModelServer
) -> None:
    """Begun while others end: whoever begins after its process has seen that the limit was passed is stopped."""
    spender.limited(10)
    spender.spent("9.9999")
    elsewhere = Spender(other.platform, spender.user)

    async def chats(name: str) -> list[Answer]:
        by = elsewhere if name in "de" else spender
        return [await by.chat(f"{name}{number}") for number in range(10)]

    answers = [one for some in await asyncio.gather(*map(chats, "abcde")) for one in some]
    ran = [answer for answer in answers if answer.names[0] == "quota_warning"]
    blocked = [answer for answer in answers if answer.names == BLOCKED]
    assert len(ran) + len(blocked) == 50
    assert len(model.calls) == len(ran)
    billed = sum(Decimal(str(answer.total["cost"])) for answer in ran)
    (summary,) = spender.platform.items(stored.SUMMARIES, f"USER#{spender.user.user_id}")
    assert summary["totalCost"] == Decimal("9.9999") + billed, "what ran in either is billed"
    # What ran was let in below the limit; only turns that ran beside each other can have passed it together.
    usages = sorted(answer.of("quota_warning")[0]["currentUsage"] for answer in ran)
    assert usages[-1] < 10
    assert blocked
    assert all(answer.of("quota_exceeded")[0]["currentUsage"] >= 10 for answer in blocked)
    assert spender.kinds["block"] == len(blocked)


async def test_round_trips_of_the_first_turn_after_a_start(other: Other) -> None:
    """Of somebody for whom only a rule of a group counts: those were read while the process warmed up."""
    platform = other.platform
    user = platform.sign_in(str(uuid.uuid4().int)[:9], other.role)
    tables = {platform.variables[name] for name in (stored.QUOTAS, stored.ROLES, stored.SUMMARIES)}
    with platform.proxy.recording() as recording:
        answer = await platform.chat(f"quota-{user.user_id}", user=user, model_id=None)
    assert answer.names[0] == "quota_warning"
    calls = [call.target.operation for call in recording.calls if call.target.table in tables]
    reads = [operation for operation in calls if operation in {"GetItem", "Query"}]
    assert Counter(reads) == {"Query": 3, "GetItem": 3}, "override, assignment, AppRole; default role, tier, usage"


async def test_round_trips(spender: Spender) -> None:
    """A user who is new to this process costs six calls at most, one who is known one, and none for half a minute."""
    platform, user_id = spender.platform, spender.user.user_id
    other = Spender(platform, platform.sign_in(f"{user_id}0", ROLE))
    await other.chat()
    tables = {platform.variables[name] for name in (stored.QUOTAS, stored.QUOTA_EVENTS, stored.SUMMARIES)}
    spender.limited(10)

    async def calls(session: str) -> list[str]:
        with platform.proxy.recording(containing=user_id) as recording:
            assert (await spender.chat(session)).failure is None
        of_gate = [call.target for call in recording.calls if call.target.table in tables]
        return [target.operation for target in of_gate if target.operation in {"GetItem", "Query"}]

    cold = await calls("a")
    assert Counter(cold) == {"Query": 2, "GetItem": 2}, "override, assignment, tier, usage"
    assert await calls("b") == ["GetItem"], "usage, which the first turn has changed"
    spender.spent("12")
    assert (await spender.chat("c")).names == BLOCKED
    with platform.proxy.recording(containing=user_id) as recording:
        assert (await spender.chat("d")).names == BLOCKED
    assert [c.target.operation for c in recording.calls if c.target.table == platform.variables[stored.SUMMARIES]] == []


async def test_sessions_in_local_files(files: Platform) -> None:
    """What was spent is summed from them; rules and audit trail are in tables all the same."""
    user_id = str(uuid.uuid4().int)[:9]
    enforcing = replace(files.surroundings, chosen={"ENABLE_QUOTA_ENFORCEMENT": "true"})
    async with running_platform(enforcing, files.root, in_tables=False) as platform:
        spender = Spender(platform, platform.sign_in(user_id, ROLE, "Staff"))
        spender.limited(0.00001)
        first = await spender.chat("a")
        assert (first.failure, first.names[0]) == (None, "message_start")
        assert first.total["cost"] > 0.00001
        assert (await spender.chat("b")).names == BLOCKED
    assert spender.kinds == {"warning": 1, "block": 1}


async def test_the_flag_in_any_case_and_a_table_that_is_not_there(gated: Platform) -> None:
    """What the Inference API meets in a deployment that names no quota table: it fails closed."""
    chosen = {"ENABLE_QUOTA_ENFORCEMENT": "TRUE", stored.QUOTAS: ""}
    async with running_platform(replace(gated.surroundings, chosen=chosen), gated.root, in_tables=True) as platform:
        answer = await platform.chat("no-table")
    assert answer.error["code"] == "internal_error"
