"""The protocol towards one server, which does all that servers were seen to do."""

import asyncio
import gzip
import json
import tracemalloc
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from starlette.responses import Response

from agents.tools.mcp import session as sessions
from agents.tools.mcp.access import Anonymous
from agents.tools.mcp.contents import envelope_of
from agents.tools.mcp.session import Endpoint, Session
from apis.shared.errors import ErrorCode
from apis.shared.lifecycle import background
from tests.support.tool_server import (
    ECHO,
    Heard,
    Reply,
    ToolServer,
    called,
    event,
    events,
    json_response,
    real_server,
    result,
    text,
    tool_server,
)

HELLO = {"name": "echo", "arguments": {"text": "hé \U0001f600"}}
SECONDS = 5.0


async def calls(session: Session, seconds: float = SECONDS) -> str:
    """What the call of `echo` comes to: the text of its result, or code and message of its failure."""
    answer = await session.request("tools/call", HELLO, seconds=seconds)
    return answer.map(lambda told: str(envelope_of(told)["content"][0]["text"])).value_or("") or _code(answer)


def _code(answer: Any) -> str:
    error = answer.failure()
    return f"{error.code.value}: {error.message}"


async def started(session: Session) -> list[str]:
    return [tool["name"] for tool in (await session.start(seconds=SECONDS)).unwrap()]


def answer_to(heard: Heard, said: str = "here") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": heard.number, "result": {"content": [text(said)]}}


async def test_a_server_of_the_official_package() -> None:
    served = MCPServer("official")

    @served.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @served.tool()
    async def crop() -> list[str]:
        """Some fruit."""
        return ["apple", "pear"]

    import httpx

    async with real_server(served) as url, httpx.AsyncClient(trust_env=False) as client:
        session = Session(client, Endpoint("official", url, Anonymous()))
        assert await started(session) == ["add", "crop"]
        told = [
            envelope_of((await session.request("tools/call", params, seconds=SECONDS)).unwrap())
            for params in (
                {"name": "add", "arguments": {"a": 1, "b": 2}},
                {"name": "crop", "arguments": {}},
                {"name": "nothing", "arguments": {}},
            )
        ]
        assert told[0] == {"status": "success", "content": [{"text": "3"}]}
        assert told[1] == {"status": "success", "content": [{"text": "apple"}, {"text": "pear"}]}
        assert told[2] == {"status": "error", "content": [{"text": "Unknown tool: nothing"}]}
        assert (await session.close()).unwrap() is None


async def test_what_is_sent(server: ToolServer, session: Session) -> None:
    assert await started(session) == ["echo"]
    assert await calls(session) == "again: hé \U0001f600"
    (await session.close()).unwrap()
    assert [one.called for one in server.requests] == [
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/call",
        "DELETE",
    ]
    first, *later = server.requests
    assert "mcp-session-id" not in first.headers
    assert "mcp-protocol-version" not in first.headers
    assert {one.headers["mcp-session-id"] for one in later} == {"session-1"}
    assert {one.headers["mcp-protocol-version"] for one in later} == {"2025-06-18"}
    assert "authorization" not in first.headers


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Response(status_code=404), id="M1 not found"),
        pytest.param(json_response({"error": "No valid session ID provided"}, 400), id="M1 bad request"),
        pytest.param(Response(status_code=401), id="M1 unauthorized"),
    ],
)
async def test_a_lost_session_is_replaced_once(server: ToolServer, session: Session, lost: Response) -> None:
    await started(session)
    server.replies["tools/call"] = [lambda _: lost, called(text("second"))]
    assert await calls(session) == "second"
    assert "mcp-session-id" not in server.of("initialize")[1].headers
    server.replies["tools/call"] = lambda _: lost
    assert (await calls(session)).startswith("tool_error")
    assert len(server.of("tools/call")) == 4


def pages(*cursors: str | None, tools: int = 1) -> list[Reply]:
    """A page for each cursor that it names, with so many tools."""

    def page(number: int, cursor: str | None) -> Reply:
        named = [{**ECHO, "name": f"tool{number}_{one}"} for one in range(tools)]
        return lambda _: {"tools": named, **({} if cursor is None else {"nextCursor": cursor})}

    return [page(number, cursor) for number, cursor in enumerate(cursors)]


