"""AWS for the modules of the shared library: their own clients, in this process, against an embedded endpoint."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from apis.shared.aws import client as aws_client
from apis.shared.aws.dynamodb import decode_item, encode_item
from apis.shared.wiring import forget_all
from devstack.aws import create_resources, embedded_aws
from tests.support.fault_proxy import FaultProxy

type Configure = Callable[..., None]

_CLIENTS = (aws_client.s3,)


@dataclass(frozen=True)
class Aws:
    """What is stored, seen past the proxy; `proxy` is what the code under test talks to."""

    proxy: FaultProxy
    environment: Mapping[str, str]
    dynamodb: Any
    s3: Any
    clients: Mapping[str, Any]

    def put(self, variable: str, item: Mapping[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.environment[variable], Item=encode_item(item))

    def item(self, variable: str, key: str, sort_key: str) -> dict[str, Any]:
        found = self.dynamodb.get_item(
            TableName=self.environment[variable], Key={"PK": {"S": key}, "SK": {"S": sort_key}}
        )
        return decode_item(found.get("Item", {}))

    def items(self, variable: str, key: str) -> list[dict[str, Any]]:
        found = self.dynamodb.query(
            TableName=self.environment[variable],
            KeyConditionExpression="PK = :key",
            ExpressionAttributeValues={":key": {"S": key}},
        )
        return [decode_item(item) for item in found["Items"]]

    def clear(self, variable: str) -> None:
        table = self.environment[variable]
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                self.dynamodb.delete_item(TableName=table, Key={"PK": item["PK"], "SK": item["SK"]})


@pytest.fixture(scope="session")
def embedded() -> Iterator[Aws]:
    with embedded_aws() as endpoint, FaultProxy(endpoint.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        environment = {
            **create_resources(endpoint.endpoint, prefix="shared"),
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        forget_all()
        # Making a client takes a tenth of a second, so each is made once.
        clients = {client._service: client._make() for client in _CLIENTS}
        direct = boto3.session.Session()
        yield Aws(
            proxy,
            environment,
            direct.client("dynamodb", endpoint_url=endpoint.endpoint),
            direct.client("s3", endpoint_url=endpoint.endpoint),
            clients,
        )


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
