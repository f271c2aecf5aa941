"""Guards by role, and the texts of their 403."""

import httpx
import pytest

from tests.integration.auth.conftest import bearer
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
