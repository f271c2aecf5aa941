"""Guards by role, and the texts of their 403."""

import httpx
import pytest

from devstack.services import running_service
from tests.integration.auth.conftest import APP, bearer
from tests.support.conformance import conforming_client
from tests.support.identity_provider import IdentityProvider

NOT_ADMIN = "Access denied. Required roles: Admin, SuperAdmin, DotNetDevelopers"
NOT_SYSTEM_ADMIN = "System administrator access required"


@pytest.mark.parametrize(
    ("method", "path", "roles", "refusal"),
    [
        ("GET", "/admin", ["Staff"], NOT_ADMIN),
        ("GET", "/admin", ["Staff", "Admin"], None),
        ("GET", "/admin", ["Staff", "SuperAdmin"], None),
        ("GET", "/admin", ["DotNetDevelopers"], None),
        ("GET", "/admin", ["Admin"], "User does not have required role."),
        ("POST", "/admin", ["Staff", "Admin"], NOT_SYSTEM_ADMIN),
        ("POST", "/admin", ["DotNetDevelopers"], None),
        ("GET", "/any", ["Staff"], "Access denied. Required roles: Faculty, Auditor"),
        ("GET", "/any", ["Staff", "Auditor"], None),
        ("GET", "/all", ["Faculty"], "Access denied. Missing required roles: Staff, Auditor"),
        ("GET", "/all", ["Staff"], "Access denied. Missing required roles: Auditor"),
        ("GET", "/all", ["Auditor", "Staff"], None),
    ],
)
async def test_guard(
    client: httpx.AsyncClient,
    provider: IdentityProvider,
    method: str,
    path: str,
    roles: list[str],
    refusal: str | None,
) -> None:
    answer = await client.request(method, path, headers=bearer(provider.token(*roles)))
    if refusal is None:
        assert (answer.status_code, answer.json()["roles"]) == (200, roles)
    else:
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (403, "forbidden", refusal)


@pytest.mark.parametrize(
    ("admin_jwt_roles", "status"),
    [
        ('["Auditor"]', {"DotNetDevelopers": 403, "Auditor": 200}),
        ("[]", {"DotNetDevelopers": 403, "Auditor": 403}),
        ("Auditor", {"DotNetDevelopers": 200, "Auditor": 403}),
        ('{"Auditor": 1}', {"DotNetDevelopers": 200, "Auditor": 403}),
        ("[5]", {"DotNetDevelopers": 200, "Auditor": 403}),
    ],
    ids=["other role", "nobody", "not JSON", "no array", "no strings"],
)
async def test_system_administrators_are_configured(
    provider: IdentityProvider, admin_jwt_roles: str, status: dict[str, int]
) -> None:
    environment = provider.environment | {"ADMIN_JWT_ROLES": admin_jwt_roles}
    with running_service(APP, environment, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            for role, expected in status.items():
                answer = await client.post("/admin", headers=bearer(provider.token("Staff", role)))
                assert answer.status_code == expected, role
        is_unusable = status["DotNetDevelopers"] == 200
        assert ("ADMIN_JWT_ROLES" in service.output()) == is_unusable
