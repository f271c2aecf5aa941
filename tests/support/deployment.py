"""Both services as processes, and what a client and an operator see of them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3.session
import httpx
import httpx_sse

from apis.shared.aws.dynamodb import decode_item, encode_item
from devstack.aws import create_resources, embedded_aws
from devstack.services import APP_API, DEVELOPMENT, INFERENCE_API, Service, running_service
from tests.support.chat_client import ShownMessage, shown
from tests.support.conformance import conforming_client
from tests.support.fault_proxy import Call, FaultProxy
from tests.support.model_server import ModelServer

USER_ID = "000000000"
ROLE = "Developer"
PERMITTED_TOOLS = ("calculator", "create_visualization")

PRICED, DISABLED, FORBIDDEN = "gpt-priced", "gpt-disabled", "gpt-forbidden"
CLAUDE = "us.anthropic.claude-priced"
PRICES = {
    "inputPricePerMillionTokens": 1.0,
    "outputPricePerMillionTokens": 5.0,
    "cacheReadPricePerMillionTokens": 0.1,
    "cacheWritePricePerMillionTokens": 1.25,
}

REMEMBERED = "what do I like"
_STRATEGY = {"strategyId": "preferences-1", "name": "p", "type": "USER_PREFERENCE"}

type Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP error in `body`, or the events of a stream."""

    status: int
    headers: httpx.Headers
    body: dict[str, Any]
    events: list[Event]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    @property
    def shown(self) -> list[ShownMessage]:
        """The messages as the web client shows them."""
        return shown(self.events)

    @property
    def error(self) -> dict[str, Any]:
        """The one `stream_error`."""
        (error,) = self.of("stream_error")
        return error

    @property
    def total(self) -> dict[str, Any]:
        """The final `metadata`."""
        return self.of("metadata")[-1]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == name]


