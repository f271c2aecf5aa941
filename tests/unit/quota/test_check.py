"""What a check decides, and what is told of it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.costs.models import UserCostSummary
from apis.shared.costs.service import CostAggregator
from apis.shared.costs.tally import Span
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable, status_of
from apis.shared.quota.events import (
    build_quota_exceeded_event,
    build_quota_exceeded_response,
    build_quota_warning_event,
    reset_info,
)
from apis.shared.quota.models import QuotaCheckResult, QuotaEvent, QuotaOverride, QuotaTier, ResolvedQuota
from apis.shared.quota.recorder import QuotaEventRecorder
from apis.shared.quota.repository import QuotaEventRepository, QuotaRepository
from apis.shared.quota.resolver import QuotaResolver
from apis.shared.quota.service import QuotaChecker
from apis.shared.rbac.cache import AppRoleCache
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.rbac.service import AppRoleService
from apis.shared.result import Failure, Result, Success
from apis.shared.settings import AppRoleCacheSettings

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADA = User("ada@x.edu", "1", "Ada", ["Staff"])


def tier(limit: Any = 100, **more: Any) -> QuotaTier:
    return QuotaTier.model_validate({"tierId": "t", "tierName": "Basic", "monthlyCostLimit": limit, **more})


class Resolver(QuotaResolver):
    def __init__(self, found: QuotaTier | None) -> None:
        roles = AppRoleService(AppRoleRepository(None), AppRoleCache(AppRoleCacheSettings()))
        super().__init__(QuotaRepository(Table("unused")), roles)
        self._found = found

    async def resolve_user_quota(self, user: User) -> Result[ResolvedQuota | None, ErrorDetail]:
        return Success(None if self._found is None else ResolvedQuota(user.user_id, self._found, "default_tier"))


@dataclass
class Costs:
    """By user and period; what is not named was not spent."""

    spent: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    is_broken: bool = False

    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        return (await self.spent_on(user_id, month)).map(lambda total: UserCostSummary(total_cost=total))

    async def report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        raise NotImplementedError

    async def spent_on(self, user_id: str, day: str) -> Result[Decimal, ErrorDetail]:
        self.reads.append(day)
        if self.is_broken:
            return Failure(service_unavailable())
        return Success(self.spent.get((user_id, day), Decimal(0)))


@dataclass
class Events(QuotaEventRepository):
    kept: list[QuotaEvent] = field(default_factory=list)

    async def put(self, event: QuotaEvent) -> Result[None, ErrorDetail]:
        self.kept.append(event)
        return Success(None)

    async def newest_of_user(
        self, user_id: str, limit: int, *, tier_id: str | None = None, kind: str | None = None, consistent: bool = False
    ) -> Result[list[QuotaEvent], ErrorDetail]:
        assert (tier_id, kind, consistent) == (None, None, True)
        return Success([event for event in reversed(self.kept) if event.user_id == user_id][:limit])


@dataclass
class World:
    tier: QuotaTier | None = None
    costs: Costs = field(default_factory=Costs)
    events: Events = field(default_factory=Events)
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.aggregator = CostAggregator(self.costs, self.costs, clock=self._seconds)
        recorder = QuotaEventRecorder(self.events, lambda: self.now)
        self.checker = QuotaChecker(Resolver(self.tier), self.aggregator, recorder, lambda: self.now)

    def _seconds(self) -> float:
        return (self.now - NOON).total_seconds()

    def spend(self, amount: str, period: str = "2026-01") -> None:
        self.costs.spent["1", period] = Decimal(amount)
        self.aggregator.invalidate("1", [self.now])

    async def check(self, session_id: str | None = None) -> QuotaCheckResult:
        return (await self.checker.check_quota(ADA, session_id)).unwrap()

    @property
    def recorded(self) -> list[tuple[str, Any]]:
        return [(event.event_type, (event.metadata or {}).get("threshold")) for event in self.events.kept]


async def checked(limit: Any, usage: str, **more: Any) -> QuotaCheckResult:
    world = World(tier(limit, **more))
    world.spend(usage)
    return await world.check()


@pytest.mark.parametrize(
    ("usage", "level", "remaining", "allowed"),
    [
        ("79.99", "none", "20.01", True),
        ("80", "80%", "20", True),
        ("89.999", "80%", "10.001", True),
        ("95.123456", "90%", "4.876544", True),
        ("100.00", "90%", "0", False),
        ("250.5", "90%", "0", False),
    ],
)
async def test_the_worked_example(usage: str, level: str, remaining: str, allowed: bool) -> None:
    result = await checked(100, usage)
    assert (result.warning_level, result.remaining, result.allowed) == (level, Decimal(remaining), allowed)
    assert result.percentage_used == Decimal(usage)


@pytest.mark.parametrize(("limit", "usage", "level"), [(9, "8.1", "90%"), ("5.65", "4.52", "80%"), (0, "0", "90%")])
async def test_m1_p1_levels_are_exact(limit: Any, usage: str, level: str) -> None:
    assert (await checked(limit, usage)).warning_level == level


@pytest.mark.parametrize(
    ("soft", "usage", "level"), [(75, "76", "75%"), ("62.5", "62.5", "62%"), (95, "92", "90%"), (0, "0", "0%")]
)
async def test_f_qtm_32_any_soft_limit(soft: Any, usage: str, level: str) -> None:
    assert (await checked(100, usage, softLimitPercentage=soft)).warning_level == level


@pytest.mark.parametrize("found", [None, tier(999_999, dailyCostLimit=1, periodType="daily")], ids=["none", "no limit"])
async def test_without_a_limit_nothing_is_read(found: QuotaTier | None) -> None:
    world = World(found)
    result = await world.check()
    assert result.allowed
    assert (result.current_usage, result.quota_limit, result.warning_level) == (Decimal(0), None, "none")
    assert world.costs.reads == []


@pytest.mark.parametrize(
    ("more", "period", "limit"),
    [
        ({"periodType": "daily", "dailyCostLimit": 5}, "2026-01-31", 5),
        ({"periodType": "daily"}, "2026-01", 100),
        ({"periodType": "monthly", "dailyCostLimit": 5}, "2026-01", 100),
    ],
)
async def test_the_period_that_counts(more: dict[str, Any], period: str, limit: int) -> None:
    world = World(tier(100, **more))
    result = await world.check()
    assert (world.costs.reads, result.quota_limit) == ([period], Decimal(limit))


@pytest.mark.parametrize(
    ("usage", "action", "said"),
    [
        ("99", "block", "Within quota"),
        ("100", "block", "Quota exceeded"),
        ("100", "warn", "Quota exceeded"),
    ],
)
async def test_what_a_check_says(usage: str, action: str, said: str) -> None:
    assert (await checked(100, usage, actionOnLimit=action)).message == said


async def test_what_is_told_goes_by_the_clock_of_the_check() -> None:
    world = World(tier(100), now=datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC))
    world.costs.spent["1", "2025-12"] = Decimal(200)
    assert build_quota_exceeded_event(await world.check()).reset_info == "Your quota resets in 0 day(s)."


async def test_t1_no_entry_of_december_answers_for_january() -> None:
    world = World(tier(100), now=datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC))
    world.costs.spent["1", "2025-12"] = Decimal(200)
    assert not (await world.check()).allowed
    world.now += timedelta(seconds=6)
    assert (await world.check()).allowed
    assert world.costs.reads == ["2025-12", "2026-01"]


async def test_usage_is_kept_for_half_a_minute_but_no_failure() -> None:
    world = World(tier(100))
    world.costs.is_broken = True
    assert isinstance(await world.checker.check_quota(ADA), Failure)
    world.costs.is_broken = False
    assert (await world.check()).current_usage == 0
    world.costs.spent["1", "2026-01"] = Decimal(200)
    world.now += timedelta(seconds=29)
    assert (await world.check()).allowed, "nothing spent is kept too"
    world.now += timedelta(seconds=1)
    assert not (await world.check()).allowed


async def test_warnings_are_written_once_an_hour_and_level_and_blocks_always() -> None:
    world = World(tier(100))
    world.spend("85")
    await world.check("s1")
    await world.check("s2")
    assert world.recorded == [("warning", "80%")]
    world.spend("95")
    await world.check()
    world.spend("85")
    await world.check()
    assert world.recorded == [("warning", level) for level in ("80%", "90%", "80%")], "the last one counts"
    world.now += timedelta(minutes=60)
    await world.check()
    assert len(world.recorded) == 4
    world.spend("100")
    for _ in range(2):
        await world.check()
    assert Counter(world.recorded[4:]) == {("warning", "90%"): 1, ("block", None): 2}
    first = world.events.kept[0]
    assert first.metadata == {
        "threshold": "80%",
        "tier_name": "Basic",
        "session_id": "s1",
        "assignment_id": None,
        "user_email": "ada@x.edu",
        "user_roles": ["Staff"],
    }


AMOUNTS = st.decimals(0, 1_000_000, allow_nan=False, places=4)


@settings(deadline=None)  # the machine may be busy
@given(
    limit=st.decimals(-1, 1_000_000, allow_nan=False, places=2),
    usage=AMOUNTS,
    more=AMOUNTS,
    soft=st.decimals(0, 100, allow_nan=False, places=1),
    action=st.sampled_from(["block", "warn"]),
)
async def test_who_spends_more_is_never_allowed_more(
    limit: Decimal, usage: Decimal, more: Decimal, soft: Decimal, action: str
) -> None:
    options = {"softLimitPercentage": soft, "actionOnLimit": action}
    less, later = await checked(limit, str(usage), **options), await checked(limit, str(usage + more), **options)
    assert less.allowed or not later.allowed
    if less.warning_level != "none":
        assert later.warning_level != "none"
    if less.quota_limit is None:
        return
    assert less.remaining is not None
    assert less.remaining >= 0
    assert less.allowed == (action == "warn" or (usage < limit and limit > 0))
    if not less.allowed:
        assert less.warning_level == "90%"


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-01-31T23:00:00Z", 0),
        ("2024-02-01T00:00:00Z", 29),
        ("2025-12-31T00:00:00.000001Z", 0),
        ("2025-12-31T00:00:00Z", 1),
        ("2025-12-31T20:00:00-05:00", 30),
    ],
)
def test_t2_when_a_month_is_over(now: str, days: int) -> None:
    assert reset_info("monthly", datetime.fromisoformat(now)) == f"Your quota resets in {days} day(s)."


async def test_without_a_warning_there_is_no_event() -> None:
    assert build_quota_warning_event(await checked(100, "1")) is None


async def test_the_frames() -> None:
    result = await checked(10, "8.5")
    event = build_quota_warning_event(result)
    assert event is not None
    assert event.to_sse_format() == (
        'event: quota_warning\ndata: {"type": "quota_warning", "warningLevel": "80%", "currentUsage": 8.5, '
        '"quotaLimit": 10.0, "percentageUsed": 85.0, "remaining": 1.5, '
        '"message": "You have used 80% of your quota ($8.50 / $10.00)"}\n\n'
    )
    unknown = build_quota_exceeded_event(QuotaCheckResult(allowed=False, message="", checked_at=NOON))
    lines = unknown.to_sse_format().split("\n")
    assert lines[0] == "event: quota_exceeded"
    data = json.loads(lines[1].removeprefix("data: "))
    assert "tierName" not in data
    assert data["periodType"] == "monthly"
    assert "your plan" in data["message"]


async def test_the_body_for_what_does_not_stream() -> None:
    told = build_quota_exceeded_response(await checked(10, "12"))
    assert told.model_dump(by_alias=True) == {
        "error": "Quota exceeded",
        "code": "rate_limit_exceeded",
        "message": "The quota of Basic is used up. Your quota resets in 0 day(s).",
        "currentUsage": 12.0,
        "quotaLimit": 10.0,
        "percentageUsed": 120.0,
        "periodType": "monthly",
        "tierName": "Basic",
        "resetInfo": "Your quota resets in 0 day(s).",
    }
    error = told.to_error()
    assert (error.code, status_of(error.code), error.detail) == (ErrorCode.QUOTA_EXCEEDED, 429, told.message)
    assert error.metadata == {
        "currentUsage": 12.0,
        "quotaLimit": 10.0,
        "percentageUsed": 120.0,
        "periodType": "monthly",
        "tierName": "Basic",
        "resetInfo": "Your quota resets in 0 day(s).",
    }
    unknown = build_quota_exceeded_response(QuotaCheckResult(allowed=False, message="", checked_at=NOON))
    assert unknown.tier_name is None
    assert "tierName" not in (unknown.to_error().metadata or {})


async def test_an_override_that_begins_to_count_and_a_reset() -> None:
    world = World()
    recorder = QuotaEventRecorder(world.events, lambda: NOON)
    override = QuotaOverride.model_validate(
        {
            "overrideId": "o1",
            "userId": "1",
            "overrideType": "custom_limit",
            "monthlyCostLimit": 50,
            "validFrom": "2020-01-01T00:00:00Z",
            "validUntil": "2099-01-01T00:00:00Z",
        }
    )
    assert await recorder.record_override_applied(ADA, override, Decimal(10)) == Success(None)
    assert await recorder.record_reset(ADA, tier(20), Decimal(5), reason="A new month") == Success(None)
    applied, reset = world.events.kept
    assert (applied.event_type, applied.tier_id) == ("override_applied", "override_o1")
    assert (applied.current_usage, applied.quota_limit, applied.percentage_used) == (
        Decimal(10),
        Decimal(50),
        Decimal(20),
    )
    assert applied.metadata == {
        "override_id": "o1",
        "tier_name": "Custom Override",
        "user_email": "ada@x.edu",
        "user_roles": ["Staff"],
    }
    assert (reset.event_type, reset.tier_id, reset.percentage_used) == ("reset", "t", Decimal(25))
    assert reset.metadata == {"reason": "A new month", "tier_name": "Basic", "user_email": "ada@x.edu"}


async def test_f_qtm_15_f_qtm_36_the_recorder_hands_on_what_it_cannot_record() -> None:
    class Broken(Events):
        async def put(self, event: QuotaEvent) -> Result[None, ErrorDetail]:
            return Failure(service_unavailable(None, kind=event.event_type))

    recorder = QuotaEventRecorder(Broken(), lambda: NOON)
    refused = await recorder.record_reset(ADA, tier(20), Decimal(5), reason="")
    assert refused.failure().context == {"kind": "reset"}
