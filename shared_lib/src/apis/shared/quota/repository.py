"""Tiers, assignments and overrides in the quota table, events in a table of their own."""

from apis.shared.aws.dynamodb import HashKey, Item, Key, Query, RangeKey, Table, is_key, parse_as, plain
from apis.shared.errors import ErrorDetail
from apis.shared.quota.models import AssignmentType, QuotaAssignment, QuotaEvent, QuotaOverride, QuotaTier
from apis.shared.result import Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once


class QuotaRepository:
    """What is longer than a key can be matches nothing. A stored item that does not fit is `internal_error`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def get_tier(self, tier_id: str) -> Result[QuotaTier | None, ErrorDetail]:
        key = {"PK": f"QUOTA_TIER#{tier_id}", "SK": "METADATA"}
        if not is_key(key["PK"]):
            return Success(None)
        item = (await self._table.get(key)).unwrap()
        return Success(None) if item is None else parse_as(QuotaTier, item)

    async def assignments_of_user(self, user_id: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        """The direct ones, the highest priority first."""
        return await self._assignments("UserAssignmentIndex", "GSI2PK", f"USER#{user_id}")

    async def assignments_of_jwt_role(self, jwt_role: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        """The highest priority first."""
        return await self._assignments("RoleAssignmentIndex", "GSI3PK", f"ROLE#{jwt_role}")

    async def assignments_of_type(self, kind: AssignmentType) -> Result[list[QuotaAssignment], ErrorDetail]:
        """The highest priority first. Deployed tables have no index of AppRoles: theirs are found by type too."""
        return await self._assignments("AssignmentTypeIndex", "GSI1PK", f"ASSIGNMENT_TYPE#{kind}")

    @railway
    async def overrides_of_user(self, user_id: str) -> Result[list[QuotaOverride], ErrorDetail]:
        """All of them: the index key may be older than what the item says."""
        items = (await self._all("UserOverrideIndex", "GSI4PK", f"USER#{user_id}")).unwrap()
        return collect(parse_as(QuotaOverride, item) for item in items)

    @railway
    async def _assignments(self, index: str, key: str, value: str) -> Result[list[QuotaAssignment], ErrorDetail]:
        items = (await self._all(index, key, value)).unwrap()
        assignments = collect(parse_as(QuotaAssignment, item) for item in items).unwrap()
        # The index sorts priorities as text: 90 above 100.
        return Success(sorted(assignments, key=lambda one: (-one.priority, one.assignment_id)))

    async def _all(self, index: str, key: str, value: str) -> Result[list[Item], ErrorDetail]:
        return await self._table.query_all(Query(HashKey(key, value), index=index)) if is_key(value) else Success([])


class QuotaEventRepository:
    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def newest_of_user(self, user_id: str, limit: int) -> Result[list[QuotaEvent], ErrorDetail]:
        """The newest first."""
        partition = f"USER#{user_id}"
        if not is_key(partition):
            return Success([])
        key = HashKey("PK", partition) & RangeKey("SK").begins_with("EVENT#")
        items: list[Item] = []
        start: Key | None = None
        while len(items) < limit:
            query = Query(key, ascending=False, limit=limit - len(items))
            page = (await self._table.query_page(query, start)).unwrap()
            items += page.items
            start = page.next_key
            if start is None:
                break
        return collect(parse_as(QuotaEvent, {**item, "metadata": plain(item.get("metadata"))}) for item in items)


@once
def get_quota_repository() -> QuotaRepository:
    return QuotaRepository(Table(settings(StorageSettings).dynamodb_quota_table))


@once
def get_quota_event_repository() -> QuotaEventRepository:
    return QuotaEventRepository(Table(settings(StorageSettings).dynamodb_quota_events_table))
