from uuid import uuid4

import pytest

from tests.support.model_server import ModelServer
from tests.support.platform import Surroundings


@pytest.fixture
def session_id() -> str:
    return str(uuid4())


@pytest.fixture(autouse=True)
def model(around: Surroundings) -> ModelServer:
    """The scripted provider without a script."""
    around.model.reset()
    return around.model
