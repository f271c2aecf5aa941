"""What permissions allow."""

from datetime import UTC, datetime

import pytest

from apis.shared.rbac.models import AppRole, RoleMapping, UserEffectivePermissions


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [(["a"], "a", True), (["a"], "b", False), (["*"], "b", True), (["*", "a"], "b", True), ([], "a", False)],
)
def test_a_wildcard_or_the_id_itself(granted: list[str], asked: str, allowed: bool) -> None:
    permissions = UserEffectivePermissions("u", [], granted, granted, None, datetime.now(UTC))
    assert permissions.allows_tool(asked) is allowed
    assert permissions.allows_model(asked) is allowed


def test_what_an_incomplete_definition_does_not_say() -> None:
    role = AppRole.model_validate({"roleId": "r"})
    assert (role.display_name, role.jwt_role_mappings, role.priority, role.created_by) == ("", [], 0, None)
    assert (role.is_system_role, role.enabled) == (False, True)
    assert (role.effective_permissions.tools, role.effective_permissions.models) == ([], [])
    assert role.effective_permissions.quota_tier is None


def test_a_mapping_is_enabled_unless_it_says_otherwise() -> None:
    assert RoleMapping.model_validate({"roleId": "r"}).enabled is True
