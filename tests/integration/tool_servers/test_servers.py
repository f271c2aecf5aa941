"""The servers of one turn: which tools there are, what they are called, and what becomes of those that fail."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.responses import Response

from agents.tools.mcp.endpoints import Gateway
from agents.tools.mcp.servers import RemoteTools, ToolServers
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable
from apis.shared.lifecycle import background
from apis.shared.oauth.models import AccessToken, NotConnected, TokenOutcome
from apis.shared.result import Failure, Result, Success
from apis.shared.tools.models import McpConfig, ToolRecord
from tests.integration.conftest import Aws, Configure
from tests.support.tool_server import ECHO, Heard, ToolServer, called, events, offering, text, tool_server

USER = "000000001"
CONNECT = "http://localhost:4200/settings/connections"


@dataclass
class Tokens:
    """A token service that says what it is told, and what it was asked."""

    outcome: Result[TokenOutcome, ErrorDetail] = field(default_factory=lambda: Success(AccessToken("AT1")))
    renewed: Result[TokenOutcome, ErrorDetail] = field(default_factory=lambda: Success(AccessToken("AT2")))
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def access_token(
        self, user_id: str, provider_id: str, *, instead_of: str | None = None
    ) -> Result[TokenOutcome, ErrorDetail]:
        self.asked.append((user_id, provider_id, instead_of))
        if instead_of is not None:
            self.outcome = self.renewed
        return self.outcome

    async def to_reconnect(self, _: str, provider_id: str) -> Result[NotConnected, ErrorDetail]:
        return Success(NotConnected(provider_id, "P One", CONNECT, needs_reauth=True))


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
async def servers(aws: Aws, configure: Configure, tokens: Tokens) -> AsyncIterator[ToolServers]:
    """Where this machine counts as a place that may be reached."""
    configure(
        OUTGOING_ALLOWED_HOSTS="127.0.0.1",
        TOOL_SERVER_START_SECONDS="0.6",
        AWS_ACCESS_KEY_ID="AKID",
        AWS_SECRET_ACCESS_KEY="SECRET",
        AWS_SESSION_TOKEN="TOKEN",
    )
    yield ToolServers(Gateway(), tokens)
    while _open:
        _open.pop().close()
    await background.drain(5)


@pytest.fixture(scope="session")
async def _other() -> AsyncIterator[ToolServer]:
    async with tool_server() as running:
        yield running


@pytest.fixture
def other(_other: ToolServer) -> ToolServer:
    _other.reset()
    return _other


def external(server: ToolServer, tool_id: str = "my_tool", *, oauth: str | None = None, **config: Any) -> ToolRecord:
    told = {"server_url": server.url, "auth_type": "none", **config}
    return ToolRecord(
        tool_id=tool_id, protocol="mcp_external", mcp_config=McpConfig(**told), requires_oauth_provider=oauth
    )


_open: list[RemoteTools] = []


async def connected(servers: ToolServers, *records: ToolRecord, gateway: Sequence[str] = ()) -> RemoteTools:
    """Closed after the test."""
    tools = (await servers.connect(gateway, records, USER)).unwrap()
    _open.append(tools)
    return tools


async def refused(servers: ToolServers, *records: ToolRecord, gateway: Sequence[str] = ()) -> ErrorDetail:
    return (await servers.connect(gateway, records, USER)).failure()


async def run(tools: RemoteTools, said: str = "hi") -> dict[str, Any]:
    return await tools.tools[0].run({"text": said})


async def test_a_tool_without_credentials(servers: ToolServers, server: ToolServer) -> None:
    tools = await connected(servers, external(server))
    assert [(tool.name, tool.description) for tool in tools.tools] == [("echo", "Says it again.")]
    assert await run(tools) == {"status": "success", "content": [{"text": "again: hi"}]}
    assert not [one for one in server.requests if "authorization" in one.headers]


async def test_closing_ends_the_session(servers: ToolServers, server: ToolServer) -> None:
    tools = (await servers.connect([], [external(server)], USER)).unwrap()
    assert not server.of("DELETE")
    tools.close()
    await background.drain(5)
    assert [one.headers["mcp-session-id"] for one in server.of("DELETE")] == ["session-1"]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"auth_type": "api-key", "api_key_header": "X-Key"}, id="A19 api key"),
        pytest.param({"auth_type": "bearer-token"}, id="bearer token"),
        pytest.param({"auth_type": "oauth2"}, id="oauth2"),
        pytest.param({"auth_type": "something"}, id="unknown"),
        pytest.param({"transport": "sse"}, id="sse"),
        pytest.param({"transport": "stdio"}, id="stdio"),
        pytest.param({"server_url": " "}, id="no address"),
        pytest.param({"server_url": "ftp://127.0.0.1/"}, id="no web address"),
        pytest.param({"server_url": "http://user:secret@127.0.0.1/"}, id="credentials in the address"),
        pytest.param(None, id="no configuration"),
    ],
)
async def test_what_is_set_up_wrongly_is_never_asked(
    servers: ToolServers, server: ToolServer, config: dict[str, str] | None
) -> None:
    """F-AGT-12, F-AGT-13, D9"""
    record = ToolRecord(tool_id="my_tool", protocol="mcp_external")
    error = await refused(servers, record if config is None else external(server, **config))
    assert error.code is ErrorCode.TOOL_ERROR
    assert "my_tool" in error.message
    assert "secret" not in error.message
    assert not server.requests


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/mcp", "http://localhost:{port}/mcp", "http://169.254.169.254/"]
)
async def test_a_private_place_is_not_asked(
    servers: ToolServers, server: ToolServer, configure: Configure, url: str
) -> None:
    """D8: unless the deployment names it."""
    configure(OUTGOING_ALLOWED_HOSTS=None)
    record = external(server, server_url=url.format(port=server.url.split(":")[2].partition("/")[0]))
    error = await refused(servers, record)
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE
    assert "my_tool" in error.message
    assert not server.requests


START_FAILURES = [
    pytest.param({"initialize": lambda _: Response(status_code=503)}, ErrorCode.SERVICE_UNAVAILABLE, id="refuses"),
    pytest.param({"initialize": lambda _: Response("<html>")}, ErrorCode.SERVICE_UNAVAILABLE, id="rubbish"),
    pytest.param({"initialize": lambda _: events(60.0)}, ErrorCode.TIMEOUT, id="slow"),
    pytest.param({"tools/list": lambda _: Response(status_code=500)}, ErrorCode.SERVICE_UNAVAILABLE, id="M2 list"),
    pytest.param({"tools/list": lambda _: {"tools": None}}, ErrorCode.SERVICE_UNAVAILABLE, id="no list"),
    pytest.param({"initialize": lambda _: Response(status_code=401)}, ErrorCode.TOOL_ERROR, id="unauthorized"),
    pytest.param({"tools/list": lambda _: Response(status_code=403)}, ErrorCode.TOOL_ERROR, id="forbidden"),
]


@pytest.mark.parametrize(("replies", "code"), START_FAILURES)
async def test_a_server_that_does_not_start(
    servers: ToolServers, server: ToolServer, other: ToolServer, replies: dict[str, Any], code: ErrorCode
) -> None:
    """F-AGT-14. M12: the one beside it is left properly."""
    server.replies.update(replies)
    error = await refused(servers, external(other, "good"), external(server, "bad_tool"))
    assert error.code is code
    assert "bad_tool" in error.message
    await background.drain(5)
    assert len(other.of("DELETE")) == len(other.of("initialize")) == 1


async def test_nobody_listens(servers: ToolServers, server: ToolServer) -> None:
    error = await refused(servers, external(server, server_url="http://127.0.0.1:9/mcp"))
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE


async def test_a_start_that_is_cancelled_leaves_nothing(
    servers: ToolServers, server: ToolServer, other: ToolServer
) -> None:
    """M12"""
    server.replies["initialize"] = lambda _: events(60.0)
    starting = asyncio.create_task(servers.connect([], [external(other, "good"), external(server)], USER))
    while not (server.of("initialize") and other.of("tools/list")):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.wait((starting,))
    assert starting.cancelled()
    await background.drain(5)
    assert len(other.of("DELETE")) == 1


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(lambda _: Response(status_code=500), "cannot be reached", id="M9 server error"),
        pytest.param(lambda _: Response(status_code=403), "does not permit", id="M10 forbidden"),
        pytest.param(lambda _: Response("rubbish"), "cannot be read", id="rubbish"),
        pytest.param(called(text("no such page"), isError=True), "no such page", id="its own"),
        pytest.param(called(isError=True), "did not say why", id="M6 nothing"),
        pytest.param(lambda _: events(60.0), "did not answer in time", id="slow"),
    ],
)
async def test_a_call_that_fails_is_a_result(
    servers: ToolServers, server: ToolServer, configure: Configure, reply: Any, told: str
) -> None:
    tools = await connected(servers, external(server))
    configure(TOOL_CALL_SECONDS="0.3")
    server.replies["tools/call"] = reply
    failed = await run(tools)
    assert failed["status"] == "error"
    assert told in failed["content"][0]["text"]


async def test_a_user_s_token_is_asked_for_at_each_request(
    servers: ToolServers, server: ToolServer, tokens: Tokens
) -> None:
    """M14, D12: what was renewed meanwhile is what is sent."""
    tools = (await servers.connect([], [external(server, oauth="p1", auth_type="aws-iam")], USER)).unwrap()
    tokens.outcome = Success(AccessToken("AT9"))
    assert (await run(tools))["status"] == "success"
    sent = [(one.called, one.headers["authorization"]) for one in server.requests]
    assert sent[-1] == ("tools/call", "Bearer AT9")
    assert {header for _, header in sent[:-1]} == {"Bearer AT1"}
    assert set(tokens.asked) == {(USER, "p1", None)}
    assert not [one for one in server.requests if "x-amz-date" in one.headers], "never combined"
    tokens.outcome = Success(NotConnected("p1", "P One", CONNECT))
    assert (await run(tools))["content"][1]["json"]["status"] == "not_connected"
    assert len(server.of("tools/call")) == 1, "the disconnected user's token is not used"
    tools.close()


@pytest.mark.parametrize("needs_reauth", [False, True])
async def test_a_user_without_connection_gets_stand_ins(
    servers: ToolServers, server: ToolServer, tokens: Tokens, needs_reauth: bool
) -> None:
    """A19, F-AGT-15"""
    tokens.outcome = Success(NotConnected("p1", "P One", CONNECT, needs_reauth))
    tools = await connected(servers, external(server, oauth="p1", tools=["read", "write"]))
    assert [tool.name for tool in tools.tools] == ["read", "write"]
    answer = await tools.tools[0].run({"anything": 1})
    assert answer["status"] == "error"
    shown, told = answer["content"]
    assert CONNECT in shown["text"]
    assert told["json"] == {
        "status": "not_connected",
        "error": "P One is not connected.",
        "requires_oauth": True,
        "provider_id": "p1",
        "provider_name": "P One",
        "connect_url": CONNECT,
        "needs_reauth": needs_reauth,
    }
    assert not server.requests
    assert not (await connected(servers, external(server, oauth="p1"))).tools, "left out where no tools are named"


@pytest.mark.parametrize(
    ("renewed", "status", "sent"),
    [
        pytest.param(Success(AccessToken("AT2")), "success", ["AT1", "AT2"], id="M10 renewed"),
        pytest.param(Success(NotConnected("p1", "P", CONNECT, True)), "not_connected", ["AT1"], id="M10 not renewed"),
        pytest.param(Success(AccessToken("AT1")), "not_connected", ["AT1", "AT1"], id="M10 refused again"),
        pytest.param(Failure(service_unavailable()), "failed", ["AT1"], id="F-AGT-17"),
    ],
)
async def test_a_token_that_the_server_refuses(
    servers: ToolServers,
    server: ToolServer,
    tokens: Tokens,
    renewed: Result[TokenOutcome, ErrorDetail],
    status: str,
    sent: list[str],
) -> None:
    def strict(heard: Heard) -> Any:
        return called(text("in"))(heard) if "AT2" in heard.headers["authorization"] else Response(status_code=401)

    tools = await connected(servers, external(server, oauth="p1"))
    tokens.renewed = renewed
    server.replies["tools/call"] = strict
    answer = await run(tools)
    assert [one.headers["authorization"] for one in server.of("tools/call")] == [f"Bearer {one}" for one in sent]
    assert answer["status"] == ("success" if status == "success" else "error")
    if status == "not_connected":
        assert answer["content"][1]["json"]["needs_reauth"] is True


async def test_a_token_that_is_refused_by_a_server_that_began_anew(
    servers: ToolServers, server: ToolServer, tokens: Tokens
) -> None:
    """M1 and M10 at once: the user is told to connect anew, by the name that the provider is known by."""
    tools = await connected(servers, external(server, oauth="p1"))
    server.replies["tools/call"] = lambda _: Response(status_code=404)
    server.replies["initialize"] = lambda _: Response(status_code=401)
    answer = await run(tools)
    assert "The connection to P One has expired" in answer["content"][0]["text"]
    assert answer["content"][1]["json"]["provider_name"] == "P One"
    assert [one.headers["authorization"] for one in server.of("initialize")[1:]] == ["Bearer AT1", "Bearer AT2"]
    assert len(server.of("tools/call")) == 1


async def test_a_token_that_is_refused_at_the_start(servers: ToolServers, server: ToolServer, tokens: Tokens) -> None:
    server.replies["initialize"] = lambda _: Response(status_code=401)
    tools = await connected(servers, external(server, oauth="p1", tools=["read"]))
    assert (await run(tools))["content"][1]["json"]["needs_reauth"] is True
    tokens.outcome = Failure(service_unavailable())
    error = await refused(servers, external(server, oauth="p1", tools=["read"]))
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE, "F-OAUTH-37, F-AGT-15: never without"


def is_signed(heard: Heard, url: str, service: str, region: str) -> bool:
    """By botocore's own reckoning, from the headers that the signature names."""
    authorization = heard.headers["authorization"]
    names = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    assert "connection" not in names
    assert set(names) <= {"content-type", "host", "x-amz-date", "x-amz-security-token"}
    request = AWSRequest(heard.method, url, {name: heard.headers[name] for name in names}, heard.body)
    request.context["timestamp"] = heard.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKID", "SECRET", "TOKEN"), service, region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return authorization.endswith(f"Signature={signature}") and f"/{region}/{service}/" in authorization


