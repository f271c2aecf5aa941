"""Both services as processes behind the fault proxy, and what an operator and a client see of them."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import httpx_sse

from devstack.aws import EmbeddedAws, create_resources, embedded_aws
from devstack.services import APP_API, DEVELOPMENT, INFERENCE_API, Service, running_service
from tests.faults.model import ScriptedModel
from tests.support.aws_wire import SECRET_SAUCE
from tests.support.conformance import conforming_client
from tests.support.fault_proxy import FaultProxy

USER_ID = "000000000"
STRATEGY = "preferences-1"


@dataclass(frozen=True, slots=True)
class StreamedTurn:
    """The answer of one turn: an HTTP error in `body`, or the events."""

    status: int
    request_id: str
    body: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    @property
    def error(self) -> dict[str, Any] | None:
        """The ErrorDetail or the `stream_error`, None for a turn that succeeded."""
        if self.status != 200:
            return self.body
        return next((data for name, data in self.events if name == "stream_error"), None)

    @property
    def visible(self) -> str:
        """All that the client can see."""
        return json.dumps([self.body, self.events])


class LogReader:
    """The structured records that a service has written since the last look."""

    def __init__(self, service: Service) -> None:
        self._file = service.process.log.open(encoding="utf-8", errors="replace")

    def records(self) -> list[dict[str, Any]]:
        return [_record(line) for line in self._file.read().splitlines() if line.strip()]


def _record(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line) if line.startswith("{") else {"message": line}
    return record


@dataclass
class Platform:
    aws: EmbeddedAws
    environment: Mapping[str, str]
    proxy: FaultProxy
    model: ScriptedModel
    app: Service
    inference: Service
    app_client: httpx.AsyncClient
    inference_client: httpx.AsyncClient
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def internals(self) -> list[str]:
        """What no client may ever see."""
        tables = [value for name, value in self.environment.items() if "TABLE" in name or "BUCKET" in name]
        words = ["arn:aws", "botocore", "Traceback", "Exception", "sk-secret", "127.0.0.1", SECRET_SAUCE]
        return [*tables, *words, self.environment["AGENTCORE_MEMORY_ID"]]

    def boto(self, service: str) -> Any:
        """Past the proxy. Making a client takes a tenth of a second, so each is made once."""
        if service not in self._clients:
            self._clients[service] = boto3.session.Session().client(
                service,
                endpoint_url=self.aws.endpoint,
                region_name="us-west-2",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
        return self._clients[service]

    async def suppressed_failures(self) -> int:
        counts = [
            int((await client.get(path)).headers["x-suppressed-failures"])
            for client, path in ((self.app_client, "/health"), (self.inference_client, "/ping"))
        ]
        return sum(counts)

    async def turn(self, session_id: str, message: str, **options: Any) -> StreamedTurn:
        body = {"session_id": session_id, "message": message, "model_id": "gpt-x", "provider": "openai", **options}
        async with self.inference_client.stream("POST", "/invocations", json=body) as response:
            request_id = response.headers["x-request-id"]
            if response.status_code != 200:
                return StreamedTurn(response.status_code, request_id, json.loads(await response.aread()), [])
            events = [(e.event, json.loads(e.data)) async for e in httpx_sse.EventSource(response).aiter_sse()]
            return StreamedTurn(200, request_id, {}, events)

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        answer = await self.app_client.get(f"/sessions/{session_id}/messages")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    def store_messages(self, session_id: str, texts: Sequence[str]) -> None:
        """User and assistant in turn, as the agent stores them."""
        memory = self.boto("bedrock-agentcore")
        for index, text in enumerate(texts):
            role = "user" if index % 2 == 0 else "assistant"
            now = datetime.now(UTC) - timedelta(minutes=1) + timedelta(seconds=index)
            entry = {
                "message": {"role": role, "content": [{"text": text}]},
                "message_id": 0,
                "redact_message": None,
                "created_at": now.isoformat(),
                "updated_at": now.isoformat(),
            }
            memory.create_event(
                memoryId=self.environment["AGENTCORE_MEMORY_ID"],
                actorId=USER_ID,
                sessionId=session_id,
                eventTimestamp=now,
                payload=[{"conversational": {"content": {"text": json.dumps(entry)}, "role": role.upper()}}],
            )

    def store_file(self, session_id: str) -> None:
        """One uploaded file of the session: object, record and its share of the quota."""
        upload, owner = f"upload-{session_id}", {"S": f"USER#{USER_ID}"}
        bucket, table = (
            self.environment["S3_USER_FILES_BUCKET_NAME"],
            self.environment["DYNAMODB_USER_FILES_TABLE_NAME"],
        )
        self.boto("s3").put_object(Bucket=bucket, Key=f"files/{upload}", Body=b"content")
        self.boto("dynamodb").put_item(
            TableName=table,
            Item={
                "PK": owner,
                "SK": {"S": f"FILE#{upload}"},
                "GSI1PK": {"S": f"CONV#{session_id}"},
                "GSI1SK": {"S": f"FILE#{upload}"},
                "uploadId": {"S": upload},
                "userId": {"S": USER_ID},
                "sessionId": {"S": session_id},
                "filename": {"S": "a.txt"},
                "mimeType": {"S": "text/plain"},
                "sizeBytes": {"N": "7"},
                "s3Key": {"S": f"files/{upload}"},
                "s3Uri": {"S": f"s3://{bucket}/files/{upload}"},
                "status": {"S": "ready"},
                "createdAt": {"S": "2026-01-01T00:00:00Z"},
                "updatedAt": {"S": "2026-01-01T00:00:00Z"},
            },
        )

    def store_managed_model(self, model_id: str) -> None:
        """Priced, and available to the developer's role."""
        self.boto("dynamodb").put_item(
            TableName=self.environment["DYNAMODB_MANAGED_MODELS_TABLE_NAME"],
            Item={
                "PK": {"S": f"MODEL#{model_id}"},
                "SK": {"S": f"MODEL#{model_id}"},
                "GSI1PK": {"S": f"MODEL#{model_id}"},
                "GSI1SK": {"S": "MODEL"},
                "id": {"S": model_id},
                "modelId": {"S": model_id},
                "modelName": {"S": "A model"},
                "provider": {"S": "openai"},
                "providerName": {"S": "OpenAI"},
                "availableToRoles": {"L": [{"S": "Developer"}]},
                "allowedAppRoles": {"L": []},
                "enabled": {"BOOL": True},
                "inputPricePerMillionTokens": {"N": "3"},
                "outputPricePerMillionTokens": {"N": "15"},
                "supportsCaching": {"BOOL": True},
            },
        )

    def store_role(self) -> None:
        """An AppRole that the developer's token maps to, and that grants every tool."""
        table = self.environment["DYNAMODB_APP_ROLES_TABLE_NAME"]
        dynamodb = self.boto("dynamodb")
        dynamodb.put_item(
            TableName=table,
            Item={
                "PK": {"S": "ROLE#builder"},
                "SK": {"S": "DEFINITION"},
                "roleId": {"S": "builder"},
                "enabled": {"BOOL": True},
                "effectivePermissions": {"M": {"tools": {"L": [{"S": "*"}]}, "models": {"L": []}}},
            },
        )
        dynamodb.put_item(
            TableName=table,
            Item={
                "PK": {"S": "ROLE#builder"},
                "SK": {"S": "JWT_MAPPING#Developer"},
                "GSI1PK": {"S": "JWT_ROLE#Developer"},
                "GSI1SK": {"S": "ROLE#builder"},
                "roleId": {"S": "builder"},
                "enabled": {"BOOL": True},
            },
        )


