"""Both services as processes, seen through what they publish: tokens are checked, AWS and the model are local."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from devstack.services import APP_API, DEVELOPMENT, INFERENCE_API, Service, running_service
from tests.support.deployment import PRICED, ROLE, USER_ID, seeded_aws
from tests.support.identity_provider import EMPLOYEE_NUMBER, IdentityProvider, identity_provider
from tests.support.model_server import ModelServer

APIS = {"app": APP_API, "inference": INFERENCE_API}


@dataclass(frozen=True, slots=True)
class Surface:
    """The services by name, and a token that both accept."""

    services: dict[str, Service]
    token: str
    model: ModelServer

    def url(self, name: str) -> str:
        return self.services[name].base_url

    def document(self, name: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url(name)}/openapi.json", trust_env=False)
        return dict(answer.raise_for_status().json())

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="session")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider(tenant_id="tenant-4711", client_id="client-0815") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer().running() as server:
        yield server


def _environment(aws: dict[str, str], model: ModelServer) -> dict[str, str]:
    return {
        **aws,
        "AWS_MAX_ATTEMPTS": "1",
        "MODEL_RETRY_DELAY_SECONDS": "0",
        "OPENAI_BASE_URL": f"{model.url}/v1",
        "OPENAI_API_KEY": "sk-secret",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "DOCS_EXAMPLE_MODEL_ID": PRICED,
        "DOCS_EXAMPLE_PROVIDER": "openai",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@pytest.fixture(scope="session")
def aws() -> Iterator[dict[str, str]]:
    with seeded_aws() as (variables, proxy, _):
        yield {**variables, "AWS_ENDPOINT_URL": proxy.url}


@pytest.fixture(scope="session")
def surface(aws: dict[str, str], model: ModelServer, provider: IdentityProvider) -> Iterator[Surface]:
    environment = {**provider.environment, **_environment(aws, model)}
    claims: dict[str, Any] = {EMPLOYEE_NUMBER: USER_ID}
    with running_service(APP_API, environment) as app, running_service(INFERENCE_API, environment) as inference:
        yield Surface({"app": app, "inference": inference}, provider.token("Staff", ROLE, **claims), model)


@pytest.fixture(scope="session")
def open_surface(aws: dict[str, str], model: ModelServer) -> Iterator[Surface]:
    """As on a developer's machine: nobody has to sign in."""
    environment = {**DEVELOPMENT, "DEV_USER_ROLES": json.dumps([ROLE]), **_environment(aws, model)}
    with running_service(APP_API, environment) as app, running_service(INFERENCE_API, environment) as inference:
        yield Surface({"app": app, "inference": inference}, "", model)