async def test_requests_to_the_gateway_are_signed(
    servers: ToolServers, server: ToolServer, configure: Configure
) -> None:
    """A5, M5, M15"""
    names = ["wiki-search___wiki_search", "search", "research"]
    server.replies["tools/list"] = [
        lambda _: {"tools": [{**ECHO, "name": names[0]}], "nextCursor": "2"},
        offering(*({**ECHO, "name": name} for name in names[1:])),
    ]
    configure(GATEWAY_URL=server.url)
    tools = (await servers.connect(["gateway_search", "gateway_absent"], [], USER)).unwrap()
    assert [tool.name for tool in tools.tools] == ["search"]
    assert (await run(tools, "é \U0001f600"))["content"] == [{"text": "again: é \U0001f600"}]
    tools.close()
    await background.drain(5)
    assert {one.method for one in server.requests} == {"POST", "DELETE"}
    assert all(is_signed(one, server.url, "bedrock-agentcore", "us-west-2") for one in server.requests)


@pytest.mark.parametrize(("region", "signed"), [(None, "us-west-2"), ("eu-west-1", "eu-west-1")])
async def test_requests_of_the_deployment_are_signed(
    servers: ToolServers, server: ToolServer, region: str | None, signed: str
) -> None:
    await connected(servers, external(server, auth_type="aws-iam", aws_region=region))
    assert all(is_signed(one, server.url, "lambda", signed) for one in server.requests)


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        pytest.param({"initialize": lambda _: Response(status_code=403)}, ErrorCode.INTERNAL_ERROR, id="M15"),
        pytest.param({"initialize": lambda _: Response(status_code=503)}, ErrorCode.SERVICE_UNAVAILABLE, id="F-AGT-10"),
        pytest.param({"tools/list": lambda _: events(60.0)}, ErrorCode.TIMEOUT, id="F-AGT-10 slow"),
    ],
)
async def test_a_gateway_that_fails(
    servers: ToolServers, server: ToolServer, configure: Configure, replies: dict[str, Any], code: ErrorCode
) -> None:
    server.replies.update(replies)
    configure(GATEWAY_URL=server.url)
    assert (await refused(servers, gateway=["gateway_search"])).code is code