@pytest.mark.parametrize(
    ("replies", "tools", "asked"),
    [
        pytest.param(pages("c1"), 1, 2, id="M2 one cursor for ever"),
        pytest.param(pages(""), 1, 2, id="M2 a blank cursor for ever"),
        pytest.param(pages("a", "b", None, tools=40), 120, 3, id="M2 three pages"),
        pytest.param(pages(*map(str, range(5000))), 20, 20, id="M2 pages without end"),
        pytest.param(pages("a", None, tools=700), 1000, 2, id="M2 too many tools"),
    ],
)
async def test_pages_of_a_list(
    server: ToolServer,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    replies: list[Reply],
    tools: int,
    asked: int,
) -> None:
    monkeypatch.setattr(sessions, "MAX_PAGES", 20)
    server.replies["tools/list"] = replies
    found = await started(session)
    assert len(found) == len(set(found)) == tools
    assert len(server.of("tools/list")) == asked


async def test_no_more_pages_than_are_needed(server: ToolServer, session: Session) -> None:
    server.replies["tools/list"] = pages("a", "b", None)
    found = (await session.start(seconds=SECONDS, wanted=["tool1_0"])).unwrap()
    assert "tool1_0" in [tool["name"] for tool in found]
    assert len(server.of("tools/list")) == 2


def to_itself(_: Heard) -> Response:
    return Response(status_code=308, headers={"location": "/mcp"})


UNFIT: list[tuple[str, Reply, str]] = [
    ("M9 stream without an answer", lambda _: events(": nothing\n\n"), "ended its answer"),
    ("M9 accepted", lambda _: Response(status_code=202), "ended its answer"),
    ("M9 bare sentence", lambda _: events("the tool is not there\n"), "ended its answer"),
    ("M9 other id", lambda _: json_response({"jsonrpc": "2.0", "id": 99, "result": {}}), "cannot be read"),
    ("M9 other id in a stream", lambda _: events(event({"jsonrpc": "2.0", "id": 9, "result": {}})), "ended its"),
    ("M9 half a JSON", lambda _: Response('{"jsonrpc": "2.0", "id"', 200, media_type="application/json"), "be read"),
    ("M9 half a JSON in a stream", lambda _: events('data: {"jsonrpc"\n\n'), "cannot be read"),
    ("M9 server error", lambda _: Response("<html>", 500), "service_unavailable"),
    ("M9 list", lambda _: json_response([1, 2]), "cannot be read"),
    ("M9 nested", lambda _: Response("[" * 100_000, media_type="application/json"), "cannot be read"),
    ("M9 html", lambda _: Response("<html>Sign in</html>", media_type="text/html"), "cannot be read"),
    ("M9 no id", lambda _: json_response({"jsonrpc": "2.0", "id": None, "error": {"message": "so not"}}), "so not"),
    ("M9 no id at 400", lambda _: json_response({"id": None, "error": {"message": "so not"}}, 400), "so not"),
    ("M9 bad request", lambda _: Response("what?", 400), "did not accept"),
    ("M10 forbidden", lambda _: Response(status_code=403), "does not permit"),
    ("M11 elsewhere", lambda _: Response(status_code=307, headers={"location": "https://o.example/mcp"}), "another"),
    (
        "M11 other scheme",
        lambda h: Response(status_code=307, headers={"location": f"https://{h.headers['host']}/"}),
        "another",
    ),
    ("M11 not kept", lambda _: Response(status_code=302, headers={"location": "/mcp/"}), "did not accept"),
    ("M11 for ever", to_itself, "another place"),
    ("M11 nowhere", lambda _: Response(status_code=307), "another place"),
]