def service_environment(environment: Mapping[str, str], model: ScriptedModel) -> dict[str, str]:
    return {
        **environment,
        **DEVELOPMENT,
        "DEV_USER_ROLES": '["Developer"]',
        "AWS_MAX_ATTEMPTS": "1",
        "APP_ROLE_USER_CACHE_TTL_MINUTES": "0",
        "APP_ROLE_ROLE_CACHE_TTL_MINUTES": "0",
        "APP_ROLE_MAPPING_CACHE_TTL_MINUTES": "0",
        "MODEL_RETRY_DELAY_SECONDS": "0",
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": "sk-secret",
    }


@contextmanager
def aws_behind_proxy() -> Iterator[tuple[EmbeddedAws, dict[str, str], FaultProxy]]:
    """An endpoint with all resources, a memory with one strategy, and the variables that lead through the proxy."""
    with embedded_aws() as aws, FaultProxy(aws.endpoint) as proxy:
        environment = {**create_resources(aws.endpoint, prefix="faults"), "AWS_ENDPOINT_URL": proxy.url}
        proxy.answer(
            "bedrock-agentcore-control",
            "GetMemory",
            lambda _: {
                "memory": {
                    "id": environment["AGENTCORE_MEMORY_ID"],
                    "name": "memory",
                    "arn": "arn:aws:bedrock-agentcore:us-west-2:123456789012:memory/m",
                    "eventExpiryDuration": 90,
                    "status": "ACTIVE",
                    "createdAt": 1.0,
                    "updatedAt": 1.0,
                    "strategies": [{"strategyId": STRATEGY, "name": "p", "type": "USER_PREFERENCE"}],
                }
            },
        )
        namespace = f"/strategies/{STRATEGY}/actors/{USER_ID}"
        proxy.answer(
            "bedrock-agentcore",
            "RetrieveMemoryRecords",
            lambda _: {
                "memoryRecordSummaries": [
                    {
                        "memoryRecordId": "mem-0000000000000000000000000000000000000000",
                        "content": {"text": "likes brevity"},
                        "memoryStrategyId": STRATEGY,
                        "namespaces": [namespace],
                        "createdAt": 1.0,
                        "score": 0.9,
                    }
                ]
            },
        )
        yield aws, environment, proxy


@asynccontextmanager
async def running_platform() -> AsyncIterator[Platform]:
    with aws_behind_proxy() as (aws, environment, proxy), ScriptedModel().running() as model:
        variables = service_environment(environment, model)
        with running_service(APP_API, variables) as app, running_service(INFERENCE_API, variables) as inference:
            async with (
                await conforming_client(app.base_url, timeout=30, trust_env=False) as app_client,
                await conforming_client(inference.base_url, timeout=30, trust_env=False) as inference_client,
            ):
                platform = Platform(aws, environment, proxy, model, app, inference, app_client, inference_client)
                platform.store_role()
                yield platform