async def test_a_gateway_without_credentials_to_sign_with(
    servers: ToolServers, server: ToolServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-AGT-11"""
    configure(GATEWAY_URL=server.url)
    monkeypatch.setattr("apis.shared.aws.dynamodb.resolution.find_credentials", lambda: None)
    assert (await refused(servers, gateway=["gateway_search"])).code is ErrorCode.INTERNAL_ERROR
    assert not server.requests


async def test_a_gateway_that_is_switched_off(servers: ToolServers, server: ToolServer, configure: Configure) -> None:
    """F-AGT-09"""
    configure(GATEWAY_URL=server.url, AGENTCORE_GATEWAY_MCP_ENABLED="false")
    assert not (await connected(servers, gateway=["gateway_echo"])).tools
    assert not server.requests


async def test_names_are_legal_unique_and_the_same_in_every_turn(
    servers: ToolServers, server: ToolServer, other: ToolServer
) -> None:
    """M4"""
    long = "library-services___get_all_opening_hours_of_every_branch_by_week"
    odd = [
        {"name": name, "inputSchema": {}, "description": ""} for name in (long, "wiki.search/v2", "größe", "calculator")
    ]
    server.replies["tools/list"] = offering(ECHO, *odd)
    server.replies["tools/call"] = lambda heard: {"content": [text(heard.message["params"]["name"])]}
    first = await connected(servers, external(server, "one"), external(other, "two"))
    second = await connected(servers, external(other, "two"), external(server, "one"))
    names = [tool.name for tool in first.tools]
    assert sorted(names) == sorted(tool.name for tool in second.tools)
    assert len(set(names)) == 6
    assert all(len(name) <= 64 and name.replace("-", "_").isascii() for name in names)
    assert {"wiki_search_v2", "gr__e"} <= set(names)
    assert "calculator" not in names
    told = [(await tool.run({}))["content"][0]["text"] for tool in first.tools]
    assert told == ["echo", long, "wiki.search/v2", "größe", "calculator", "again: None"]


async def test_a_tool_that_no_model_takes_is_left_out(servers: ToolServers, server: ToolServer) -> None:
    """M3"""
    unfit = [
        {"name": "text", "inputSchema": {"type": "string"}},
        {"name": "huge", "inputSchema": {"type": "object", "properties": {"a": {"description": "x" * 300_000}}}},
        {"name": "filter", "inputSchema": {"type": "object", "properties": {"$filter": {"type": "string"}}}},
        {"name": 5},
        "nothing",
    ]
    server.replies["tools/list"] = offering(*unfit, ECHO)  # type: ignore[arg-type]  # as odd as servers are
    assert [tool.name for tool in (await connected(servers, external(server))).tools] == ["echo"]
