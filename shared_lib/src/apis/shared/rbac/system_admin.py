"""Who administrates the system: users with certain roles in the token. No stored role makes or unmakes one, so that no
record can lock the administrators out, or let somebody in."""

from collections.abc import Iterable

from apis.shared.auth.guards import AdminUser, SystemAdminUser, require_admin, require_system_admin
from apis.shared.settings import AuthSettings

__all__ = ["AdminUser", "SystemAdminConfig", "SystemAdminUser", "require_admin", "require_system_admin"]


class SystemAdminConfig:
    """`ADMIN_JWT_ROLES`, read anew each time, as the guards do."""

    @staticmethod
    def get_admin_jwt_roles() -> list[str]:
        return list(AuthSettings().admin_jwt_roles)

    @classmethod
    def is_system_admin(cls, roles: Iterable[str]) -> bool:
        return not set(cls.get_admin_jwt_roles()).isdisjoint(roles)
