"""The whole platform for tests: what surrounds the services, both services as processes, and what clients see of them.

A test talks to one `Platform`, which keeps sessions in tables or in local files. It is started once for a test run,
its services when they are first asked for. The services cannot tell that this is a test: AWS is moto behind the fault
proxy, users sign in at the identity provider, and models answer as they are scripted.
"""

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import httpx_sse

from devstack.aws import EmbeddedAws, create_resources, embedded_aws
from devstack.services import APP_API, HEALTH_PATHS, INFERENCE_API, Service, running_service
from tests.support import orders, stored
from tests.support.aws_access import AwsAccess
from tests.support.aws_wire import SECRET_SAUCE
from tests.support.chat_client import ShownMessage, shown
from tests.support.conformance import Conformance
from tests.support.fault_proxy import FaultProxy
from tests.support.identity_provider import EMPLOYEE_NUMBER, IdentityProvider, identity_provider
from tests.support.local_folder import LocalFolder, is_local
from tests.support.long_term_memory import LongTermMemory
from tests.support.model_server import ModelServer
from tests.support.oauth_server import OAuthServer
from tests.support.parameters import Parameters
from tests.support.service_log import Record, ServiceLog
from tests.support.stored import Thing

USER_ID = "000000000"
ROLE = "Developer"
PERMITTED_TOOLS = ("calculator", "create_visualization")

PRICED, DISABLED, FORBIDDEN = "gpt-priced", "gpt-disabled", "gpt-forbidden"
CLAUDE = "us.anthropic.claude-priced"
PRICES: dict[str, Any] = {
    "inputPricePerMillionTokens": 1.0,
    "outputPricePerMillionTokens": 5.0,
    "cacheReadPricePerMillionTokens": 0.1,
    "cacheWritePricePerMillionTokens": 1.25,
}

FRONTEND_URL = "https://app.example.edu"
CALLBACK_URL = "https://api.example.edu/oauth/callback"

_ONLY_IN_TABLES = (
    "DYNAMODB_SESSIONS",
    "DYNAMODB_COST",
    "DYNAMODB_SYSTEM",
    "DYNAMODB_OIDC",
    "AGENTCORE",
    "ASSISTANTS_TABLE",
)
_TIMEOUT = 30.0
# Idle connections go before the server closes them: at the moment when it does, a request would be lost.
_SHORT_LIVED = httpx.Limits(keepalive_expiry=2)

type Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has signed in."""

    user_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one message: an HTTP error in `body`, or the events of a stream."""

    status: int
    headers: httpx.Headers
    body: dict[str, Any]
    events: list[Event]

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

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
    def failure(self) -> dict[str, Any] | None:
        """The ErrorDetail or the `stream_error`, None for a turn that succeeded."""
        if self.status != 200:
            return self.body
        return next(iter(self.of("stream_error")), None)

    @property
    def total(self) -> dict[str, Any]:
        """The final `metadata`."""
        return self.of("metadata")[-1]

    @property
    def visible(self) -> str:
        """All that the client can see."""
        return json.dumps([self.body, self.events])

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == name]