@pytest.mark.parametrize(("reply", "told"), [pytest.param(*rest, id=name) for name, *rest in UNFIT])
async def test_an_unfit_answer_is_a_failure(server: ToolServer, session: Session, reply: Reply, told: str) -> None:
    await started(session)
    server.replies["tools/call"] = reply
    assert told in await calls(session)
    # Sent no second time: it may have been done.
    assert len(server.of("tools/call")) == (4 if reply is to_itself else 1)
    del server.replies["tools/call"]
    assert (await calls(session)).startswith("again"), "the session is as good as before"


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply, _ in UNFIT if "M9" in name])
async def test_a_server_that_starts_unfit(server: ToolServer, session: Session, reply: Reply) -> None:
    for place in ("initialize", "tools/list"):
        server.replies = {place: reply}
        assert (await session.start(seconds=SECONDS)).failure().code in {
            ErrorCode.TOOL_ERROR,
            ErrorCode.SERVICE_UNAVAILABLE,
        }


PROGRESS = event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}})


alive: list[str | float] = [": alive\n\n", 0.05] * 100
progress: list[str | float] = [PROGRESS, 0.05] * 100


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda _: events(*alive), id="M9 keep-alives"),
        pytest.param(lambda _: events(*progress), id="M9 progress"),
        pytest.param(lambda _: events(60.0), id="silence"),
    ],
)
async def test_time_is_bounded_and_the_server_is_told(server: ToolServer, session: Session, reply: Reply) -> None:
    await started(session)
    server.replies["tools/call"] = reply
    assert (await calls(session, seconds=0.3)).startswith("timeout")
    await background.drain(5)
    (cancelled,) = server.of("notifications/cancelled")
    assert cancelled.message["params"] == {"requestId": server.of("tools/call")[0].number}


async def test_start_up_is_bounded(server: ToolServer, session: Session) -> None:
    for place in ("initialize", "tools/list"):
        server.replies = {place: lambda _: events(60.0)}
        assert (await session.start(seconds=0.3)).failure().code is ErrorCode.TIMEOUT
    server.replies = {"tools/list": pages(*map(str, range(5000)))}
    assert (await session.start(seconds=0.01)).failure().code is ErrorCode.TIMEOUT


