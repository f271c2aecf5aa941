from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from devstack.services import Service, running_service
from tests.support.conformance import conforming_client
from tests.support.identity_provider import IdentityProvider, identity_provider

APP = "tests.integration.auth.service:app"


@pytest.fixture(scope="session")
def running_provider() -> Iterator[IdentityProvider]:
    with identity_provider(tenant_id="tenant-4711", client_id="client-0815") as running:
        yield running


@pytest.fixture
def provider(running_provider: IdentityProvider) -> IdentityProvider:
    """Healthy at the start of each test."""
    running_provider.reset()
    return running_provider


@pytest.fixture(scope="module")
def service(running_provider: IdentityProvider) -> Iterator[Service]:
    """One service for a whole module: it knows the provider's keys after the first test."""
    # Far from UTC: the times of tokens do not depend on where a container runs.
    environment = {**running_provider.environment, "TZ": "Pacific/Kiritimati"}
    with running_service(APP, environment, health_path="/health") as running:
        yield running


@pytest.fixture
def cold_service(provider: IdentityProvider) -> Iterator[Service]:
    """A service that has not asked for any key yet."""
    with running_service(APP, provider.environment, health_path="/health") as running:
        yield running


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with await conforming_client(service.base_url, timeout=30) as connected:
        yield connected


@pytest.fixture
async def cold(cold_service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with await conforming_client(cold_service.base_url, timeout=30) as connected:
        yield connected


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}