@dataclass(frozen=True)
class Surroundings:
    """What the services need, once for both storage modes."""

    endpoint: EmbeddedAws
    proxy: FaultProxy
    provider: IdentityProvider
    model: ModelServer
    memory: LongTermMemory
    oauth: OAuthServer
    variables: Mapping[str, str]
    """The resources of the services; the endpoint that they name is the proxy."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """What a test wants otherwise than the rest."""
    parameters: Parameters = field(default_factory=Parameters)

    def environment(self) -> dict[str, str]:
        """No retries and no kept permissions, so that each call is made, and made once."""
        return {
            **self.variables,
            **self.provider.environment,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "AWS_MAX_ATTEMPTS": "1",
            "APP_ROLE_USER_CACHE_TTL_MINUTES": "0",
            "APP_ROLE_ROLE_CACHE_TTL_MINUTES": "0",
            "APP_ROLE_MAPPING_CACHE_TTL_MINUTES": "0",
            "MODEL_RETRY_DELAY_SECONDS": "0",
            "OPENAI_BASE_URL": f"{self.model.url}/v1",
            "OPENAI_API_KEY": "sk-secret",
            # For listing models; a chat has no key of Gemini.
            "GOOGLE_API_KEY": "google-secret",
            "GOOGLE_GEMINI_BASE_URL": self.model.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.model.url,
            "OAUTH_CALLBACK_URL": CALLBACK_URL,
            "FRONTEND_URL": FRONTEND_URL,
            "OUTGOING_ALLOWED_HOSTS": "127.0.0.1",
            "WEATHER_BASE_URL": f"{self.oauth.url}/weather",
            "WEB_SEARCH_URL": f"{self.oauth.url}/search",
            "INSTITUTION_SEARCH_URL": f"{self.oauth.url}/institution",
            "TOOL_CLUDO_SITE_KEY": "site-key",
            "AGENTCORE_CODE_INTERPRETER_ID": "interpreter-1",
            "DOCS_EXAMPLE_MODEL_ID": PRICED,
            "DOCS_EXAMPLE_PROVIDER": "openai",
            **self.chosen,
        }


class RunningService:
    """One service as a process, a client that holds its answers against its OpenAPI document, and its log."""

    def __init__(self, service: Service) -> None:
        self.process = service
        openapi = httpx.get(f"{service.base_url}/openapi.json", trust_env=False, timeout=_TIMEOUT).json()
        self._conformance = Conformance(openapi)
        self.http = self.client()
        self._steering = httpx.AsyncClient(
            base_url=service.base_url, trust_env=False, timeout=_TIMEOUT, limits=_SHORT_LIVED
        )
        self._waiting = httpx.Client(
            base_url=service.base_url, trust_env=False, verify=False, timeout=_TIMEOUT, limits=_SHORT_LIVED
        )
        self.log = ServiceLog(service.process.log)

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.process.base_url,
            headers=headers,
            timeout=_TIMEOUT,
            limits=_SHORT_LIVED,
            trust_env=False,
            verify=False,
            event_hooks={"response": [self._conformance]},
        )

    async def steer(self, order: str, detail: str = "") -> None:
        """See `steered.py`."""
        answer = await self._steering.post(f"/steer/{order}?{detail}")
        assert answer.status_code == 204, f"{order}: {answer.text}"

    def settle(self, request_id: str) -> None:
        """Wait as `steer("settle")` does, in a test that is not asynchronous; a process that is gone has settled."""
        with suppress(httpx.TransportError):
            self._waiting.post(f"/steer/settle?{request_id}")

    async def aclose(self) -> None:
        await self.http.aclose()
        await self._steering.aclose()
        self._waiting.close()
        self.log.close()

    async def suppressed_failures(self, path: str) -> int:
        return int((await self.http.get(path)).headers["x-suppressed-failures"])


class Platform(AwsAccess):
    """Both services in one storage mode; `in_tables` is false for sessions in files below `root`."""

    def __init__(self, surroundings: Surroundings, root: Path, *, in_tables: bool, running: AsyncExitStack) -> None:
        objects = surroundings.chosen.get("AWS_ENDPOINT_URL_S3")
        super().__init__(surroundings.endpoint.endpoint, surroundings.variables, objects)
        self.surroundings = surroundings
        self.proxy, self.model, self.provider = surroundings.proxy, surroundings.model, surroundings.provider
        self.memory = surroundings.memory
        self.oauth = surroundings.oauth
        self.root, self.in_tables = root, in_tables
        self.folder = LocalFolder(root)
        self._running = running

    @cached_property
    def app_api(self) -> RunningService:
        return self._started(APP_API)

    @cached_property
    def inference_api(self) -> RunningService:
        return self._started(INFERENCE_API)

    def start(self) -> None:
        """Both services now, not when they are first asked for."""
        assert self.app_api
        assert self.inference_api

    def _started(self, product: str) -> RunningService:
        chosen = {
            name: value
            for name, value in self.surroundings.environment().items()
            if self.in_tables or not name.startswith(_ONLY_IN_TABLES)
        }
        service = self._running.enter_context(
            running_service(
                "tests.support.steered:app",
                {
                    **chosen,
                    "SESSIONS_DIR": str(self.root),
                    "ASSISTANTS_DIR": str(self.folder.assistants),
                    "STEERED_APP": product.partition(":")[0],
                },
                health_path=HEALTH_PATHS[product],
            )
        )
        # What a process begins after its first healthy answer is done before a test looks at its calls.
        httpx.post(f"{service.base_url}/steer/rest", trust_env=False, timeout=_TIMEOUT).raise_for_status()
        started = RunningService(service)
        self._running.push_async_callback(started.aclose)
        return started

    @cached_property
    def user(self) -> User:
        """The developer who is meant where a test names nobody."""
        return self.sign_in(USER_ID, ROLE, "Staff")

    def sign_in(self, user_id: str, *roles: str, **chosen: Any) -> User:
        """Without an e-mail, so that nobody is mirrored and a request makes no other calls than its own; `chosen` are
        further claims."""
        claims: dict[str, Any] = {EMPLOYEE_NUMBER: user_id, "email": None, **chosen}
        return User(user_id, self.provider.token(*roles, **claims))

    @cached_property
    def app(self) -> httpx.AsyncClient:
        """The App API as the developer uses it."""
        return self._kept(self.app_api.client(self.user.headers))

    @cached_property
    def inference(self) -> httpx.AsyncClient:
        """The Inference API as the developer uses it."""
        return self._kept(self.inference_api.client(self.user.headers))

    def _kept(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        self._running.push_async_callback(client.aclose)
        return client

    def client(self, user_id: str, *roles: str) -> httpx.AsyncClient:
        """The App API as another user uses it, by default one of the staff."""
        return self.app_api.client(self.sign_in(user_id, *(roles or ("Staff",))).headers)

    async def ask(self, user: User, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request to the App API."""
        return await self.app_api.http.request(method, path, json=body, headers=user.headers)

    async def chat(self, session_id: str, message: str = "hi", *, user: User | None = None, **members: Any) -> Answer:
        async with self._invocation(user, session_id, message, members) as response:
            if response.status_code != 200:
                return Answer(response.status_code, response.headers, json.loads(await response.aread()), [])
            events = [(e.event, json.loads(e.data)) async for e in httpx_sse.EventSource(response).aiter_sse()]
            assert shown(events), "nothing to show"
            return Answer(200, response.headers, {}, events)

    async def streamed(self, path: str, *, user: User | None = None, **body: Any) -> Answer:
        """What the App API streams."""
        headers = (user or self.user).headers
        async with self.app_api.http.stream("POST", path, json=body, headers=headers) as response:
            if response.status_code != 200:
                return Answer(response.status_code, response.headers, json.loads(await response.aread()), [])
            events = [(e.event, json.loads(e.data)) async for e in httpx_sse.EventSource(response).aiter_sse()]
            return Answer(200, response.headers, {}, events)

    @asynccontextmanager
    async def chatting(
        self, session_id: str, message: str = "hi", *, user: User | None = None, **members: Any
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """The events as they come; leaving the block is the client hanging up."""
        async with self._invocation(user, session_id, message, members) as response:
            assert response.status_code == 200, await response.aread()
            source = httpx_sse.EventSource(response)
            yield ((e.event, json.loads(e.data)) async for e in source.aiter_sse())

    def _invocation(self, user: User | None, session_id: str, message: str, members: Mapping[str, Any]) -> Any:
        body = {"session_id": session_id, "message": message, "model_id": PRICED, **members}
        headers = (user or self.user).headers
        return self.inference_api.http.stream("POST", "/invocations", json=body, headers=headers)

    async def asked(self, message: str) -> None:
        """Until the model is asked this: its answer may have begun."""

        async def is_asked() -> bool:
            return any(message in str(body) for body in self.model.calls)

        await until(is_asked, seconds=60)

    async def messages(self, session_id: str, *, user: User | None = None) -> list[dict[str, Any]]:
        answer = await self.ask(user or self.user, "GET", f"/sessions/{session_id}/messages")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    async def conversation(self, session_id: str) -> list[tuple[str, list[Any]]]:
        """Role and blocks of each stored message; a text block is its text."""
        stored_messages = await self.messages(session_id)
        return [(one["role"], [_shortened(block) for block in one["content"]]) for one in stored_messages]

    async def session(self, session_id: str, *, user: User | None = None) -> dict[str, Any]:
        answer = await self.ask(user or self.user, "GET", f"/sessions/{session_id}/metadata")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def store(self, *things: Thing) -> None:
        """Where the services of this mode keep such things."""
        for thing in things:
            if not self.in_tables and is_local(thing):
                self.folder.store(thing)
            else:
                super().store(thing)

    def upload(self, session_id: str, filename: str, mime_type: str, content: bytes) -> str:
        """A file that the developer has uploaded before; its upload id."""
        bucket = self.variables[stored.FILES_BUCKET]
        data, row = stored.uploaded_file(
            USER_ID, session_id, bucket, filename=filename, content=content, mimeType=mime_type
        )
        self.store(data, row)
        return str(row.item["uploadId"])

    async def forget(self) -> None:
        """Make both services as cold as processes that have just started."""
        await asyncio.gather(self.app_api.steer("forget"), self.inference_api.steer("forget"))

    async def settled(self, request_id: str) -> None:
        """Until all that a request has started is done, and its log records are written."""
        await asyncio.gather(self.app_api.steer("settle", request_id), self.inference_api.steer("settle", request_id))

    def records(self, request_id: str, message: str | None = None) -> list[Record]:
        """What either service wrote for a request, all that it has started included: a failed request is recorded
        after its answer."""
        for one in (self.app_api, self.inference_api):
            one.settle(request_id)
        return self.written(request_id, message)

    def written(self, request_id: str, message: str | None = None) -> list[Record]:
        """What either service has written so far for a request."""
        return [record for one in (self.app_api, self.inference_api) for record in one.log.of(request_id, message)]

    @property
    def internals(self) -> list[str]:
        """What no client may ever see."""
        tables = [value for name, value in self.variables.items() if "TABLE" in name or "BUCKET" in name]
        words = ["arn:aws", "botocore", "aiodynamo", "Traceback", "Exception", "sk-secret", "127.0.0.1", SECRET_SAUCE]
        return [*tables, *words, self.variables[stored.MEMORY]]

    @asynccontextmanager
    async def fresh(self, **variables: str) -> "AsyncIterator[Platform]":
        """The same surroundings with services of its own, both running with `variables`, which a test may stop."""
        around = replace(self.surroundings, chosen=variables)
        async with running_platform(around, self.root, in_tables=self.in_tables) as platform:
            platform.start()
            yield platform


@contextmanager
def surroundings(prefix: str = "tests") -> Iterator[Surroundings]:
    """All resources, with the models and the role of the developer in them."""
    with (
        embedded_aws() as endpoint,
        FaultProxy(endpoint.endpoint) as proxy,
        identity_provider() as provider,
        ModelServer(otherwise=orders.obeyed).running_in_a_thread() as model,
        OAuthServer().running() as oauth,
    ):
        model.embeddings = proxy.url
        variables = create_resources(endpoint.endpoint, prefix=prefix)
        proxy.answer("bedrock", "ListFoundationModels", lambda _: {"modelSummaries": []})
        memory = LongTermMemory(variables[stored.MEMORY])
        AwsAccess(endpoint.endpoint, variables).store(
            stored.managed_model(PRICED, availableToRoles=[ROLE], **PRICES),
            stored.managed_model(CLAUDE, availableToRoles=[ROLE], provider="bedrock", **PRICES),
            stored.managed_model(DISABLED, availableToRoles=[ROLE], enabled=False, **PRICES),
            stored.managed_model(FORBIDDEN, availableToRoles=["Somebody else"], **PRICES),
            *stored.role("builder", ROLE, enabled=True, **stored.granting(*PERMITTED_TOOLS)),
        )
        parameters = Parameters()
        proxy.answer("ssm", "GetParameters", parameters.told)
        settled = {**variables, "AWS_ENDPOINT_URL": proxy.url}
        with proxy.answering(memory):
            yield Surroundings(endpoint, proxy, provider, model, memory, oauth, settled, parameters=parameters)


@asynccontextmanager
async def running_platform(around: Surroundings, root: Path, *, in_tables: bool) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as running:
        yield Platform(around, root, in_tables=in_tables, running=running)


@asynccontextmanager
async def separate_platform() -> AsyncIterator[Platform]:
    """A platform with surroundings of its own, which a test may break."""
    with surroundings() as around, tempfile.TemporaryDirectory() as folder:
        async with running_platform(around, Path(folder), in_tables=True) as platform:
            platform.start()
            yield platform


async def until[T](condition: Callable[[], Awaitable[T]], *, seconds: float = 10) -> T:
    """What `condition` answers as soon as it is true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
    return found


def inline_file(filename: str, content_type: str, data: bytes) -> dict[str, str]:
    return {"filename": filename, "content_type": content_type, "bytes": base64.b64encode(data).decode()}


def _shortened(block: dict[str, Any]) -> Any:
    return block["text"] if block["type"] == "text" else block
