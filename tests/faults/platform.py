"""Both services as processes behind the fault proxy, and what an operator and a client see of them."""

import io
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import httpx_sse

from apis.shared.aws.dynamodb import Value, encode_item
from devstack.aws import EmbeddedAws, create_resources, embedded_aws
from devstack.services import APP_API, INFERENCE_API, Service, running_service
from tests.faults.model import ScriptedModel
from tests.support.aws_wire import SECRET_SAUCE
from tests.support.conformance import conforming_client
from tests.support.fault_proxy import FaultProxy
from tests.support.identity_provider import EMPLOYEE_NUMBER, IdentityProvider, identity_provider

STRATEGY = "preferences-1"


@dataclass(frozen=True, slots=True)
class Case:
    """A user of its own, with one session. Nearly every AWS call that is made for it holds `marker`."""

    marker: str
    token: str

    @property
    def user_id(self) -> str:
        return self.marker

    @property
    def session_id(self) -> str:
        return f"case-{self.marker}"

    @property
    def model_id(self) -> str:
        return f"gpt-{self.marker}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


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
        self._file.seek(0, io.SEEK_END)
        self._unfinished = ""

    def records(self) -> list[dict[str, Any]]:
        """A line that is still being written is for the next look."""
        *lines, self._unfinished = (self._unfinished + self._file.read()).split("\n")
        return [_record(line) for line in lines if line.strip()]


def _record(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line) if line.startswith("{") else {"message": line}
    return record


@dataclass
class Platform:
    aws: EmbeddedAws
    environment: Mapping[str, str]
    proxy: FaultProxy
    model: ScriptedModel
    provider: IdentityProvider
    app: Service
    inference: Service
    app_client: httpx.AsyncClient
    inference_client: httpx.AsyncClient
    _clients: dict[str, Any] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100_000_001))

    def new_case(self) -> Case:
        marker = str(next(self._numbers))
        claims: dict[str, Any] = {EMPLOYEE_NUMBER: marker}
        return Case(marker, self.provider.token("Staff", f"Role-{marker}", **claims))

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

    async def turn(self, case: Case, message: str, **options: Any) -> StreamedTurn:
        body = {
            "session_id": case.session_id,
            "message": message,
            "model_id": case.model_id,
            "provider": "openai",
            **options,
        }
        streaming = self.inference_client.stream("POST", "/invocations", json=body, headers=case.headers)
        async with streaming as response:
            request_id = response.headers["x-request-id"]
            if response.status_code != 200:
                return StreamedTurn(response.status_code, request_id, json.loads(await response.aread()), [])
            events = [(e.event, json.loads(e.data)) async for e in httpx_sse.EventSource(response).aiter_sse()]
            return StreamedTurn(200, request_id, {}, events)

    async def ask(self, case: Case, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request to the App API; `{id}` in the path is the case's session."""
        return await self.app_client.request(method, path.format(id=case.session_id), json=body, headers=case.headers)

    async def messages(self, case: Case) -> list[dict[str, Any]]:
        answer = await self.ask(case, "GET", "/sessions/{id}/messages")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    def store_messages(self, case: Case, texts: Sequence[str]) -> None:
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
                actorId=case.user_id,
                sessionId=case.session_id,
                eventTimestamp=now,
                payload=[{"conversational": {"content": {"text": json.dumps(entry)}, "role": role.upper()}}],
            )

    def store_file(self, case: Case) -> None:
        """One uploaded file of the session: object, record and its share of the quota."""
        upload, bucket = f"upload-{case.marker}", self.environment["S3_USER_FILES_BUCKET_NAME"]
        self.boto("s3").put_object(Bucket=bucket, Key=f"files/{upload}", Body=b"content")
        self._put(
            "DYNAMODB_USER_FILES_TABLE_NAME",
            PK=f"USER#{case.user_id}",
            SK=f"FILE#{upload}",
            GSI1PK=f"CONV#{case.session_id}",
            GSI1SK=f"FILE#{upload}",
            uploadId=upload,
            userId=case.user_id,
            sessionId=case.session_id,
            filename="a.txt",
            mimeType="text/plain",
            sizeBytes=7,
            s3Key=f"files/{upload}",
            s3Uri=f"s3://{bucket}/files/{upload}",
            status="ready",
            createdAt="2026-01-01T00:00:00Z",
            updatedAt="2026-01-01T00:00:00Z",
        )

    def store_managed_model(self, case: Case) -> None:
        """The case's model, priced and available to the user's role."""
        self._put(
            "DYNAMODB_MANAGED_MODELS_TABLE_NAME",
            PK=f"MODEL#{case.model_id}",
            SK=f"MODEL#{case.model_id}",
            GSI1PK=f"MODEL#{case.model_id}",
            GSI1SK="MODEL",
            id=case.model_id,
            modelId=case.model_id,
            modelName="A model",
            provider="openai",
            providerName="OpenAI",
            availableToRoles=[f"Role-{case.marker}"],
            allowedAppRoles=[],
            enabled=True,
            inputPricePerMillionTokens=3,
            outputPricePerMillionTokens=15,
            supportsCaching=True,
        )

    def store_role(self, case: Case) -> None:
        """An AppRole that the user's token maps to, and that grants every tool."""
        role = f"role_{case.marker}"
        self._put(
            "DYNAMODB_APP_ROLES_TABLE_NAME",
            PK=f"ROLE#{role}",
            SK="DEFINITION",
            roleId=role,
            enabled=True,
            effectivePermissions={"tools": ["*"], "models": []},
        )
        self._put(
            "DYNAMODB_APP_ROLES_TABLE_NAME",
            PK=f"ROLE#{role}",
            SK=f"JWT_MAPPING#Role-{case.marker}",
            GSI1PK=f"JWT_ROLE#Role-{case.marker}",
            GSI1SK=f"ROLE#{role}",
            roleId=role,
            enabled=True,
        )

    def _put(self, table: str, **item: Value) -> None:
        self.boto("dynamodb").put_item(TableName=self.environment[table], Item=encode_item(item))


def service_environment(
    environment: Mapping[str, str], model: ScriptedModel, provider: IdentityProvider
) -> dict[str, str]:
    """No retries and no kept permissions, so that each call is made, and made once."""
    return {
        **environment,
        **provider.environment,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
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
        proxy.answer(
            "bedrock-agentcore",
            "RetrieveMemoryRecords",
            lambda call: {
                "memoryRecordSummaries": [
                    {
                        "memoryRecordId": "mem-0000000000000000000000000000000000000000",
                        "content": {"text": "likes brevity"},
                        "memoryStrategyId": STRATEGY,
                        "namespaces": re.findall(r"/strategies/[^\"]*", call.text),
                        "createdAt": 1.0,
                        "score": 0.9,
                    }
                ]
            },
        )
        yield aws, environment, proxy


@asynccontextmanager
async def running_platform() -> AsyncIterator[Platform]:
    with (
        aws_behind_proxy() as (aws, environment, proxy),
        ScriptedModel().running() as model,
        identity_provider() as provider,
    ):
        variables = service_environment(environment, model, provider)
        with running_service(APP_API, variables) as app, running_service(INFERENCE_API, variables) as inference:
            async with (
                await conforming_client(app.base_url, timeout=30, trust_env=False) as app_client,
                await conforming_client(inference.base_url, timeout=30, trust_env=False) as inference_client,
            ):
                yield Platform(aws, environment, proxy, model, provider, app, inference, app_client, inference_client)
