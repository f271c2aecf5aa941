from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.deployment import Deployment, running_deployment, seeded_aws
from tests.support.fault_proxy import FaultProxy
from tests.support.model_server import ModelServer


@pytest.fixture(scope="session")
def aws() -> Iterator[tuple[dict[str, str], FaultProxy, str]]:
    with seeded_aws() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model_server() -> AsyncIterator[ModelServer]:
    async with ModelServer().running() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tables(
    aws: tuple[dict[str, str], FaultProxy, str], model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    root = tmp_path_factory.mktemp("unused")
    async with running_deployment(aws, model_server, root, in_tables=True) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def files(
    aws: tuple[dict[str, str], FaultProxy, str], model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    root = tmp_path_factory.mktemp("sessions")
    async with running_deployment(aws, model_server, root, in_tables=False) as running:
        yield running


@pytest.fixture(params=["tables", "files"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Both storage modes, one after the other."""
    running: Deployment = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def session_id() -> str:
    return str(uuid4())


@pytest.fixture(autouse=True)
def model(model_server: ModelServer) -> ModelServer:
    """The scripted provider without a script."""
    model_server.reset()
    return model_server
