"""Who may use a route, decided by the roles of the token.

AppRoles play no part here, so that no stored record can lock the administrators out.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from apis.shared.auth.dependencies import CurrentUser
from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, forbidden
from apis.shared.http import Depends, dependency
from apis.shared.result import Failure, Result, Success
from apis.shared.settings import AuthSettings, InstitutionSettings, settings

type Guard = Callable[[User], Awaitable[User]]
"""A dependency that hands the current user on, or answers 403."""


def has_any_role(user: User, *roles: str) -> bool:
    return not set(roles).isdisjoint(user.roles)


def has_all_roles(user: User, *roles: str) -> bool:
    """Whether `user` has every one of `roles`; a user without roles has none, whatever is asked."""
    return bool(user.roles) and set(roles) <= set(user.roles)


def require_roles(*roles: str) -> Guard:
    """A guard that lets a user with any of `roles` pass."""

    @dependency
    async def check(user: CurrentUser) -> Result[User, ErrorDetail]:
        return _with_any_role(user, roles)

    return check


def require_all_roles(*roles: str) -> Guard:
    """A guard that lets a user with all of `roles` pass."""

    @dependency
    async def check(user: CurrentUser) -> Result[User, ErrorDetail]:
        missing = [role for role in roles if role not in user.roles]
        if missing:
            return Failure(forbidden(f"Access denied. Missing required roles: {', '.join(missing)}"))
        return Success(user)

    return check


@dependency
async def require_admin(user: CurrentUser) -> Result[User, ErrorDetail]:
    return _with_any_role(user, settings(InstitutionSettings).admin_roles)


@dependency
async def require_system_admin(user: CurrentUser) -> Result[User, ErrorDetail]:
    # Read per request: the list may change while the process runs.
    if has_any_role(user, *AuthSettings().admin_jwt_roles):
        return Success(user)
    return Failure(forbidden("System administrator access required"))


require_faculty = require_roles("Faculty")
require_staff = require_roles("Staff")
require_developer = require_roles("DotNetDevelopers")
require_aws_ai_access = require_roles("AWS-BoiseStateAI")

AdminUser = Annotated[User, Depends(require_admin)]
SystemAdminUser = Annotated[User, Depends(require_system_admin)]


def _with_any_role(user: User, roles: tuple[str, ...]) -> Result[User, ErrorDetail]:
    if not user.roles:
        return Failure(forbidden("User has no assigned roles."))
    if not has_any_role(user, *roles):
        return Failure(forbidden(f"Access denied. Required roles: {', '.join(roles)}"))
    return Success(user)
