"""Which quota counts for a user: the first rule that matches, from the most personal one to the default."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail
from apis.shared.quota.models import AssignmentType, QuotaAssignment, QuotaOverride, ResolvedQuota
from apis.shared.quota.patterns import Matcher, domain_matcher
from apis.shared.quota.repository import QuotaRepository, get_quota_repository
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Result, Success, best_effort, collect, railway
from apis.shared.ttl_cache import TtlCache
from apis.shared.users.models import domain_of
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

TTL_SECONDS = 300.0

type Candidate = tuple[str, QuotaAssignment]
"""An assignment that applies to the user, and what it was matched by."""

type _Identity = tuple[str, frozenset[str], str]
"""User id, roles of the token, e-mail."""


@dataclass(frozen=True, slots=True)
class _Rule:
    assignment: QuotaAssignment
    is_meant: Matcher


@dataclass(frozen=True, slots=True)
class _GroupRules:
    """The rules for no user in particular, as they were at `read_at`; within each kind the highest priority first."""

    of_app_roles: Sequence[QuotaAssignment]
    of_jwt_roles: Sequence[QuotaAssignment]
    of_domains: Sequence[_Rule]
    default: Sequence[QuotaAssignment]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class _Resolution:
    """What was found, which may be no quota, and until when it counts without another look."""

    quota: ResolvedQuota | None
    until: datetime


class QuotaResolver:
    """Keeps what it finds for five minutes, and no longer than an override that begins or ends allows. A rule that
    cannot be read is a Failure, never a weaker rule, and is not kept.

    Rules of the user are read first, at once; only without one of these the rules of groups, at once as well. Those are
    few and the same for everybody: they are kept whole, so that somebody who is new to this process costs two queries,
    a tier and the AppRoles. Rules of roles of the token are among them, so they are found by their type
    (`AssignmentTypeIndex`): by role (`RoleAssignmentIndex`) each role of each user would cost a query.
    """

    def __init__(
        self,
        quota: QuotaRepository,
        roles: AppRoleService,
        *,
        ttl_seconds: float = TTL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._quota = quota
        self._roles = roles
        self._ttl = timedelta(seconds=ttl_seconds)
        self._now = now
        self._resolved: TtlCache[_Identity, _Resolution] = TtlCache(ttl_seconds, clock=clock)
        self._groups: TtlCache[None, _GroupRules] = TtlCache(ttl_seconds, clock=clock)

    async def resolve_user_quota(self, user: User) -> Result[ResolvedQuota | None, ErrorDetail]:
        """None when no rule matches: the user is not limited."""
        key = (user.user_id, frozenset(user.roles), user.email.lower())
        known = self._resolved.get(key)
        if known is not None and self._now() >= known.until:
            self._resolved.invalidate_keys([key])
        resolution = await self._resolved.get_or_read(key, lambda: self._resolve(user))
        return resolution.map(lambda found: found.quota)

    async def read_ahead(self) -> Result[None, ErrorDetail]:
        """The rules of groups, before somebody waits for them."""
        return (await self._groups.get_or_read(None, self._read_groups)).map(lambda _: None)

    def invalidate_cache(self, user_id: str | None = None) -> None:
        """After a write: of the rules of one user, or by default of any other rule."""
        if user_id is not None:
            self._resolved.invalidate_where(lambda identity: identity[0] == user_id)
            return
        self._resolved.invalidate()
        self._groups.invalidate()

    @railway
    async def _resolve(self, user: User) -> Result[_Resolution, ErrorDetail]:
        now = self._now()
        read_overrides, read_direct = await asyncio.gather(
            self._quota.overrides_of_user(user.user_id), self._quota.assignments_of_user(user.user_id)
        )
        overrides, direct = read_overrides.unwrap(), read_direct.unwrap()
        until = min([now + self._ttl, *_changes(overrides, after=now)])
        active = [override for override in overrides if override.is_active(now)]
        if active:
            override = max(active, key=lambda one: one.ends)
            quota = ResolvedQuota(user.user_id, override.as_tier(), "override", override=override)
            return Success(_Resolution(quota, until))
        found = (await self._first(user, [("direct_user", assignment) for assignment in direct])).unwrap()
        if found is not None:
            return Success(_Resolution(found, until))
        return await self._resolve_by_groups(user, until)

    @railway
    async def _resolve_by_groups(self, user: User, until: datetime) -> Result[_Resolution, ErrorDetail]:
        permissions, read_groups = await asyncio.gather(
            self._roles.resolve_user_permissions(user), self._groups.get_or_read(None, self._read_groups)
        )
        app_roles, groups = permissions.unwrap().app_roles, read_groups.unwrap()
        candidates = [
            *((f"app_role:{one.app_role_id}", one) for one in groups.of_app_roles if one.app_role_id in app_roles),
            *((f"jwt_role:{one.jwt_role}", one) for one in groups.of_jwt_roles if one.jwt_role in user.roles),
            *_of_domain(groups.of_domains, domain_of(user.email)),
            *(("default_tier", one) for one in groups.default),
        ]
        found = (await self._first(user, candidates)).unwrap()
        return Success(_Resolution(found, min(until, groups.read_at + self._ttl)))

    @railway
    async def _first(self, user: User, candidates: Iterable[Candidate]) -> Result[ResolvedQuota | None, ErrorDetail]:
        """The first that is enabled and whose tier exists and is enabled."""
        tried: set[str] = set()
        for matched_by, assignment in candidates:
            if not assignment.enabled or assignment.tier_id in tried:
                continue
            tried.add(assignment.tier_id)
            tier = (await self._quota.get_tier(assignment.tier_id)).unwrap()
            if tier is not None and tier.enabled:
                return Success(ResolvedQuota(user.user_id, tier, matched_by, assignment=assignment))
        return Success(None)

    @railway
    async def _read_groups(self) -> Result[_GroupRules, ErrorDetail]:
        read_at = self._now()
        kinds: tuple[AssignmentType, ...] = ("app_role", "jwt_role", "email_domain", "default_tier")
        of_app_roles, of_jwt_roles, of_domains, default = collect(
            await asyncio.gather(*(self._quota.assignments_of_type(kind) for kind in kinds))
        ).unwrap()
        rules = [rule for assignment in of_domains if assignment.enabled and (rule := _rule(assignment)) is not None]
        return Success(_GroupRules(of_app_roles, of_jwt_roles, rules, default, read_at))


def _changes(overrides: Iterable[QuotaOverride], *, after: datetime) -> Iterator[datetime]:
    """When an override will begin or end. One that is found at its last moment is not kept."""
    for override in overrides:
        if override.enabled and override.begins > after:
            yield override.begins
        if override.enabled and override.ends >= after:
            yield override.ends


def _of_domain(rules: Iterable[_Rule], domain: str) -> Iterator[Candidate]:
    if domain:
        yield from (
            (f"email_domain:{rule.assignment.email_domain}", rule.assignment) for rule in rules if rule.is_meant(domain)
        )


def _rule(assignment: QuotaAssignment) -> _Rule | None:
    matcher = best_effort(
        domain_matcher(assignment.email_domain or "").alt(lambda error: _log(error, assignment)),
        reason="One pattern that cannot be used must not block every user; the next rule applies.",
        default=None,
    )
    return None if matcher is None else _Rule(assignment, matcher)


def _log(error: ErrorDetail, assignment: QuotaAssignment) -> ErrorDetail:
    """At error level: an administrator has to mend the rule."""
    logger.error("a quota rule cannot be used", extra={"assignment_id": assignment.assignment_id, "why": error.message})
    return error


@once
def get_quota_resolver() -> QuotaResolver:
    return QuotaResolver(get_quota_repository(), get_app_role_service())
