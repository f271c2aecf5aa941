"""What administrators do with the rules of quota. What they change counts at once in this process."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import get_args

from apis.app_api.quota.schemas import (
    QuotaAssignmentCreate,
    QuotaAssignmentUpdate,
    QuotaOverrideCreate,
    QuotaOverrideUpdate,
    QuotaTierCreate,
    QuotaTierUpdate,
)
from apis.shared.auth import User
from apis.shared.errors import ErrorDetail, bad_request, validation_error
from apis.shared.moments import zulu_form
from apis.shared.quota.models import AssignmentType, QuotaAssignment, QuotaOverride, QuotaTier, moment_of
from apis.shared.quota.patterns import domain_matcher
from apis.shared.quota.repository import Changes, QuotaRepository, get_quota_repository, tier_not_found
from apis.shared.quota.resolver import QuotaResolver, get_quota_resolver
from apis.shared.result import Failure, Result, Success, collect, fold, railway, require
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

_KINDS: tuple[AssignmentType, ...] = get_args(AssignmentType.__value__)
_CRITERIA: Mapping[AssignmentType, str] = {
    "direct_user": "userId",
    "app_role": "appRoleId",
    "jwt_role": "jwtRole",
    "email_domain": "emailDomain",
}

NO_LIMIT = bad_request("A custom limit needs a monthly limit.", field="monthlyCostLimit")
REVERSED = validation_error("An override does not end before it begins.", field="body.validUntil")


def unknown_tier(tier_id: str) -> ErrorDetail:
    return bad_request(f"Tier '{tier_id}' does not exist", field="tierId")


def tier_in_use(tier_id: str, assignments: int) -> ErrorDetail:
    return bad_request(f"Tier '{tier_id}' is in use by {assignments} assignment(s)")


def missing_criterion(kind: AssignmentType) -> ErrorDetail:
    name = _CRITERIA[kind]
    return bad_request(f"An assignment of the type {kind} needs {name}.", field=name)


def assigned_already(existing: QuotaAssignment) -> ErrorDetail:
    return bad_request(f"There is an assignment for this already: {existing.assignment_id}")


class QuotaAdministration:
    """Also after a write that failed nothing is kept of the rules that it concerned: it may have been carried out.

    That a user or an AppRole has one assignment at most is looked up before it is written. Two administrators who
    assign at the same moment may both succeed; the resolver then takes the one with the higher priority.
    """

    def __init__(
        self, rules: QuotaRepository, resolver: QuotaResolver, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._rules = rules
        self._resolver = resolver
        self._now = now

    async def list_tiers(self, *, enabled_only: bool) -> Result[list[QuotaTier], ErrorDetail]:
        """By id."""
        listed = await self._rules.list_tiers()
        return listed.map(lambda tiers: [tier for tier in tiers if tier.enabled or not enabled_only])

    async def get_tier(self, tier_id: str) -> Result[QuotaTier, ErrorDetail]:
        """Fails with `not_found`."""
        return (await self._rules.get_tier(tier_id)).bind(lambda tier: require(tier, tier_not_found(tier_id)))

    async def create_tier(self, body: QuotaTierCreate, admin: User) -> Result[QuotaTier, ErrorDetail]:
        """Fails with `bad_request` when the id is taken."""
        now = zulu_form(self._now())
        tier = QuotaTier(**body.model_dump(), created_at=now, updated_at=now, created_by=admin.user_id)
        created = self._changed_for_all(await self._rules.create_tier(tier))
        return created.map(_audited("quota_tier_created", admin, tier_id=tier.tier_id))

    async def update_tier(self, tier_id: str, body: QuotaTierUpdate, admin: User) -> Result[QuotaTier, ErrorDetail]:
        """Fails with `not_found`."""
        changes = {**body.changes(), "updatedAt": zulu_form(self._now())}
        updated = self._changed_for_all(await self._rules.update_tier(tier_id, changes))
        return updated.map(_audited("quota_tier_updated", admin, tier_id=tier_id, changes=_named(changes)))

    @railway
    async def delete_tier(self, tier_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Fails with `not_found`, and with `bad_request` while it is assigned."""
        known, assigned = await asyncio.gather(self._rules.has_tier(tier_id), self.list_assignments(tier_id=tier_id))
        if not known.unwrap():
            return Failure(tier_not_found(tier_id))
        if count := len(assigned.unwrap()):
            return Failure(tier_in_use(tier_id, count))
        deleted = self._changed_for_all(await self._rules.delete_tier(tier_id))
        return deleted.map(_audited("quota_tier_deleted", admin, tier_id=tier_id))

    @railway
    async def list_assignments(
        self, *, kind: str | None = None, tier_id: str | None = None, enabled_only: bool = False
    ) -> Result[list[QuotaAssignment], ErrorDetail]:
        """In the order of types, the highest priority of each first; none of a type that there is not."""
        kinds = [one for one in _KINDS if kind is None or one == kind]
        of_each = collect(await asyncio.gather(*map(self._rules.assignments_of_type, kinds))).unwrap()
        return Success(
            [
                assignment
                for assignments in of_each
                for assignment in assignments
                if (assignment.enabled or not enabled_only) and tier_id in {None, assignment.tier_id}
            ]
        )

    async def get_assignment(self, assignment_id: str) -> Result[QuotaAssignment, ErrorDetail]:
        """Fails with `not_found`."""
        return await self._rules.get_assignment(assignment_id)

    @railway
    async def create_assignment(self, body: QuotaAssignmentCreate, admin: User) -> Result[QuotaAssignment, ErrorDetail]:
        """Fails with `bad_request` for an unknown tier, for a criterion that is missing or means nobody, and for the
        second assignment of a user or an AppRole, be the first one enabled or not."""
        now = zulu_form(self._now())
        assignment = QuotaAssignment(
            **body.model_dump(),
            assignment_id=str(uuid.uuid4()),
            created_at=now,
            updated_at=now,
            created_by=admin.user_id,
        )
        tier, same = await asyncio.gather(self._rules.get_tier(body.tier_id), self._for_the_same(assignment))
        require(tier.unwrap(), unknown_tier(body.tier_id)).unwrap()
        _check_criterion(assignment).unwrap()
        if existing := same.unwrap():
            return Failure(assigned_already(existing[0]))
        created = self._changed(await self._rules.create_assignment(assignment), _concerned_by(assignment))
        told = {"assignment_id": assignment.assignment_id, "tier_id": assignment.tier_id}
        return created.map(_audited("quota_assignment_created", admin, **told))

    @railway
    async def update_assignment(
        self, assignment_id: str, body: QuotaAssignmentUpdate, admin: User
    ) -> Result[QuotaAssignment, ErrorDetail]:
        """Type and criterion stay. Fails with `not_found`, and with `bad_request` for an unknown tier."""
        found, tier = await asyncio.gather(self._rules.get_assignment(assignment_id), self._named_tier(body.tier_id))
        assignment = found.unwrap()
        tier.unwrap()
        changes = {**body.changes(), "updatedAt": zulu_form(self._now())}
        written = self._changed(await self._rules.update_assignment(assignment, changes), _concerned_by(assignment))
        told = {"assignment_id": assignment_id, "changes": _named(changes)}
        return written.map(_audited("quota_assignment_updated", admin, **told))

    async def delete_assignment(self, assignment_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        gone = await self._rules.delete_assignment(assignment_id)
        dropped = self._changed(gone, fold(gone, success=lambda owner: owner, failure=lambda _: None))
        audited = _audited("quota_assignment_deleted", admin, assignment_id=assignment_id)
        return dropped.map(lambda _: None).map(audited)

    @railway
    async def list_overrides(
        self, *, user_id: str | None, active_only: bool
    ) -> Result[list[QuotaOverride], ErrorDetail]:
        """The one that ends last first."""
        read = self._rules.overrides_of_user(user_id) if user_id else self._rules.list_overrides()
        overrides = (await read).unwrap()
        now = self._now()
        listed = [one for one in overrides if not active_only or one.is_active(now)]
        return Success(sorted(listed, key=lambda one: one.ends, reverse=True))

    async def get_override(self, override_id: str) -> Result[QuotaOverride, ErrorDetail]:
        """Fails with `not_found`."""
        return await self._rules.get_override(override_id)

    @railway
    async def create_override(self, body: QuotaOverrideCreate, admin: User) -> Result[QuotaOverride, ErrorDetail]:
        """Fails with `bad_request` for a custom limit without one, and with `validation_error` when it ends before it
        begins."""
        if body.override_type == "custom_limit" and body.monthly_cost_limit is None:
            return Failure(NO_LIMIT)
        _check_order(body.valid_from, body.valid_until).unwrap()
        override = QuotaOverride(
            **body.model_dump(),
            override_id=str(uuid.uuid4()),
            created_by=admin.email,
            created_at=zulu_form(self._now()),
        )
        created = self._changed(await self._rules.create_override(override), override.user_id)
        told = {"override_id": override.override_id, "of_user_id": override.user_id}
        return created.map(_audited("quota_override_created", admin, **told))

    @railway
    async def update_override(
        self, override_id: str, body: QuotaOverrideUpdate, admin: User
    ) -> Result[QuotaOverride, ErrorDetail]:
        """Without any change nothing is written. Fails with `not_found`, and with `validation_error` when it would
        end before it begins."""
        changes = body.changes()
        if not changes:
            return await self._rules.get_override(override_id)
        if body.valid_until is not None:
            known = (await self._rules.get_override(override_id)).unwrap()
            _check_order(known.valid_from, body.valid_until).unwrap()
        written = await self._rules.update_override(override_id, changes)
        dropped = self._changed(written, fold(written, success=lambda one: one.user_id, failure=lambda _: None))
        told = {"override_id": override_id, "changes": _named(changes)}
        return dropped.map(_audited("quota_override_updated", admin, **told))

    async def delete_override(self, override_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        gone = await self._rules.delete_override(override_id)
        dropped = self._changed(gone, fold(gone, success=lambda owner: owner, failure=lambda _: None))
        return dropped.map(lambda _: None).map(_audited("quota_override_deleted", admin, override_id=override_id))

    async def _for_the_same(self, assignment: QuotaAssignment) -> Result[list[QuotaAssignment], ErrorDetail]:
        """Assignments of whom only one may have any."""
        match assignment.assignment_type:
            case "direct_user" if assignment.user_id:
                return await self._rules.assignments_of_user(assignment.user_id)
            case "app_role":
                of_all = await self._rules.assignments_of_type("app_role")
                return of_all.map(lambda all_: [one for one in all_ if one.app_role_id == assignment.app_role_id])
            case _:
                return Success([])

    async def _named_tier(self, tier_id: str | None) -> Result[QuotaTier | None, ErrorDetail]:
        if tier_id is None:
            return Success(None)
        found = await self._rules.get_tier(tier_id)
        return found.bind(lambda tier: require(tier, unknown_tier(tier_id)))

    def _changed_for_all[T](self, written: Result[T, ErrorDetail]) -> Result[T, ErrorDetail]:
        return self._changed(written, None)

    def _changed[T](self, written: Result[T, ErrorDetail], user_id: str | None) -> Result[T, ErrorDetail]:
        """`user_id` is None where the rule is not one of a single user, or where nobody knows whose it is."""
        self._resolver.invalidate_cache(user_id)
        return written


def _audited[T](event: str, admin: User, **told: object) -> Callable[[T], T]:
    """Notes for operators who has done it, once it is done."""

    def note(done: T) -> T:
        logger.info(event.replace("_", " "), extra={"event": event, "admin_user_id": admin.user_id, **told})
        return done

    return note


def _named(changes: Changes) -> list[str]:
    return sorted(changes.keys() - {"updatedAt"})


def _concerned_by(assignment: QuotaAssignment) -> str | None:
    return assignment.user_id if assignment.assignment_type == "direct_user" else None


def _check_criterion(assignment: QuotaAssignment) -> Result[None, ErrorDetail]:
    kind = assignment.assignment_type
    if kind in _CRITERIA and not assignment.model_dump(by_alias=True)[_CRITERIA[kind]]:
        return Failure(missing_criterion(kind))
    if kind == "email_domain":
        return domain_matcher(assignment.email_domain or "").map(lambda _: None)
    return Success(None)


def _check_order(valid_from: str, valid_until: str) -> Result[None, ErrorDetail]:
    return Failure(REVERSED) if moment_of(valid_from) > moment_of(valid_until) else Success(None)


@once
def get_quota_administration() -> QuotaAdministration:
    return QuotaAdministration(get_quota_repository(), get_quota_resolver())