async def test_a_call_that_is_stopped_is_told_to_the_server(server: ToolServer, session: Session) -> None:
    """M12"""
    await started(session)
    server.replies["tools/call"] = lambda _: events(60.0)
    calling = asyncio.create_task(calls(session))
    while not server.of("tools/call"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    calling.cancel()
    await asyncio.wait((calling,))
    assert calling.cancelled()
    await background.drain(5)
    assert len(server.of("notifications/cancelled")) == 1
    del server.replies["tools/call"]
    assert (await calls(session)).startswith("again")


async def test_what_the_server_asks_for_is_not_supported(server: ToolServer, session: Session) -> None:
    """M16"""
    await started(session)
    asked = [
        event({"jsonrpc": "2.0", "id": f"s{n}", "method": m})
        for n, m in enumerate(["sampling/createMessage", "elicitation/create", "roots/list", "ping"])
    ]
    changed = event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    server.replies["tools/call"] = lambda heard: events(*asked, changed, event(answer_to(heard)))
    assert await calls(session) == "here"
    await background.drain(5)
    replies = {one.message["id"]: one.message for one in server.requests if "method" not in one.message and one.message}
    assert {number: reply.get("error", {}).get("code") for number, reply in replies.items()} == {
        "s0": -32601,
        "s1": -32601,
        "s2": -32601,
        "s3": None,
    }
    assert not server.of("GET"), "nobody listens"


async def test_a_stream_that_breaks_is_resumed(
    server: ToolServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "RESUME_AFTER_SECONDS", 0.01)
    await started(session)
    server.replies["tools/call"] = lambda _: events("id: e1\nretry: 10\ndata:\n\n")
    server.replies["GET"] = lambda _: events(event(answer_to(server.of("tools/call")[0], "resumed")))
    assert await calls(session) == "resumed"
    (resumed,) = server.of("GET")
    assert resumed.headers["last-event-id"] == "e1"


async def test_a_redirect_within_the_server_is_followed(server: ToolServer, session: Session) -> None:
    """M11"""
    moved = Response(status_code=307, headers={"location": "/mcp/"})
    await started(session)
    server.replies["tools/call"] = [lambda _: moved, called(text("moved"))]
    assert await calls(session) == "moved"
    assert [one.path for one in server.of("tools/call")] == ["/mcp", "/mcp/"]
    assert server.of("tools/call")[0].body == server.of("tools/call")[1].body


async def test_a_huge_answer(server: ToolServer, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """M7"""
    await started(session)
    server.replies["tools/call"] = called(text("x" * 3_000_000))
    cut = envelope_of((await session.request("tools/call", HELLO, seconds=SECONDS)).unwrap())
    assert [len(block["text"]) for block in cut["content"]] == [200_000, 59]
    monkeypatch.setattr(sessions, "MAX_ANSWER_BYTES", 1_000_000)
    assert "too large" in await calls(session)
    server.replies["tools/call"] = lambda heard: events(event(answer_to(heard, "x" * 3_000_000)))
    assert "too large" in await calls(session)


def zipped(body: bytes, *, encoding: str = "gzip", times: int = 1) -> Response:
    for _ in range(times):
        body = gzip.compress(body)
    return Response(body, headers={"content-type": "application/json", "content-encoding": encoding})


async def test_an_answer_that_a_proxy_has_compressed(server: ToolServer, session: Session) -> None:
    await started(session)
    server.replies["tools/call"] = lambda heard: zipped(json.dumps(answer_to(heard)).encode())
    assert await calls(session) == "here"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(lambda _: zipped(bytes(10_000_000)), "too large", id="once"),
        pytest.param(lambda _: zipped(bytes(10_000_000), times=2, encoding="gzip, gzip"), "be read", id="twice"),
        pytest.param(lambda _: zipped(b"", encoding="br"), "be read", id="another"),
        pytest.param(lambda _: zipped(b"", times=0), "be read", id="nothing"),
        pytest.param(
            lambda _: Response(b"what?", headers={"content-encoding": "gzip", "content-type": "application/json"}),
            "be read",
            id="not at all",
        ),
        pytest.param(lambda _: events("data:\n" * 40_000), "too large", id="lines of nothing"),
    ],
)
async def test_what_a_small_answer_may_become(
    server: ToolServer, session: Session, monkeypatch: pytest.MonkeyPatch, reply: Reply, told: str
) -> None:
    """A server that wants to fill the memory of the process."""
    monkeypatch.setattr(sessions, "MAX_ANSWER_BYTES", 100_000)
    await started(session)
    response = reply(server.requests[0])
    server.replies["tools/call"] = lambda _: response
    tracemalloc.start()
    try:
        assert told in await calls(session)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


async def test_a_connection_that_was_closed_meanwhile(session: Session) -> None:
    """M13: a call on it is made once, on a new one."""
    executed: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            message = json.loads(await reader.readexactly(length))
            executed.append(message["method"])
            told = {"initialize": {"protocolVersion": "2025-06-18"}, "tools/list": {"tools": [ECHO]}}.get(
                message["method"], {"content": [text("done")]}
            )
            body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": told}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
            if message["method"] == "tools/list":
                writer.close()
                return

    import httpx

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    async with listening, httpx.AsyncClient(trust_env=False) as client:
        calling = Session(client, Endpoint("t", url, Anonymous()))
        await started(calling)
        assert await calls(calling) == "done"
        assert executed.count("tools/call") == 1
        await client.aclose()


async def test_a_protocol_of_another_time_is_refused(server: ToolServer, session: Session) -> None:
    server.replies["initialize"] = lambda heard: result(heard, {"protocolVersion": "1999-01-01\r\nX: y"})
    assert (await session.start(seconds=SECONDS)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
    assert not server.of("tools/list")


async def test_nobody_listens_at_the_address() -> None:
    import httpx

    async with tool_server() as server:
        url = server.url
    async with httpx.AsyncClient(trust_env=False) as client:
        session = Session(client, Endpoint("t", url, Anonymous()))
        assert (await session.start(seconds=SECONDS)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
        assert (await session.close()).unwrap() is None