@dataclass
class Deployment:
    app: httpx.AsyncClient
    inference: httpx.AsyncClient
    service: Service
    model: ModelServer
    proxy: FaultProxy
    aws: Mapping[str, str]
    direct: str
    """The AWS endpoint past the proxy."""
    root: Path
    """The folder of local sessions."""
    _clients: dict[str, Any] = field(default_factory=dict)

    async def chat(self, session_id: str, message: str = "hi", **members: Any) -> Answer:
        async with self.inference.stream("POST", "/invocations", json=_body(session_id, message, members)) as response:
            if response.status_code != 200:
                return Answer(response.status_code, response.headers, json.loads(await response.aread()), [])
            events = [(e.event, json.loads(e.data)) async for e in httpx_sse.EventSource(response).aiter_sse()]
            assert shown(events), "nothing to show"
            return Answer(200, response.headers, {}, events)

    @asynccontextmanager
    async def chatting(
        self, session_id: str, message: str = "hi", **members: Any
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """The events as they come; leaving the block is the client hanging up."""
        async with self.inference.stream("POST", "/invocations", json=_body(session_id, message, members)) as response:
            assert response.status_code == 200, await response.aread()
            source = httpx_sse.EventSource(response)
            yield ((e.event, json.loads(e.data)) async for e in source.aiter_sse())

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        answer = await self.app.get(f"/sessions/{session_id}/messages")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    async def conversation(self, session_id: str) -> list[tuple[str, list[Any]]]:
        """Role and blocks of each stored message; a text block is its text."""
        return [(one["role"], [_plain(block) for block in one["content"]]) for one in await self.messages(session_id)]

    async def session(self, session_id: str) -> dict[str, Any]:
        answer = await self.app.get(f"/sessions/{session_id}/metadata")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def boto(self, service: str) -> Any:
        """Past the proxy. Making a client takes a tenth of a second, so each is made once."""
        if service not in self._clients:
            self._clients[service] = _boto(service, self.direct)
        return self._clients[service]

    def items(self, table_variable: str, partition: str) -> list[dict[str, Any]]:
        pages = (
            self.boto("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.aws[table_variable],
                KeyConditionExpression="PK = :key",
                ExpressionAttributeValues={":key": {"S": partition}},
            )
        )
        return [decode_item(item) for page in pages for item in page["Items"]]

    def stored(self, session_id: str, prefix: str) -> list[dict[str, Any]]:
        """The items of a session whose sort key begins with `prefix`, in the order of that key."""
        items = self.items("DYNAMODB_SESSIONS_METADATA_TABLE_NAME", f"USER#{USER_ID}")
        return [item for item in items if item.get("sessionId") == session_id and str(item["SK"]).startswith(prefix)]

    def put_session(self, session_id: str, user_id: str) -> None:
        """A session record of somebody else."""
        now = datetime.now(UTC).isoformat()
        item: dict[str, Any] = {
            "PK": f"USER#{user_id}",
            "SK": f"S#ACTIVE#{now}#{session_id}",
            "GSI_PK": f"SESSION#{session_id}",
            "GSI_SK": "META",
            "sessionId": session_id,
            "userId": user_id,
            "title": "Private",
            "status": "active",
            "createdAt": now,
            "lastMessageAt": now,
            "messageCount": 1,
        }
        self.boto("dynamodb").put_item(
            TableName=self.aws["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"], Item=encode_item(item)
        )

    def upload(self, session_id: str, filename: str, mime_type: str, data: bytes) -> str:
        """A file that the client has uploaded before; its upload id."""
        upload_id, bucket = f"upload-{session_id}-{filename}", self.aws["S3_USER_FILES_BUCKET_NAME"]
        self.boto("s3").put_object(Bucket=bucket, Key=f"files/{upload_id}", Body=data)
        item: dict[str, Any] = {
            "PK": f"USER#{USER_ID}",
            "SK": f"FILE#{upload_id}",
            "GSI1PK": f"CONV#{session_id}",
            "GSI1SK": f"FILE#{upload_id}",
            "uploadId": upload_id,
            "userId": USER_ID,
            "sessionId": session_id,
            "filename": filename,
            "mimeType": mime_type,
            "sizeBytes": len(data),
            "s3Key": f"files/{upload_id}",
            "s3Uri": f"s3://{bucket}/files/{upload_id}",
            "status": "ready",
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
        }
        self.boto("dynamodb").put_item(TableName=self.aws["DYNAMODB_USER_FILES_TABLE_NAME"], Item=encode_item(item))
        return upload_id


async def until[T](condition: Callable[[], Awaitable[T]], *, seconds: float = 10) -> T:
    """What `condition` answers as soon as it is true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
    return found


def inline_file(filename: str, content_type: str, data: bytes) -> dict[str, str]:
    return {"filename": filename, "content_type": content_type, "bytes": base64.b64encode(data).decode()}


@contextmanager
def seeded_aws() -> Iterator[tuple[dict[str, str], FaultProxy, str]]:
    """All resources with models and a role in them; the variables lead through the proxy."""
    with embedded_aws() as aws, FaultProxy(aws.endpoint) as proxy:
        variables = create_resources(aws.endpoint, prefix="e2e")
        dynamodb = _boto("dynamodb", aws.endpoint)
        for item in (*_models(), *_role(PERMITTED_TOOLS)):
            table = "MANAGED_MODELS" if item["PK"].startswith("MODEL#") else "APP_ROLES"
            dynamodb.put_item(TableName=variables[f"DYNAMODB_{table}_TABLE_NAME"], Item=encode_item(item))
        proxy.answer("bedrock-agentcore-control", "GetMemory", lambda _: {"memory": {"strategies": [_STRATEGY]}})
        proxy.answer("bedrock-agentcore", "RetrieveMemoryRecords", _remembered)
        yield {**variables, "AWS_ENDPOINT_URL": proxy.url}, proxy, aws.endpoint


@asynccontextmanager
async def running_deployment(
    aws: tuple[dict[str, str], FaultProxy, str], model: ModelServer, root: Path, *, in_tables: bool
) -> AsyncIterator[Deployment]:
    """With sessions in tables and AgentCore Memory, or in files below `root`."""
    variables, proxy, direct = aws
    local = ("DYNAMODB_SESSIONS", "DYNAMODB_COST", "DYNAMODB_SYSTEM", "AGENTCORE")
    storage = {name: value for name, value in variables.items() if in_tables or not name.startswith(local)}
    environment = {
        **storage,
        **DEVELOPMENT,
        "DEV_USER_ROLES": json.dumps([ROLE]),
        "SESSIONS_DIR": str(root),
        "AWS_MAX_ATTEMPTS": "1",
        "MODEL_RETRY_DELAY_SECONDS": "0",
        "OPENAI_BASE_URL": f"{model.url}/v1",
        "OPENAI_API_KEY": "sk-secret",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    with running_service(APP_API, environment) as app, running_service(INFERENCE_API, environment) as inference:
        async with (
            await conforming_client(app.base_url, timeout=30, trust_env=False) as app_client,
            await conforming_client(inference.base_url, timeout=30, trust_env=False) as inference_client,
        ):
            yield Deployment(app_client, inference_client, inference, model, proxy, variables, direct, root)


def _remembered(call: Call) -> dict[str, Any]:
    """One preference, for a message that asks for it."""
    namespace = f"/strategies/{_STRATEGY['strategyId']}/actors/{USER_ID}"
    assert namespace in call.text
    record = {
        "memoryRecordId": "mem-0000000000000000000000000000000000000000",
        "content": {"text": "likes python"},
        "memoryStrategyId": _STRATEGY["strategyId"],
        "namespaces": [namespace],
        "createdAt": 1.0,
        "score": 0.9,
    }
    return {"memoryRecordSummaries": [record] if REMEMBERED in call.text else []}


def _body(session_id: str, message: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"session_id": session_id, "message": message, "model_id": PRICED, **members}


def _plain(block: dict[str, Any]) -> Any:
    return block["text"] if block["type"] == "text" else block


def _boto(service: str, endpoint: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _models() -> list[dict[str, Any]]:
    def model(model_id: str, provider: str, *, enabled: bool = True, roles: Sequence[str] = (ROLE,)) -> dict[str, Any]:
        return {
            "PK": f"MODEL#{model_id}",
            "SK": f"MODEL#{model_id}",
            "GSI1PK": f"MODEL#{model_id}",
            "GSI1SK": "MODEL",
            "id": model_id,
            "modelId": model_id,
            "modelName": "A model",
            "provider": provider,
            "providerName": provider,
            "availableToRoles": list(roles),
            "allowedAppRoles": [],
            "enabled": enabled,
            "supportsCaching": True,
            **PRICES,
        }

    return [
        model(PRICED, "openai"),
        model(CLAUDE, "bedrock"),
        model(DISABLED, "openai", enabled=False),
        model(FORBIDDEN, "openai", roles=["Somebody else"]),
    ]


def _role(tools: Sequence[str]) -> list[dict[str, Any]]:
    """An AppRole that the developer's token maps to."""
    return [
        {
            "PK": "ROLE#builder",
            "SK": "DEFINITION",
            "roleId": "builder",
            "enabled": True,
            "effectivePermissions": {"tools": list(tools), "models": []},
        },
        {
            "PK": "ROLE#builder",
            "SK": f"JWT_MAPPING#{ROLE}",
            "GSI1PK": f"JWT_ROLE#{ROLE}",
            "GSI1SK": "ROLE#builder",
            "roleId": "builder",
            "enabled": True,
        },
    ]
