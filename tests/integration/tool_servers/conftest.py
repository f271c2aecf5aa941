from collections.abc import AsyncIterator

import httpx
import pytest

from agents.tools.mcp.access import Anonymous
from agents.tools.mcp.session import Endpoint, Session
from apis.shared.lifecycle import background
from tests.support.tool_server import ToolServer, tool_server


@pytest.fixture(scope="session")
async def one_server() -> AsyncIterator[ToolServer]:
    async with tool_server() as running:
        yield running


@pytest.fixture
def server(one_server: ToolServer) -> ToolServer:
    """As if it had just started."""
    one_server.requests.clear()
    one_server.replies.clear()
    return one_server


@pytest.fixture
async def session(server: ToolServer) -> AsyncIterator[Session]:
    """Not started."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield Session(client, Endpoint("my_tool", server.url, Anonymous()))
        await background.drain(5)
