from uuid import uuid4

import pytest

from tests.support.model_server import ModelServer
from tests.support.platform import Surroundings
from tests.support.tool_server import ToolServer


@pytest.fixture
def session_id() -> str:
    return str(uuid4())


@pytest.fixture(autouse=True)
def model(around: Surroundings) -> ModelServer:
    """The scripted provider without a script."""
    around.model.reset()
    return around.model


@pytest.fixture
def server(one_tool_server: ToolServer) -> ToolServer:
    one_tool_server.reset()
    return one_tool_server
