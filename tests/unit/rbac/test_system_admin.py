"""Who administrates the system: by roles of the token alone."""

import pytest

from apis.shared.auth import guards
from apis.shared.rbac import system_admin
from apis.shared.rbac.system_admin import SystemAdminConfig


@pytest.mark.parametrize(
    ("configured", "roles", "is_one"),
    [
        (None, ["DotNetDevelopers"], True),
        (None, ["Admin"], False),
        (None, [], False),
        ('["Operator", "Root"]', ["Staff", "Root"], True),
        ('["Operator"]', ["DotNetDevelopers"], False),
        ("[]", ["DotNetDevelopers"], False),
        ("Operator", ["DotNetDevelopers"], True),
        ('{"a": 1}', ["DotNetDevelopers"], True),
    ],
)
def test_system_administrators(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, roles: list[str], is_one: bool
) -> None:
    if configured is not None:
        monkeypatch.setenv("ADMIN_JWT_ROLES", configured)
    assert SystemAdminConfig.is_system_admin(roles) is is_one


def test_the_list_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SystemAdminConfig.get_admin_jwt_roles() == ["DotNetDevelopers"]
    monkeypatch.setenv("ADMIN_JWT_ROLES", '["Operator"]')
    assert SystemAdminConfig().get_admin_jwt_roles() == ["Operator"]


@pytest.mark.parametrize("name", ["require_admin", "require_system_admin"])
def test_the_guards_are_those_of_the_token(name: str) -> None:
    assert getattr(system_admin, name) is getattr(guards, name)
