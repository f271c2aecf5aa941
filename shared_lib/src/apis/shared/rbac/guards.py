"""Who may use a route, decided by stored roles: guards beside those of `apis.shared.auth`."""

from collections.abc import Callable

from apis.shared.auth.dependencies import CurrentUser
from apis.shared.auth.guards import Guard
from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, forbidden
from apis.shared.http import dependency
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.service import get_app_role_service
from apis.shared.result import Failure, Result, Success


def require_tool_access(tool_id: str) -> Guard:
    """A guard that lets a user pass who may use the tool. Permissions that cannot be read let nobody pass."""
    return _requiring(
        lambda permissions: permissions.allows_tool(tool_id), forbidden(f"Access denied to tool: {tool_id}")
    )


def require_model_access(model_id: str) -> Guard:
    """A guard that lets a user pass who may use the model. Permissions that cannot be read let nobody pass."""
    return _requiring(
        lambda permissions: permissions.allows_model(model_id), forbidden(f"Access denied to model: {model_id}")
    )


def _requiring(allows: Callable[[UserEffectivePermissions], bool], refusal: ErrorDetail) -> Guard:
    @dependency
    async def check(user: CurrentUser) -> Result[User, ErrorDetail]:
        resolved = await get_app_role_service().resolve_user_permissions(user)
        return resolved.bind(lambda permissions: Success(user) if allows(permissions) else Failure(refusal))

    return check
