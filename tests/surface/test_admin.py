"""Every operation under /admin, of whatever area: nobody but an administrator gets past its guard."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from devstack.services import APP_API, Service, running_service
from tests.support.conformance import assert_error_detail
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.surface.operations import admin_operations

SAMPLE = "tests.integration.auth.service:app"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider(tenant_id="tenant-4711", client_id="client-0815") as running:
        yield running


@pytest.fixture(scope="module", params=[APP_API, SAMPLE], ids=["App API", "sample"])
def service(request: pytest.FixtureRequest, provider: IdentityProvider) -> Iterator[Service]:
    with running_service(request.param, provider.environment, health_path="/health") as running:
        yield running


def found(service: Service) -> list[tuple[str, str]]:
    return admin_operations(httpx.get(f"{service.base_url}/openapi.json", trust_env=False, timeout=60).json())


def call(service: Service, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    # An invalid body: the guard comes before its validation.
    body: dict[str, Any] | None = {} if method in {"POST", "PUT", "PATCH"} else None
    return httpx.request(method, service.base_url + path, headers=headers, json=body, trust_env=False, timeout=30)


def test_a_plain_user_is_refused(service: Service, provider: IdentityProvider) -> None:
    for method, path in found(service):
        answer = call(service, method, path, {"Authorization": f"Bearer {provider.token('Staff')}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), f"{method} {path}"
        assert_error_detail(answer)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YTpi"}], ids=["no token", "another scheme"])
def test_without_a_token_nobody_is_let_in(service: Service, header: dict[str, str]) -> None:
    for method, path in found(service):
        answer = call(service, method, path, header)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), f"{method} {path}"
        assert_error_detail(answer)


def test_operations_under_admin_are_found() -> None:
    document: dict[str, Any] = {
        "paths": {
            "/admin": {"get": {}, "post": {}},
            "/admin/users/{user_id}/x/{id}": {"delete": {}},
            "/administrators": {"get": {}},
            "/users/admin": {"get": {}},
        }
    }
    assert admin_operations(document) == [("GET", "/admin"), ("POST", "/admin"), ("DELETE", "/admin/users/1/x/1")]


def test_the_sample_has_some(provider: IdentityProvider) -> None:
    """Without any, the tests above would pass without a call."""
    with running_service(SAMPLE, provider.environment, health_path="/health") as service:
        assert found(service) == [("GET", "/admin"), ("POST", "/admin")]
