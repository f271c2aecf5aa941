"""Authentication switched off: a fixed user in development, closed everywhere else."""

from collections.abc import Mapping

import httpx
import pytest

from devstack.services import running_service
from tests.integration.auth.conftest import APP, bearer
from tests.support.conformance import conforming_client

DEVELOPMENT_USER = {
    "email": "anonymous@local.dev",
    "user_id": "000000000",
    "name": "Anonymous User (Dev)",
    "roles": ["Developer"],
    "picture": None,
}
OFF = {"ENABLE_AUTHENTICATION": "false"}


async def answers(environment: Mapping[str, str], *requests: tuple[str, str]) -> list[httpx.Response]:
    with running_service(APP, environment, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            headers = bearer("ignored when switched off")
            return [await client.request(method, path, headers=headers) for method, path in requests]


@pytest.mark.parametrize(
    ("switch", "stage"),
    [("false", "development"), ("False", "DEV"), ("1", "local"), ("yes", "Development"), ("", "dev")],
)
async def test_the_development_user(switch: str, stage: str) -> None:
    environment = {"ENABLE_AUTHENTICATION": switch, "ENVIRONMENT": stage}
    me, trusted = await answers(environment, ("GET", "/me"), ("GET", "/trusted"))
    assert (me.status_code, me.json()) == (200, DEVELOPMENT_USER)
    assert (trusted.status_code, trusted.json()) == (200, DEVELOPMENT_USER)


async def test_whatever_credentials_are_sent_to_it() -> None:
    with running_service(APP, OFF | {"ENVIRONMENT": "dev"}, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            one = ("Authorization", "Bearer x")
            for headers in ([one, one], [("Authorization", f"Bearer {'x' * 20_000}")], []):
                for path in ("/me", "/trusted"):
                    answer = await client.get(path, headers=headers)
                    assert (answer.status_code, answer.json()) == (200, DEVELOPMENT_USER)


async def test_the_development_user_is_no_administrator() -> None:
    admin, system_admin = await answers(OFF | {"ENVIRONMENT": "dev"}, ("GET", "/admin"), ("POST", "/admin"))
    assert (admin.status_code, system_admin.status_code) == (403, 403)


async def test_roles_of_the_development_user_are_configured() -> None:
    environment = OFF | {"ENVIRONMENT": "dev", "DEV_USER_ROLES": '["Admin"]', "ADMIN_JWT_ROLES": '["Admin"]'}
    admin, system_admin = await answers(environment, ("GET", "/admin"), ("POST", "/admin"))
    assert (admin.status_code, system_admin.status_code) == (200, 200)


@pytest.mark.parametrize("stage", [{}, {"ENVIRONMENT": "production"}, {"ENVIRONMENT": ""}], ids=str)
async def test_closed_outside_development(stage: dict[str, str]) -> None:
    me, trusted, admin, health = await answers(
        OFF | stage | {"DEV_USER_ROLES": '["Admin"]'},
        ("GET", "/me"),
        ("GET", "/trusted"),
        ("GET", "/admin"),
        ("GET", "/health"),
    )
    for refused in (me, trusted, admin):
        assert (refused.status_code, refused.json()["code"]) == (500, "internal_error")
        assert refused.json()["detail"] == "Authentication service misconfigured."
    assert health.status_code == 200


@pytest.mark.parametrize("missing", ["ENTRA_TENANT_ID", "ENTRA_CLIENT_ID"])
async def test_not_configured(missing: str) -> None:
    environment = {"ENTRA_TENANT_ID": "t", "ENTRA_CLIENT_ID": "c"} | {missing: ""}
    with running_service(APP, environment, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            with_token = await client.get("/me", headers=bearer("x"))
            without = await client.get("/me")
            assert (with_token.status_code, with_token.json()["code"]) == (500, "internal_error")
            assert missing not in with_token.text
            assert missing in service.output()
            assert without.status_code == 401


async def test_authentication_can_be_on_in_development() -> None:
    (me,) = await answers({"ENVIRONMENT": "development", "ENABLE_AUTHENTICATION": "TRUE"}, ("GET", "/me"))
    assert me.status_code == 500, "ENTRA_* is not set, and the development user does not step in"
