"""The App API as a process, with sessions in tables and with sessions in local files, and two signed-in users."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from apis.shared.aws.dynamodb import decode_item, encode_item
from devstack.aws import create_resources, embedded_aws
from devstack.services import APP_API, running_service
from tests.support.conformance import conforming_client
from tests.support.fault_proxy import FaultProxy
from tests.support.identity_provider import EMPLOYEE_NUMBER, IdentityProvider, identity_provider

ADA, BOB = "000000001", "000000002"


@dataclass
class Backend:
    """The service, and direct access to what it stores."""

    base_url: str
    provider: IdentityProvider
    proxy: FaultProxy
    aws: Mapping[str, str]
    root: Path
    in_tables: bool

    async def client(self, user_id: str) -> httpx.AsyncClient:
        claims: dict[str, Any] = {EMPLOYEE_NUMBER: user_id}
        token = self.provider.token("Staff", **claims)
        return await conforming_client(self.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    @property
    def table(self) -> str:
        return self.aws["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]

    def boto(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws["DIRECT_ENDPOINT"],
            region_name="us-west-2",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def items(self, user_id: str) -> list[dict[str, Any]]:
        pages = (
            self.boto("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.table,
                KeyConditionExpression="PK = :user",
                ExpressionAttributeValues={":user": {"S": f"USER#{user_id}"}},
            )
        )
        return [decode_item(item) for page in pages for item in page["Items"]]

    def sessions_of(self, user_id: str, session_id: str) -> list[dict[str, Any]]:
        return [i for i in self.items(user_id) if i.get("sessionId") == session_id and str(i["SK"]).startswith("S#")]

    def put(self, item: Mapping[str, Any]) -> None:
        self.boto("dynamodb").put_item(TableName=self.table, Item=encode_item(item))

    def store_messages(self, user_id: str, session_id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """In the layout of the previous system."""
        for index, message in enumerate(messages):
            moment = datetime(2026, 1, 5, 3, 39, 13, tzinfo=UTC) + timedelta(seconds=index)
            entry = {
                "message": _encoded(message),
                "message_id": 0 if self.in_tables else index,
                "redact_message": None,
                "created_at": moment.isoformat(),
                "updated_at": moment.isoformat(),
            }
            if self.in_tables:
                self.boto("bedrock-agentcore").create_event(
                    memoryId=self.aws["AGENTCORE_MEMORY_ID"],
                    actorId=user_id,
                    sessionId=session_id,
                    eventTimestamp=moment,
                    payload=[
                        {"conversational": {"content": {"text": json.dumps(entry)}, "role": message["role"].upper()}}
                    ],
                )
            else:
                folder = self.root / f"session_{session_id}" / "agents" / "agent_default" / "messages"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"message_{index}.json").write_text(json.dumps(entry))

    def store_cost(self, user_id: str, session_id: str, message_index: int, body: Mapping[str, Any]) -> None:
        if self.in_tables:
            timestamp = body["attribution"]["timestamp"]
            self.put(
                {
                    "PK": f"USER#{user_id}",
                    "SK": f"C#{timestamp}#{message_index}",
                    "GSI1PK": f"USER#{user_id}",
                    "GSI1SK": timestamp,
                    "GSI_PK": f"SESSION#{session_id}",
                    "GSI_SK": f"C#{timestamp}",
                    "sessionId": session_id,
                    "userId": user_id,
                    "timestamp": timestamp,
                    "messageId": message_index,
                    "ttl": 1_900_000_000,
                    **body,
                }
            )
        else:
            folder = self.root / f"session_{session_id}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "message-metadata.json").write_text(json.dumps({str(message_index): body}))


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"__bytes_encoded__": True, "data": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {name: _encoded(member) for name, member in value.items()}
    return [_encoded(member) for member in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="session")
def aws() -> Iterator[tuple[FaultProxy, dict[str, str]]]:
    with embedded_aws() as endpoint, FaultProxy(endpoint.endpoint) as proxy:
        variables = create_resources(endpoint.endpoint, prefix="sessions")
        yield (
            proxy,
            {**variables, "AWS_ENDPOINT_URL": proxy.url, "DIRECT_ENDPOINT": endpoint.endpoint},
        )


@contextmanager
def _running(
    provider: IdentityProvider, aws: tuple[FaultProxy, dict[str, str]], root: Path, *, in_tables: bool
) -> Iterator[Backend]:
    proxy, variables = aws
    endpoint = {name: value for name, value in variables.items() if name.startswith("AWS_")}
    storage = variables if in_tables else {"SESSIONS_DIR": str(root), **endpoint}
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with running_service(APP_API, {**provider.environment, **storage, **direct, "AWS_MAX_ATTEMPTS": "1"}) as service:
        yield Backend(service.base_url, provider, proxy, variables, root, in_tables)


@pytest.fixture(scope="session")
def tables(
    provider: IdentityProvider, aws: tuple[FaultProxy, dict[str, str]], tmp_path_factory: Any
) -> Iterator[Backend]:
    with _running(provider, aws, tmp_path_factory.mktemp("unused"), in_tables=True) as backend:
        yield backend


@pytest.fixture(scope="session")
def files(
    provider: IdentityProvider, aws: tuple[FaultProxy, dict[str, str]], tmp_path_factory: Any
) -> Iterator[Backend]:
    with _running(provider, aws, tmp_path_factory.mktemp("sessions"), in_tables=False) as backend:
        yield backend


@pytest.fixture(params=["tables", "files"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Both storage modes, one after the other."""
    running: Backend = request.getfixturevalue(request.param)
    return running


@pytest.fixture
async def ada(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with await backend.client(ADA) as client:
        yield client


@pytest.fixture
async def bob(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with await backend.client(BOB) as client:
        yield client
