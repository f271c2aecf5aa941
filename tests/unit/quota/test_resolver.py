"""Which rule counts, what is kept and for how long, on rules that a test makes up."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.quota.models import AssignmentType, QuotaAssignment, QuotaOverride, QuotaTier, ResolvedQuota
from apis.shared.quota.repository import QuotaRepository
from apis.shared.quota.resolver import QuotaResolver
from apis.shared.rbac.cache import AppRoleCache
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.rbac.service import AppRoleService
from apis.shared.result import Failure, Result, Success, suppression_counts
from apis.shared.settings import AppRoleCacheSettings

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADA = User("Ada@CS.Example.edu", "1", "Ada", ["Staff", "Faculty"])
APP_ROLES = ("researcher", "default")


@dataclass
class Clock:
    now: datetime = NOON

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return (self.now - NOON).total_seconds()


@dataclass
class Rules(QuotaRepository):
    """`broken` names the reads that fail."""

    assignments: list[QuotaAssignment] = field(default_factory=list)
    overrides: list[QuotaOverride] = field(default_factory=list)
    tiers: dict[str, QuotaTier] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    reads: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(Table("unused"))

    def _read[T](self, name: str, value: T) -> Result[T, ErrorDetail]:
        self.reads[name] += 1
        return Failure(service_unavailable(None, read=name)) if name in self.broken else Success(value)

    def _by_priority(self, *keep: Callable[[QuotaAssignment], bool]) -> list[QuotaAssignment]:
        kept = [one for one in self.assignments if all(wanted(one) for wanted in keep)]
        return sorted(kept, key=lambda one: (-one.priority, one.assignment_id))

    async def get_tier(self, tier_id: str) -> Result[QuotaTier | None, ErrorDetail]:
        return self._read("tier", self.tiers.get(tier_id))

    async def overrides_of_user(self, user_id: str) -> Result[list[QuotaOverride], ErrorDetail]:
        return self._read("overrides", [one for one in self.overrides if one.user_id == user_id])

    async def assignments_of_user(self, user_id: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        mine = self._by_priority(lambda one: one.assignment_type == "direct_user", lambda one: one.user_id == user_id)
        return self._read("direct_user", mine)

    async def assignments_of_type(self, kind: AssignmentType) -> Result[list[QuotaAssignment], ErrorDetail]:
        return self._read(kind, self._by_priority(lambda one: one.assignment_type == kind))


class Roles(AppRoleService):
    def __init__(self) -> None:
        super().__init__(AppRoleRepository(None), AppRoleCache(AppRoleCacheSettings()))
        self.is_broken = False

    async def resolve_user_permissions(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        if self.is_broken:
            return Failure(service_unavailable())
        return Success(UserEffectivePermissions(user.user_id, APP_ROLES, (), (), None, NOON))


@dataclass
class World:
    rules: Rules = field(default_factory=Rules)
    roles: Roles = field(default_factory=Roles)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.resolver = QuotaResolver(self.rules, self.roles, clock=self.clock.monotonic, now=lambda: self.clock.now)

    async def resolve(self, user: User = ADA) -> Result[ResolvedQuota | None, ErrorDetail]:
        return await self.resolver.resolve_user_quota(user)

    async def matched(self, user: User = ADA) -> tuple[str, str] | None:
        """Tier and reason."""
        quota = (await self.resolve(user)).unwrap()
        return (quota.tier.tier_id, quota.matched_by) if quota is not None else None

    def tier(self, tier_id: str, *, enabled: bool = True) -> str:
        self.rules.tiers[tier_id] = QuotaTier(
            tier_id=tier_id, tier_name=tier_id, monthly_cost_limit=Decimal(50), enabled=enabled
        )
        return tier_id

    def assign(
        self, kind: AssignmentType, criterion: str | None, tier_id: str, *, priority: int = 100, enabled: bool = True
    ) -> None:
        if tier_id not in self.rules.tiers and tier_id != "absent":
            self.tier(tier_id)
        self.rules.assignments.append(assignment(kind, criterion, tier_id, priority=priority, enabled=enabled))

    def override(self, begins: float, ends: float, **more: object) -> None:
        """From and to so many seconds from noon."""
        stored = {
            "overrideId": f"o{len(self.rules.overrides)}",
            "userId": "1",
            "overrideType": "custom_limit",
            "monthlyCostLimit": 75,
            "validFrom": (NOON + timedelta(seconds=begins)).isoformat(),
            "validUntil": (NOON + timedelta(seconds=ends)).isoformat(),
            "reason": "A thesis",
        }
        self.rules.overrides.append(QuotaOverride.model_validate({**stored, **more}))


def assignment(
    kind: AssignmentType, criterion: str | None, tier_id: str, *, priority: int = 100, enabled: bool = True
) -> QuotaAssignment:
    return QuotaAssignment(
        assignment_id=f"{kind}-{criterion}-{tier_id}-{priority}",
        tier_id=tier_id,
        assignment_type=kind,
        user_id=criterion if kind == "direct_user" else None,
        app_role_id=criterion if kind == "app_role" else None,
        jwt_role=criterion if kind == "jwt_role" else None,
        email_domain=criterion if kind == "email_domain" else None,
        priority=priority,
        enabled=enabled,
    )


STEPS: Sequence[tuple[AssignmentType, str | None, str]] = [
    ("direct_user", "1", "direct_user"),
    ("app_role", "researcher", "app_role:researcher"),
    ("jwt_role", "Faculty", "jwt_role:Faculty"),
    ("email_domain", "*.example.edu", "email_domain:*.example.edu"),
    ("default_tier", None, "default_tier"),
]


async def test_the_first_of_seven_steps_that_matches() -> None:
    world = World()
    assert await world.matched() is None
    for kind, criterion, matched_by in reversed(STEPS):
        world.assign(kind, criterion, kind, priority=1)
        world.resolver.invalidate_cache()
        assert await world.matched() == (kind, matched_by), "priority counts only within a step"
    world.override(-10, 10)
    world.resolver.invalidate_cache("1")
    assert await world.matched() == ("override_o0", "override")
    quota = (await world.resolve()).unwrap()
    assert quota is not None
    assert quota.assignment is None
    assert quota.override is not None
    assert quota.override.reason == "A thesis"


@pytest.mark.parametrize(("kind", "criterion", "matched_by"), STEPS, ids=[kind for kind, _, _ in STEPS])
async def test_q_4_q_8_the_highest_priority_whose_tier_counts(
    kind: AssignmentType, criterion: str | None, matched_by: str
) -> None:
    world = World()
    world.tier("off", enabled=False)
    world.assign(kind, criterion, "nine", priority=9)
    world.assign(kind, criterion, "ninety", priority=90)
    world.assign(kind, criterion, "hundred", priority=100)
    world.assign(kind, criterion, "disabled", priority=101, enabled=False)
    world.assign(kind, criterion, "off", priority=102)
    world.assign(kind, criterion, "absent", priority=103)
    assert await world.matched() == ("hundred", matched_by)


async def test_rules_of_others_do_not_count() -> None:
    world = World()
    for kind, criterion in (("direct_user", "2"), ("app_role", "other"), ("jwt_role", "Students")):
        world.assign(kind, criterion, "t")  # type: ignore[arg-type]  # a tuple of texts
    world.assign("email_domain", "other.edu", "t")
    world.override(-10, 10, userId="2")
    assert await world.matched() is None


async def test_the_roles_of_a_token_compete() -> None:
    world = World()
    world.assign("jwt_role", "Staff", "staff", priority=90)
    world.assign("jwt_role", "Faculty", "faculty", priority=100)
    assert await world.matched() == ("faculty", "jwt_role:Faculty")


@pytest.mark.parametrize("email", ["", "x", "x@"])
async def test_q_2_without_a_domain_no_domain_rule_counts(email: str) -> None:
    world = World()
    world.assign("email_domain", "regex:.*", "t")
    assert await world.matched(User(email, "1", "", [])) is None


async def test_q_6_without_roles_the_rest_still_counts() -> None:
    world = World()
    world.assign("default_tier", None, "t")
    assert await world.matched(User("", "1", "", [])) == ("t", "default_tier")


async def test_f_qtm_28_a_pattern_that_cannot_be_used(caplog: pytest.LogCaptureFixture) -> None:
    world, site = World(), "apis.shared.quota.resolver:_rule"
    before = suppression_counts().get(site, 0)
    world.assign("email_domain", "regex:(", "broken", priority=200)
    world.assign("email_domain", "cs.example.edu", "good")
    for number in range(3):
        assert await world.matched(User("a@cs.example.edu", str(number), "", [])) == (
            "good",
            "email_domain:cs.example.edu",
        )
    assert suppression_counts()[site] == before + 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_a_disabled_pattern_is_not_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.assign("email_domain", "regex:(", "broken", enabled=False)
    assert await world.matched() is None
    assert caplog.records == []


async def test_a_tier_is_looked_at_once() -> None:
    world = World()
    for name, enabled in (("off", False), ("on", True)):
        for _ in range(3):
            world.assign("default_tier", None, world.tier(name, enabled=enabled), priority=2 - len(name) % 2)
    assert await world.matched() == ("on", "default_tier")
    assert world.rules.reads["tier"] <= 2


async def test_those_who_are_new_at_one_moment_read_the_rules_of_groups_once() -> None:
    world = World()
    world.assign("default_tier", None, "t")
    users = [User("", str(number), "", []) for number in range(20)]
    assert await asyncio.gather(*map(world.matched, users)) == [("t", "default_tier")] * 20
    assert (world.rules.reads["default_tier"], world.rules.reads["overrides"]) == (1, 20)


async def test_rules_of_groups_that_are_read_ahead() -> None:
    world = World()
    world.assign("default_tier", None, "t")
    assert isinstance(await world.resolver.read_ahead(), Success)
    world.rules.reads.clear()
    assert await world.matched() == ("t", "default_tier")
    assert world.rules.reads == {"overrides": 1, "direct_user": 1, "tier": 1}


async def test_of_several_overrides_the_one_that_ends_last() -> None:
    world = World()
    world.override(-10, 10)
    world.override(-10, 30)
    world.override(-10, 20)
    world.override(-10, 40, enabled=False)
    world.override(5, 50)
    assert await world.matched() == ("override_o1", "override")


async def test_what_was_found_is_kept_for_five_minutes() -> None:
    world = World()
    assert await world.matched() is None
    world.assign("default_tier", None, "t")
    reads = world.rules.reads.total()
    world.clock.later(299)
    assert await world.matched() is None
    assert world.rules.reads.total() == reads, "no quota is kept too"
    world.clock.later(1)
    assert await world.matched() == ("t", "default_tier")


async def test_q_7_other_processes_see_a_change_within_five_minutes() -> None:
    """The rules of groups are kept too: what was made of old ones is not kept as long as what was made of new ones."""
    world, bob = World(), User("bob@a.test", "2", "", [])
    assert await world.matched() is None
    world.assign("default_tier", None, "t")
    world.clock.later(200)
    assert await world.matched(bob) is None
    world.clock.later(100)
    assert await world.matched(bob) == ("t", "default_tier")


async def test_another_token_is_another_entry() -> None:
    world = World()
    world.assign("jwt_role", "Students", "t")
    assert await world.matched() is None
    assert await world.matched(User(ADA.email, "1", "", ["Students"])) == ("t", "jwt_role:Students")
    assert await world.matched(User(ADA.email.lower(), "1", "", ["Faculty", "Staff"])) is None
    assert world.rules.reads["overrides"] == 2, "the set of roles counts, and no case of an e-mail"


async def test_an_invalidated_user_is_looked_up_again() -> None:
    world, bob = World(), User("bob@a.test", "2", "", [])
    for user in (ADA, bob):
        assert await world.matched(user) is None
    world.assign("direct_user", "1", "t")
    world.assign("direct_user", "2", "t")
    world.resolver.invalidate_cache("1")
    assert await world.matched() == ("t", "direct_user")
    assert await world.matched(bob) is None
    world.resolver.invalidate_cache()
    assert await world.matched(bob) == ("t", "direct_user")


@pytest.mark.parametrize("of_user", [True, False])
async def test_what_was_read_before_an_invalidation_is_not_kept(of_user: bool) -> None:
    class Slow(Rules):
        async def assignments_of_user(self, user_id: str) -> Result[list[QuotaAssignment], ErrorDetail]:
            read = await super().assignments_of_user(user_id)
            world.resolver.invalidate_cache("1" if of_user else None)
            return read

    world = World(Slow())
    assert await world.matched() is None
    world.rules.reads.clear()
    assert await world.matched() is None
    assert world.rules.reads["direct_user"] == 1


async def test_t_4_an_override_that_ends_and_one_that_begins() -> None:
    world = World()
    world.override(-10, 20)
    world.override(20, 40)
    assert await world.matched() == ("override_o0", "override")
    world.clock.later(19.9)
    assert await world.matched() == ("override_o0", "override")
    world.clock.later(0.2)
    assert await world.matched() == ("override_o1", "override")
    world.clock.later(20)
    assert await world.matched() is None


async def test_t_4_an_override_that_is_found_at_its_last_moment_is_not_kept() -> None:
    world = World()
    world.override(-10, 20)
    world.clock.later(20)
    assert await world.matched() == ("override_o0", "override")
    world.clock.later(0.1)
    assert await world.matched() is None


@pytest.mark.parametrize(
    "read", ["overrides", "direct_user", "app_role", "jwt_role", "email_domain", "default_tier", "tier"]
)
async def test_q_5_f_qtm_30_what_cannot_be_read_is_no_weaker_rule_and_is_not_kept(read: str) -> None:
    world = World()
    world.assign("default_tier", None, "t")
    world.rules.broken = {read}
    assert (await world.resolve()).failure().code == "service_unavailable"
    world.rules.broken = set()
    assert await world.matched() == ("t", "default_tier")


async def test_f_qtm_27_roles_that_cannot_be_read() -> None:
    world = World()
    world.assign("default_tier", None, "t")
    world.roles.is_broken = True
    assert (await world.resolve()).failure().code == "service_unavailable"
    world.roles.is_broken = False
    assert await world.matched() == ("t", "default_tier")


async def test_a_personal_rule_needs_no_rule_of_a_group() -> None:
    world = World()
    world.assign("direct_user", "1", "t")
    assert await world.matched() == ("t", "direct_user")
    assert world.rules.reads == {"overrides": 1, "direct_user": 1, "tier": 1}


CRITERIA: dict[AssignmentType, list[str | None]] = {
    "direct_user": ["1", "2"],
    "app_role": ["researcher", "other"],
    "jwt_role": ["Staff", "Faculty", "Students"],
    "email_domain": ["*.example.edu", "regex:cs", "other.edu", "regex:("],
    "default_tier": [None],
}
ORDER = list(CRITERIA)
ASSIGNMENTS = st.sampled_from(ORDER).flatmap(
    lambda kind: st.builds(
        assignment,
        st.just(kind),
        st.sampled_from(CRITERIA[kind]),
        st.sampled_from(["on", "off", "absent"]),
        priority=st.integers(0, 3),
        enabled=st.booleans(),
    )
)


async def outcome(assignments: Sequence[QuotaAssignment]) -> ResolvedQuota | None:
    world = World(Rules(list(assignments)))
    world.tier("on")
    world.tier("off", enabled=False)
    return (await world.resolve()).unwrap()


@settings(deadline=None)  # the machine may be busy
@given(known=st.lists(ASSIGNMENTS, max_size=6), added=ASSIGNMENTS)
async def test_adding_a_rule_never_changes_the_outcome_of_an_earlier_step(
    known: list[QuotaAssignment], added: QuotaAssignment
) -> None:
    before, after = await outcome(known), await outcome([*known, added])
    if before is not None and before.assignment is not None:
        assert after is not None
        assert after.assignment is not None
        step = ORDER.index(before.assignment.assignment_type)
        assert ORDER.index(after.assignment.assignment_type) <= step
        if ORDER.index(added.assignment_type) > step:
            assert after == before
    if after != before:
        assert after is not None
        assert after.assignment == added


@settings(deadline=None)  # the machine may be busy
@given(assignments=st.lists(ASSIGNMENTS, max_size=6, unique_by=lambda one: one.assignment_id), data=st.data())
async def test_the_order_of_stored_rules_does_not_matter(
    assignments: list[QuotaAssignment], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(assignments))
    assert await outcome(shuffled) == await outcome(assignments)
