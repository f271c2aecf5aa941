"""The variant behind a runtime that has verified the token: only the user id is checked."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from devstack.services import running_service
from tests.integration.auth.conftest import APP, bearer
from tests.integration.auth.test_access_tokens import assert_unauthorized
from tests.support.conformance import conforming_client
from tests.support.identity_provider import EMPLOYEE_NUMBER, IdentityProvider, SigningKey


@pytest.fixture(scope="module")
async def trusting() -> AsyncIterator[httpx.AsyncClient]:
    """Like a deployed container: no ENTRA variable, and no way to the provider."""
    with running_service(APP, {}, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            yield client


async def test_what_the_runtime_has_checked_is_not_checked_again(
    trusting: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    unsigned = jwt.encode({EMPLOYEE_NUMBER: "123456789", "roles": ["Any"]}, "", algorithm="none")
    for token, roles in (
        (provider.token(key=SigningKey(), exp=1, iss="x", aud="y", scp=None, sub=5, nbf="never"), []),
        (provider.token("Nobody"), ["Nobody"]),
        (provider.token(roles="Staff"), []),
        (unsigned, ["Any"]),
    ):
        answer = await trusting.get("/trusted", headers=bearer(token))
        assert (answer.status_code, answer.json()["user_id"]) == (200, "123456789")
        assert answer.json()["roles"] == roles
    assert provider.requests == []


async def test_refused(trusting: httpx.AsyncClient, provider: IdentityProvider) -> None:
    assert_unauthorized(await trusting.get("/trusted"))
    assert_unauthorized(await trusting.get("/trusted", headers=bearer("not-a-jwt")))
    wrong: list[dict[str, Any]] = [{EMPLOYEE_NUMBER: number} for number in ("12", 123456789, None)]
    for claims in wrong:
        assert_unauthorized(await trusting.get("/trusted", headers=bearer(provider.token("Staff", **claims))))
