"""What a role gives, computed from itself and its parents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.rbac.admin_service import effective_permissions, system_roles
from apis.shared.rbac.models import AppRole, RoleDraft, RolePatch

tools = st.lists(st.sampled_from(["a", "b", "c", "*"]), max_size=4)
parents = st.lists(
    st.builds(AppRole, role_id=st.sampled_from(["r", "p", "q"]), granted_tools=tools, enabled=st.booleans()), max_size=4
)


@given(own=tools, parents=parents)
def test_own_grants_and_the_direct_ones_of_enabled_parents(own: list[str], parents: list[AppRole]) -> None:
    role = RoleDraft(role_id="r", granted_tools=own)
    found = effective_permissions(role, parents, quota_tier=None).tools
    counting = [parent for parent in parents if parent.enabled and parent.role_id != "r"]
    assert set(found) == {*own, *(tool for parent in counting for tool in parent.granted_tools)}
    assert len(found) == len(set(found))
    assert found[: len(role.granted_tools)] == role.granted_tools


def test_parents_of_parents_do_not_count() -> None:
    parent = AppRole(role_id="p", granted_models=["m"], inherits_from=["g"])
    inherited = parent.model_copy(
        update={"effective_permissions": effective_permissions(parent, [], quota_tier="gold")}
    )
    found = effective_permissions(RoleDraft(role_id="r", inherits_from=["p"]), [inherited], quota_tier="basic")
    assert (found.models, found.quota_tier) == (["m"], "basic")


@pytest.mark.parametrize("role", system_roles(), ids=lambda role: role.role_id)
def test_the_seeds_are_what_they_would_be_computed_to(role: AppRole) -> None:
    tier = role.effective_permissions.quota_tier
    assert effective_permissions(role, [], quota_tier=tier) == role.effective_permissions


def test_a_list_holds_each_name_once() -> None:
    assert RoleDraft(role_id="r", granted_tools=["b", "a", "b"]).granted_tools == ["b", "a"]
    assert RolePatch(granted_tools=["b", "b"], granted_models=None).granted_tools == ["b"]


def test_what_a_patch_names_and_what_it_changes() -> None:
    patch = RolePatch.model_validate({"displayName": None, "granted_tools": [], "enabled": False, "priority": 0})
    assert patch.named == ["displayName", "enabled", "grantedTools", "priority"]
    assert patch.changes == {"granted_tools": [], "enabled": False, "priority": 0}
