from collections.abc import AsyncIterator, Iterator

import pytest

from agents.tools import registry
from apis.shared.wiring import forget_all
from tests.support.model_server import ModelServer
from tests.unit.agents import sample_tools


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ModelServer]:
    """The scripted provider, in the place of all three real ones."""
    async with ModelServer().running() as server:
        variables = {
            "OPENAI_API_KEY": "sk-secret",
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "GOOGLE_GEMINI_API_KEY": "gemini-secret",
            "GOOGLE_GEMINI_BASE_URL": server.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "aws-secret",
            "AWS_REGION": "us-west-2",
            "MODEL_RETRY_DELAY_SECONDS": "0",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget_all()
        yield server


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tools of `sample_tools` beside the platform's own."""
    sample_tools.started.clear()
    sample_tools.release.clear()
    for name in ("picture", "raising", "structured", "waiting"):
        monkeypatch.setitem(registry.LOCAL_TOOLS, name, sample_tools.__name__)
    yield
    sample_tools.release.set()
