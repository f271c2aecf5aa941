"""Turns with tools that need the outside: pages, servers of tools, the gateway, the code interpreter."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import Response

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.interpreter import PlayedInterpreter
from tests.support.model_server import ModelServer, answer, tool_call
from tests.support.oauth_server import Answer as Served
from tests.support.platform import Answer, Platform, User, until
from tests.support.tool_server import ECHO, ToolServer, called, events, offering, text

GOES_ON = answer("Seen", ".")
PAGES_AND_SEARCHES = ("fetch_url_content", "ddg_web_search", "get_current_weather", "search_boise_state")


@pytest.fixture(scope="session")
def ada(tables: Platform, one_tool_server: ToolServer) -> User:
    """May use everything there is."""
    config = {"serverUrl": one_tool_server.url, "authType": "none"}
    catalogue: dict[str, dict[str, Any]] = {
        "outside_echo": {"mcpConfig": config},
        "outside_other": {"mcpConfig": config},
        "outside_keyed": {"mcpConfig": {**config, "authType": "api-key"}},
        "outside_oauth": {"mcpConfig": {**config, "tools": ["read"]}, "requiresOauthProvider": "outside"},
    }
    tables.store(
        *(stored.tool(tool_id, protocol="mcp_external", **members) for tool_id, members in catalogue.items()),
        *stored.role(
            "outside",
            "Outside",
            enabled=True,
            **stored.granting(*catalogue, "gateway_echo", "generate_diagram_and_validate", *PAGES_AND_SEARCHES),
        ),
    )
    return tables.sign_in("000000077", "Staff", "Outside")


async def turn(tables: Platform, ada: User, session_id: str, tool_id: str) -> Answer:
    return await tables.chat(
        session_id, "do it", user=ada, model_id="unmanaged", provider="openai", enabled_tools=[tool_id]
    )


def result_of(answered: Answer) -> dict[str, Any]:
    """Of the one tool, in a turn that went on."""
    (event,) = answered.of("tool_result")
    assert answered.failure is None
    assert answered.shown[-1].text == "Seen."
    told: dict[str, Any] = event["tool_result"]
    return told


@pytest.fixture(autouse=True)
async def _forgotten(tables: Platform, ada: User) -> None:
    await tables.inference_api.steer("forget")


async def test_a_tool_on_a_server(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    model.script(tool_call(("t1", "echo", {"text": "hé"})), GOES_ON)
    answered = await turn(tables, ada, session_id, "outside_echo")
    assert result_of(answered) == {"toolUseId": "t1", "status": "success", "content": [{"text": "again: hé"}]}
    assert [tool["function"]["name"] for tool in model.calls[0]["tools"]] == ["echo"]
    await tables.settled(answered.request_id)
    assert len(server.of("initialize")) == len(server.of("DELETE")) == 1


FAILING_CALLS = {
    "refuses": lambda _: Response(status_code=500),
    "dies": lambda _: events(),
    "rubbish": lambda _: Response("<html>"),
    "its own": called(text("no"), isError=True),
}


@pytest.mark.parametrize("kind", FAILING_CALLS)
async def test_a_tool_that_fails_is_no_failing_turn(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str, kind: str
) -> None:
    server.replies["tools/call"] = FAILING_CALLS[kind]
    model.script(tool_call(("t1", "echo", {})), GOES_ON)
    assert result_of(await turn(tables, ada, session_id, "outside_echo"))["status"] == "error"
    again = await tables.chat(session_id, "and now?", user=ada, model_id="unmanaged", provider="openai")
    assert again.failure is None


async def test_a_huge_result_is_cut_before_it_is_stored(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """M7"""
    server.replies["tools/call"] = called(text("x" * 1_000_000))
    model.script(tool_call(("t1", "echo", {})), GOES_ON)
    content = result_of(await turn(tables, ada, session_id, "outside_echo"))["content"]
    assert sum(len(block["text"]) for block in content) < 200_100
    again = await tables.chat(session_id, "and now?", user=ada, model_id="unmanaged", provider="openai")
    assert again.failure is None


@pytest.mark.parametrize(
    ("replies", "tool_id", "code"),
    [
        pytest.param(
            {"initialize": lambda _: Response(status_code=503)}, "outside_echo", "service_unavailable", id="F-AGT-14"
        ),
        pytest.param({"tools/list": lambda _: Response("<html>")}, "outside_echo", "service_unavailable", id="rubbish"),
        pytest.param({}, "outside_keyed", "tool_error", id="A19"),
    ],
)
async def test_a_server_that_cannot_be_entered_fails_the_turn(
    tables: Platform,
    ada: User,
    server: ToolServer,
    model: ModelServer,
    session_id: str,
    replies: dict[str, Any],
    tool_id: str,
    code: str,
) -> None:
    """Before the model is called; the failed turn is stored, and the operator learns which tool it was."""
    server.replies.update(replies)
    answered = await turn(tables, ada, session_id, tool_id)
    assert answered.error["code"] == code
    assert answered.headers["x-error-code"] == code
    assert not model.calls
    await tables.settled(answered.request_id)
    (record,) = tables.records(answered.request_id, "turn failed") or tables.records(answered.request_id)[-1:]
    assert tool_id in str(record)
    stored_messages = await tables.messages(session_id, user=ada)
    assert [message["role"] for message in stored_messages] == ["user", "assistant"]


async def test_a_user_without_connection_is_told_how_to_connect(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """A19"""
    model.script(tool_call(("t1", "read", {})), GOES_ON)
    told = result_of(await turn(tables, ada, session_id, "outside_oauth"))
    assert told["status"] == "error"
    assert "/settings/connections" in told["content"][0]["text"]
    assert not server.requests


async def test_hanging_up_ends_the_call_and_the_session(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """M12"""
    server.replies["tools/call"] = lambda _: events(60.0)
    model.script(tool_call(("t1", "echo", {})))
    members = {"model_id": "unmanaged", "provider": "openai", "enabled_tools": ["outside_echo"]}
    async with tables.chatting(session_id, "do it", user=ada, **members) as shown:
        async for _ in shown:
            if server.of("tools/call"):
                break

    async def is_left() -> bool:
        return bool(server.of("notifications/cancelled") and server.of("DELETE"))

    await until(is_left)


async def test_two_servers_with_tools_of_one_name(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """M4: both are offered, and each name leads to its own."""
    await tables.chat(
        session_id,
        "do it",
        user=ada,
        model_id="unmanaged",
        provider="openai",
        enabled_tools=["outside_other", "outside_echo"],
    )
    names = [tool["function"]["name"] for tool in model.calls[0]["tools"]]
    assert len(set(names)) == 2
    assert all(name.startswith("echo_") for name in names)


async def test_tools_of_the_gateway(
    tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """A4, A5, M5: by parameter, as deployments have it; without one they are left out."""
    without = await turn(tables, ada, f"{session_id}-without", "gateway_echo")
    assert without.failure is None
    assert "tools" not in model.calls[0]
    parameters = tables.surroundings.parameters
    name = "/strands-agent-chatbot/dev/mcp/gateway-url"
    server.replies["tools/list"] = offering(ECHO, {**ECHO, "name": "search"})
    parameters[name] = server.url
    try:
        await tables.inference_api.steer("forget")
        with tables.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="GetParameters")):
            unknown = await turn(tables, ada, f"{session_id}-unknown", "gateway_echo")
        assert unknown.error["code"] == "internal_error", "F-AGT-08"
        model.reset()
        model.script(tool_call(("t1", "echo", {"text": "x"})), GOES_ON)
        told = result_of(await turn(tables, ada, session_id, "gateway_echo"))
        assert told["content"] == [{"text": "again: x"}]
        assert [tool["function"]["name"] for tool in model.calls[0]["tools"]] == ["echo"]
        assert all("/bedrock-agentcore/aws4_request" in one.headers["authorization"] for one in server.requests)
        server.replies["initialize"] = lambda _: Response(status_code=403)
        failed = await turn(tables, ada, f"{session_id}-failing", "gateway_echo")
        assert failed.error["code"] == "internal_error"
    finally:
        del parameters[name]


async def test_a_page(tables: Platform, ada: User, server: ToolServer, model: ModelServer, session_id: str) -> None:
    """A18: also in a turn no private place is fetched."""
    model.script(tool_call(("t1", "fetch_url_content", {"url": "http://169.254.169.254/latest"})), GOES_ON)
    told = result_of(await turn(tables, ada, session_id, "fetch_url_content"))
    assert told["status"] == "error"
    assert told["content"][0]["json"]["error"] == "The address is not public."


HITS = b'<div class="body"><h2><a>Title</a></h2><a href="https://h.example/">Snippet</a></div>'
FOUND = {"TotalDocument": 1, "TypedDocuments": [{"Fields": {"Title": {"Value": "Enrolment"}}}]}
SERVICES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    (
        "get_current_weather",
        {"latitude": 43.6, "longitude": -116.2},
        {
            "/weather/points/43.6,-116.2": {"properties": {"forecast": "{url}/weather/forecast"}},
            "/weather/forecast": {"properties": {"periods": [{"temperature": 28, "shortForecast": "Clear"}]}},
        },
        ["/weather/points/43.6,-116.2", "/weather/forecast"],
    ),
    ("ddg_web_search", {"query": "cats"}, {"/search": HITS}, ["/search"]),
    ("search_boise_state", {"query": "enrol"}, {"/institution": FOUND}, ["/institution"]),
]


@pytest.mark.parametrize(("tool_id", "given", "answers", "asked"), [pytest.param(*one, id=one[0]) for one in SERVICES])
@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
async def test_a_service_of_the_web(
    tables: Platform,
    ada: User,
    model: ModelServer,
    session_id: str,
    tool_id: str,
    given: dict[str, Any],
    answers: dict[str, Any],
    asked: list[str],
    is_up: bool,
) -> None:
    """F-AGT-31, 32 and 35: what it says, and that it is down, are results in JSON; the turn goes on."""
    served = tables.oauth
    for path, body in answers.items():
        content = body if isinstance(body, bytes) else json.dumps(body).replace("{url}", served.url).encode()
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        served.answers[path] = Served(content, 200 if is_up else 403, content_type=kind)
    begun = len(served.requests)
    model.script(tool_call(("t1", tool_id, given)), GOES_ON)
    told = result_of(await turn(tables, ada, session_id, tool_id))
    assert [request.path for request in served.requests[begun:]] == (asked if is_up else asked[:1])
    assert told["status"] == ("success" if is_up else "error")
    value = json.loads(told["content"][0]["text"])
    assert ("error" in value) is not is_up
    kept = await tables.messages(session_id, user=ada)
    assert [message["role"] for message in kept] == ["user", "assistant", "user", "assistant"]


async def test_a_diagram(
    tables: Platform, ada: User, model: ModelServer, session_id: str, interpreter: PlayedInterpreter
) -> None:
    given = {"python_code": "draw()", "diagram_filename": "a.png"}
    model.script(tool_call(("t1", "generate_diagram_and_validate", given)), GOES_ON)
    answered = await turn(tables, ada, session_id, "generate_diagram_and_validate")
    told = result_of(answered)
    assert told["content"][1]["image"]["format"] == "png"
    await tables.settled(answered.request_id)
    assert interpreter.calls[-1] == "stop"


@pytest.fixture
def interpreter(tables: Platform) -> Iterator[PlayedInterpreter]:
    played = PlayedInterpreter()
    with tables.proxy.answering(played):
        yield played
