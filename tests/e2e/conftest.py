from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.model_server import ModelServer
from tests.support.platform import Surroundings
from tests.support.tool_server import ToolServer, tool_server


@pytest.fixture
def session_id() -> str:
    return str(uuid4())


@pytest.fixture(autouse=True)
def model(around: Surroundings) -> ModelServer:
    """The scripted provider without a script."""
    around.model.reset()
    return around.model


@pytest.fixture(scope="session")
async def one_tool_server() -> AsyncIterator[ToolServer]:
    async with tool_server() as running:
        yield running


@pytest.fixture
def server(one_tool_server: ToolServer) -> ToolServer:
    """As if it had just started."""
    one_tool_server.requests.clear()
    one_tool_server.replies.clear()
    return one_tool_server
