"""AppRoles in the roles table; the tool catalogue shares it."""

from apis.shared.aws.dynamodb import HashKey, Query, Table, parse_as
from apis.shared.errors import ErrorDetail
from apis.shared.rbac.models import AppRole, RoleMapping
from apis.shared.result import Result, Success, collect, railway


class AppRoleRepository:
    """Reads only: the Inference API may not write this table. Without a table there are no roles."""

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @railway
    async def get_role(self, role_id: str) -> Result[AppRole | None, ErrorDetail]:
        if self._table is None:
            return Success(None)
        item = (await self._table.get({"PK": f"ROLE#{role_id}", "SK": "DEFINITION"})).unwrap()
        return Success(None) if item is None else parse_as(AppRole, {"roleId": role_id, **item})

    @railway
    async def get_roles_for_jwt_role(self, jwt_role: str) -> Result[list[str], ErrorDetail]:
        """The ids of the roles that an enabled mapping names, in the order of the index."""
        if self._table is None:
            return Success([])
        query = Query(HashKey("GSI1PK", f"JWT_ROLE#{jwt_role}"), index="JwtRoleMappingIndex")
        items = (await self._table.query_all(query)).unwrap()
        mappings = collect(parse_as(RoleMapping, item) for item in items).unwrap()
        return Success([mapping.role_id for mapping in mappings if mapping.enabled])
