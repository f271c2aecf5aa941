"""Tiers, assignments and overrides in the quota table, events in a table of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import and_

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    Condition,
    F,
    HashKey,
    Item,
    Key,
    KeyCondition,
    Query,
    RangeKey,
    Table,
    UpdateExpression,
    Value,
    assigned,
    is_key,
    parse_as,
    plain,
)
from apis.shared.errors import ErrorDetail, bad_request, not_found
from apis.shared.moments import zulu_form
from apis.shared.quota.models import (
    AssignmentType,
    EventType,
    QuotaAssignment,
    QuotaEvent,
    QuotaOverride,
    QuotaTier,
)
from apis.shared.result import Failure, Result, Success, collect, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

type Changes = Mapping[str, Value]
"""Stored names and their new values; what becomes None is removed."""

_TIER, _ASSIGNMENT, _OVERRIDE = "QUOTA_TIER#", "ASSIGNMENT#", "OVERRIDE#"
_METADATA = "METADATA"
_IS_METADATA = F("SK").equals(_METADATA)


def tier_not_found(tier_id: str) -> ErrorDetail:
    return _unknown("Tier", _TIER, tier_id)


def assignment_not_found(assignment_id: str) -> ErrorDetail:
    return _unknown("Assignment", _ASSIGNMENT, assignment_id)


def override_not_found(override_id: str) -> ErrorDetail:
    return _unknown("Override", _OVERRIDE, override_id)


def tier_id_taken(tier_id: str) -> ErrorDetail:
    return bad_request(f"Tier '{tier_id}' already exists")


class QuotaRepository:
    """What is longer than a key can be matches nothing. A stored item that does not fit is `internal_error`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def get_tier(self, tier_id: str) -> Result[QuotaTier | None, ErrorDetail]:
        item = (await self._get(_TIER, tier_id)).unwrap()
        return Success(None) if item is None else parse_as(QuotaTier, item)

    async def has_tier(self, tier_id: str) -> Result[bool, ErrorDetail]:
        """Whether it fits or not."""
        return (await self._get(_TIER, tier_id)).map(lambda item: item is not None)

    @railway
    async def list_tiers(self) -> Result[list[QuotaTier], ErrorDetail]:
        """By id. Reads the whole table."""
        items = (await self._table.scan_all(_TIER, only=_IS_METADATA)).unwrap()
        tiers = collect(parse_as(QuotaTier, item) for item in items).unwrap()
        return Success(sorted(tiers, key=lambda tier: tier.tier_id))

    async def create_tier(self, tier: QuotaTier) -> Result[QuotaTier, ErrorDetail]:
        """Fails with `bad_request` when there is one with this id."""
        item: Item = {**_key(_TIER, tier.tier_id), **_stored(tier)}
        put = await self._table.put(item, condition=PK_ABSENT, lost=tier_id_taken(tier.tier_id))
        return put.map(lambda _: tier)

    @railway
    async def update_tier(self, tier_id: str, changes: Changes) -> Result[QuotaTier, ErrorDetail]:
        """Fails with `not_found`."""
        return parse_as(QuotaTier, (await self._update(_TIER, tier_id, changes, tier_not_found(tier_id))).unwrap())

    async def delete_tier(self, tier_id: str) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        return (await self._delete(_TIER, tier_id, tier_not_found(tier_id))).map(lambda _: None)

    @railway
    async def get_assignment(self, assignment_id: str) -> Result[QuotaAssignment, ErrorDetail]:
        """Fails with `not_found`."""
        item = (await self._get(_ASSIGNMENT, assignment_id)).unwrap()
        return parse_as(QuotaAssignment, require(item, assignment_not_found(assignment_id)).unwrap())

    async def assignments_of_user(self, user_id: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        """The direct ones, the highest priority first."""
        return await self._assignments("UserAssignmentIndex", "GSI2PK", f"USER#{user_id}")

    async def assignments_of_type(self, kind: AssignmentType) -> Result[list[QuotaAssignment], ErrorDetail]:
        """The highest priority first. Deployed tables have no index of AppRoles: theirs are found by type too."""
        return await self._assignments("AssignmentTypeIndex", "GSI1PK", f"ASSIGNMENT_TYPE#{kind}")

    async def create_assignment(self, assignment: QuotaAssignment) -> Result[QuotaAssignment, ErrorDetail]:
        item: Item = {
            **_key(_ASSIGNMENT, assignment.assignment_id),
            **_index_keys(assignment),
            **_stored(assignment),
        }
        return (await self._table.put(item, condition=PK_ABSENT)).map(lambda _: assignment)

    @railway
    async def update_assignment(
        self, assignment: QuotaAssignment, changes: Changes
    ) -> Result[QuotaAssignment, ErrorDetail]:
        """`assignment` as it was read: index keys go by its type, which never changes. Fails with `not_found`."""
        assignment_id = assignment.assignment_id
        moved = {} if "priority" not in changes else _index_keys(_with(assignment, changes))
        lost = assignment_not_found(assignment_id)
        item = (await self._update(_ASSIGNMENT, assignment_id, {**changes, **moved}, lost)).unwrap()
        return parse_as(QuotaAssignment, item)

    async def delete_assignment(self, assignment_id: str) -> Result[str | None, ErrorDetail]:
        """Whose direct one it was; None for others, and for what could not be read. Fails with `not_found`."""
        return (await self._delete(_ASSIGNMENT, assignment_id, assignment_not_found(assignment_id))).map(_owner)

    @railway
    async def get_override(self, override_id: str) -> Result[QuotaOverride, ErrorDetail]:
        """Fails with `not_found`."""
        item = (await self._get(_OVERRIDE, override_id)).unwrap()
        return parse_as(QuotaOverride, require(item, override_not_found(override_id)).unwrap())

    @railway
    async def overrides_of_user(self, user_id: str) -> Result[list[QuotaOverride], ErrorDetail]:
        """All of them: the index key may be older than what the item says."""
        items = (await self._all("UserOverrideIndex", "GSI4PK", f"USER#{user_id}")).unwrap()
        return collect(parse_as(QuotaOverride, item) for item in items)

    @railway
    async def list_overrides(self) -> Result[list[QuotaOverride], ErrorDetail]:
        """In no order. Reads the whole table."""
        items = (await self._table.scan_all(_OVERRIDE, only=_IS_METADATA)).unwrap()
        return collect(parse_as(QuotaOverride, item) for item in items)

    async def create_override(self, override: QuotaOverride) -> Result[QuotaOverride, ErrorDetail]:
        item: Item = {
            **_key(_OVERRIDE, override.override_id),
            "GSI4PK": f"USER#{override.user_id}",
            **_expiry_key(override.valid_until),
            **_stored(override),
        }
        return (await self._table.put(item, condition=PK_ABSENT)).map(lambda _: override)

    @railway
    async def update_override(self, override_id: str, changes: Changes) -> Result[QuotaOverride, ErrorDetail]:
        """Fails with `not_found`."""
        until = changes.get("validUntil")
        moved = _expiry_key(until) if isinstance(until, str) else {}
        lost = override_not_found(override_id)
        item = (await self._update(_OVERRIDE, override_id, {**changes, **moved}, lost)).unwrap()
        return parse_as(QuotaOverride, item)

    async def delete_override(self, override_id: str) -> Result[str | None, ErrorDetail]:
        """Whose it was; None for what could not be read. Fails with `not_found`."""
        return (await self._delete(_OVERRIDE, override_id, override_not_found(override_id))).map(_owner)

    @railway
    async def _assignments(self, index: str, key: str, value: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        items = (await self._all(index, key, value)).unwrap()
        assignments = collect(parse_as(QuotaAssignment, item) for item in items).unwrap()
        # The index sorts priorities as text: 90 above 100.
        return Success(sorted(assignments, key=lambda one: (-one.priority, one.assignment_id)))

    async def _all(self, index: str, key: str, value: str) -> Result[list[Item], ErrorDetail]:
        return await self._table.query_all(Query(HashKey(key, value), index=index)) if is_key(value) else Success([])

    async def _get(self, prefix: str, record_id: str) -> Result[Item | None, ErrorDetail]:
        key = _key(prefix, record_id)
        # What an administrator has just changed counts at once.
        return await self._table.get(key, consistent=True) if is_key(key["PK"]) else Success(None)

    async def _update(
        self, prefix: str, record_id: str, changes: Changes, lost: ErrorDetail
    ) -> Result[Item, ErrorDetail]:
        key = _key(prefix, record_id)
        if not is_key(key["PK"]):
            return Failure(lost)
        return await self._table.update_and_get(key, _change(changes), condition=PK_EXISTS, lost=lost)

    @railway
    async def _delete(self, prefix: str, record_id: str, lost: ErrorDetail) -> Result[Item, ErrorDetail]:
        key = _key(prefix, record_id)
        if not is_key(key["PK"]):
            return Failure(lost)
        gone = (await self._table.delete(key, condition=PK_EXISTS, lost=lost)).unwrap()
        return require(gone, lost)


class QuotaEventRepository:
    """Lists are complete, or as long as was asked for: pages are read until then."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, event: QuotaEvent) -> Result[None, ErrorDetail]:
        return await self._table.put(
            {
                "PK": f"USER#{event.user_id}",
                "SK": f"EVENT#{event.timestamp}#{event.event_id}",
                "GSI5PK": f"TIER#{event.tier_id}",
                "GSI5SK": f"TIMESTAMP#{event.timestamp}",
                **_stored(event),
            }
        )

    async def newest_of_user(
        self, user_id: str, limit: int, *, tier_id: str | None = None, kind: str | None = None, consistent: bool = False
    ) -> Result[list[QuotaEvent], ErrorDetail]:
        """The newest first, by default of all tiers and kinds."""
        partition = f"USER#{user_id}"
        key = HashKey("PK", partition) & RangeKey("SK").begins_with("EVENT#")
        query = Query(key, ascending=False, filter=_only(tierId=tier_id, eventType=kind), consistent=consistent)
        return await self._newest(query, limit) if is_key(partition) else Success([])

    async def newest_of_tier(
        self, tier_id: str, limit: int, *, kind: str | None = None
    ) -> Result[list[QuotaEvent], ErrorDetail]:
        """The newest first, by default of all kinds."""
        partition = f"TIER#{tier_id}"
        key = HashKey("GSI5PK", partition)
        query = Query(key, index="TierEventIndex", ascending=False, filter=_only(eventType=kind))
        return await self._newest(query, limit) if is_key(partition) else Success([])

    @railway
    async def of_user_since(
        self, user_id: str, kind: EventType, since: datetime
    ) -> Result[list[QuotaEvent], ErrorDetail]:
        """The newest first."""
        partition = f"USER#{user_id}"
        if not is_key(partition):
            return Success([])
        later = RangeKey("SK").between(f"EVENT#{zulu_form(since)}", "EVENT#~")
        key: KeyCondition = HashKey("PK", partition) & later
        query = Query(key, ascending=False, filter=_only(eventType=kind))
        return _events((await self._table.query_all(query)).unwrap())

    @railway
    async def _newest(self, query: Query, limit: int) -> Result[list[QuotaEvent], ErrorDetail]:
        items: list[Item] = []
        start: Key | None = None
        while len(items) < limit:
            wanted = limit - len(items)
            # What a filter leaves out counts in the size of a page, which may then be as large as the service makes it.
            page_query = query if query.filter is not None else replace(query, limit=wanted)
            page = (await self._table.query_page(page_query, start)).unwrap()
            items += page.items[:wanted]
            start = page.next_key
            if start is None:
                break
        return _events(items)


def _unknown(what: str, prefix: str, record_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id can be."""
    return not_found(f"{what} '{record_id}' not found" if is_key(f"{prefix}{record_id}") else f"{what} not found")


def _key(prefix: str, record_id: str) -> Key:
    return {"PK": f"{prefix}{record_id}", "SK": _METADATA}


def _stored(record: QuotaTier | QuotaAssignment | QuotaOverride | QuotaEvent) -> Item:
    """The members that have a value, under their stored names; what is null within `metadata` is stored as null."""
    return {name: value for name, value in record.model_dump(by_alias=True).items() if value is not None}


def _owner(deleted: Item) -> str | None:
    user_id = deleted.get("userId")
    is_of_one = deleted.get("assignmentType") in {None, "direct_user"}
    return user_id if is_of_one and isinstance(user_id, str) else None


def _with(assignment: QuotaAssignment, changes: Changes) -> QuotaAssignment:
    return assignment.model_copy(update={"priority": changes["priority"]})


def _index_keys(assignment: QuotaAssignment) -> Item:
    """Priorities are not padded: that is how every version writes them."""
    by_priority = f"PRIORITY#{assignment.priority}"
    keys: Item = {
        "GSI1PK": f"ASSIGNMENT_TYPE#{assignment.assignment_type}",
        "GSI1SK": f"{by_priority}#{assignment.assignment_id}",
    }
    match assignment.assignment_type:
        case "direct_user":
            keys |= {"GSI2PK": f"USER#{assignment.user_id}", "GSI2SK": f"ASSIGNMENT#{assignment.assignment_id}"}
        case "jwt_role":
            keys |= {"GSI3PK": f"ROLE#{assignment.jwt_role}", "GSI3SK": by_priority}
        case "app_role":
            keys |= {"GSI6PK": f"APP_ROLE#{assignment.app_role_id}", "GSI6SK": by_priority}
    return keys


def _expiry_key(valid_until: str) -> Item:
    return {"GSI4SK": f"VALID_UNTIL#{valid_until}"}


def _change(changes: Changes) -> UpdateExpression:
    removed = [F(name).remove() for name, value in changes.items() if value is None]
    return reduce(and_, removed, assigned({name: value for name, value in changes.items() if value is not None}))


def _only(**members: str | None) -> Condition | None:
    wanted: list[Condition] = [F(name).equals(value) for name, value in members.items() if value is not None]
    return reduce(and_, wanted) if wanted else None


def _events(items: Sequence[Item]) -> Result[list[QuotaEvent], ErrorDetail]:
    return collect(parse_as(QuotaEvent, {**item, "metadata": plain(item.get("metadata"))}) for item in items)


@once
def get_quota_repository() -> QuotaRepository:
    return QuotaRepository(Table(settings(StorageSettings).dynamodb_quota_table))


@once
def get_quota_event_repository() -> QuotaEventRepository:
    return QuotaEventRepository(Table(settings(StorageSettings).dynamodb_quota_events_table))
