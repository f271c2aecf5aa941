from collections.abc import AsyncIterator

import httpx
import pytest

from agents.tools.mcp.access import Anonymous
from agents.tools.mcp.session import Endpoint, Session
from apis.shared.lifecycle import background
from tests.support.tool_server import ToolServer


@pytest.fixture
def server(one_tool_server: ToolServer) -> ToolServer:
    one_tool_server.reset()
    return one_tool_server


@pytest.fixture
async def session(server: ToolServer) -> AsyncIterator[Session]:
    """Not started."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield Session(client, Endpoint("my_tool", server.url, Anonymous()))
        await background.drain(5)
