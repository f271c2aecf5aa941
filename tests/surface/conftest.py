"""Both services as processes, seen through what they publish: tokens are checked, AWS and the model are local."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from devstack.services import APP_API, DEVELOPMENT, INFERENCE_API, Service, running_service
from tests.support.model_server import ModelServer
from tests.support.platform import ROLE, Platform, Surroundings

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
        answer = httpx.get(f"{self.url(name)}/openapi.json", trust_env=False, timeout=60)
        return dict(answer.raise_for_status().json())

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="session")
def surface(tables: Platform) -> Surface:
    services = {"app": tables.app_api.process, "inference": tables.inference_api.process}
    return Surface(services, tables.user.token, tables.model)


@pytest.fixture(scope="session")
def open_surface(around: Surroundings) -> Iterator[Surface]:
    """As on a developer's machine: nobody has to sign in."""
    environment = {**around.environment(), **DEVELOPMENT, "DEV_USER_ROLES": json.dumps([ROLE])}
    with running_service(APP_API, environment) as app, running_service(INFERENCE_API, environment) as inference:
        yield Surface({"app": app, "inference": inference}, "", around.model)
