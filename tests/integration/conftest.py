"""AWS for the modules of the shared library: their own clients, in this process, on resources of their own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from apis.shared.aws import client as aws_client
from apis.shared.aws.embeddings import bedrock_runtime
from apis.shared.wiring import forget_all
from devstack.aws import create_resources
from tests.support.aws_access import AwsAccess
from tests.support.fault_proxy import FaultProxy
from tests.support.platform import Surroundings

type Configure = Callable[..., None]

_CLIENTS: tuple[aws_client.ServiceClient[Any], ...] = (
    aws_client.s3,
    aws_client.s3vectors,
    aws_client.kms,
    aws_client.secrets_manager,
    bedrock_runtime,
)


class Aws(AwsAccess):
    """What is stored, seen past the proxy; `proxy` is what the code under test talks to."""

    def __init__(self, around: Surroundings, environment: Mapping[str, str]) -> None:
        super().__init__(around.endpoint.endpoint, environment)
        self.proxy: FaultProxy = around.proxy
        self.environment = environment
        self.clients: dict[str, Any] = {}

    @property
    def dynamodb(self) -> Any:
        return self.boto("dynamodb")

    @property
    def s3(self) -> Any:
        return self.boto("s3")


@pytest.fixture(scope="session")
def embedded(around: Surroundings) -> Iterator[Aws]:
    environment = {
        **create_resources(around.endpoint.endpoint, prefix="shared"),
        "AWS_ENDPOINT_URL": around.proxy.url,
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    aws = Aws(around, environment)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        forget_all()
        # Making a client takes a tenth of a second, so each is made once.
        aws.clients = {client._service: client._make() for client in _CLIENTS}
        yield aws


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Set environment variables, or unset those that are None, as at the start of a process."""

    def configured(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        forget_all()

    return configured


@pytest.fixture
def aws(embedded: Aws, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Everything is configured, and the process-wide clients talk to the proxy."""
    configure(**embedded.environment)
    for client in _CLIENTS:
        monkeypatch.setattr(client, "_client", embedded.clients[client._service])
    return embedded
