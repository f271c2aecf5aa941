"""Authentication: the user of a request, and the guards that look at the user's roles."""

from apis.shared.auth.dependencies import (
    CurrentUser,
    CurrentUserId,
    TrustedUser,
    get_current_user,
    get_current_user_id,
    get_current_user_trusted,
)
from apis.shared.auth.guards import (
    AdminUser,
    SystemAdminUser,
    has_all_roles,
    has_any_role,
    require_admin,
    require_all_roles,
    require_aws_ai_access,
    require_developer,
    require_faculty,
    require_roles,
    require_staff,
    require_system_admin,
)
from apis.shared.auth.models import User

__all__ = [
    "AdminUser",
    "CurrentUser",
    "CurrentUserId",
    "SystemAdminUser",
    "TrustedUser",
    "User",
    "get_current_user",
    "get_current_user_id",
    "get_current_user_trusted",
    "has_all_roles",
    "has_any_role",
    "require_admin",
    "require_all_roles",
    "require_aws_ai_access",
    "require_developer",
    "require_faculty",
    "require_roles",
    "require_staff",
    "require_system_admin",
]
