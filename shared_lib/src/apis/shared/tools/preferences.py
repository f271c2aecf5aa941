"""Which tools users have switched on or off, beside the catalogue in the table of roles."""

from collections.abc import Mapping

from apis.shared.aws.dynamodb import AttributeType, F, Table, UpdateExpression, assigned, parse_as
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.moments import zulu_form
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.tools.models import ToolPreferences
from apis.shared.wiring import once

PREFERENCES_NOT_CONFIGURED = service_unavailable(None, reason="DYNAMODB_APP_ROLES_TABLE_NAME is empty")
# Whoever comes second finds the map of the first; a third time the item would have to vanish in between.
_ATTEMPTS = 3
_HAS_MAP = F("toolPreferences").attribute_type(AttributeType.map)


class ToolPreferenceRepository:
    """Without a table nobody has any."""

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @railway
    async def of_user(self, user_id: str) -> Result[Mapping[str, bool], ErrorDetail]:
        """By tool; a switch that was just made is seen."""
        if self._table is None:
            return Success({})
        item = (await self._table.get(_key(user_id), consistent=True)).unwrap()
        return (
            Success({}) if item is None else parse_as(ToolPreferences, item).map(lambda found: found.tool_preferences)
        )

    @railway
    async def merge(self, user_id: str, preferences: Mapping[str, bool]) -> Result[None, ErrorDetail]:
        """Only these are changed, so that switches made at one moment are all kept."""
        if self._table is None:
            return Failure(PREFERENCES_NOT_CONFIGURED)
        noted = assigned({"userId": user_id, "updatedAt": zulu_form()})
        members = UpdateExpression()
        for tool_id, is_enabled in preferences.items():
            members &= F("toolPreferences", tool_id).set(is_enabled)
        for _ in range(_ATTEMPTS):
            if (await self._table.update_if(_key(user_id), members & noted, condition=_HAS_MAP)).unwrap():
                return Success(None)
            # A member can only be set in a map that there is.
            whole = assigned({"toolPreferences": dict(preferences)}) & noted
            if (await self._table.update_if(_key(user_id), whole, condition=~_HAS_MAP)).unwrap():
                return Success(None)
        return Failure(service_unavailable(None, reason="the preferences vanish again and again"))


def _key(user_id: str) -> dict[str, str]:
    return {"PK": f"USER#{user_id}", "SK": "TOOL_PREFERENCES"}


@once
def get_tool_preferences() -> ToolPreferenceRepository:
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    return ToolPreferenceRepository(Table(name) if name else None)
