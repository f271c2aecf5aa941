"""The tools of one turn that are on servers: connected when it begins, and left when it ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from agents.outgoing.addresses import AllowedHosts
from agents.outgoing.guard import GuardedTransport
from agents.outgoing.pages import tls_context
from agents.tools.mcp.connections import UserTokens, not_connected
from agents.tools.mcp.contents import envelope_of
from agents.tools.mcp.endpoints import GATEWAY, Gateway, endpoint_of, out_of_reach
from agents.tools.mcp.naming import Owned, legal_names
from agents.tools.mcp.schemas import Schema, acceptable
from agents.tools.mcp.session import Endpoint, Json, Session
from agents.tools.results import Envelope, error_text
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.logs import bounded
from apis.shared.oauth.models import NotConnected
from apis.shared.result import Failure, Result, Success, best_effort, collect, railway
from apis.shared.settings import ToolSettings, settings
from apis.shared.tools.catalogue import GATEWAY_PREFIX
from apis.shared.tools.models import ToolRecord

logger = logging.getLogger(__name__)

MAX_DESCRIPTION = 10_000
_CONNECT_SECONDS = 10.0
_NO_ARGUMENTS: Schema = {"type": "object", "properties": {}, "additionalProperties": True}
_TEXTS = {
    ErrorCode.TIMEOUT: "Error: the tool did not answer in time.",
    ErrorCode.SERVICE_UNAVAILABLE: "Error: the tool cannot be reached.",
}
_FAILED = "Error: the tool failed."

type Arguments = Mapping[str, Any]
"""Whatever a model gives. Any: JSON."""


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as the model is offered it. `run` never raises for what a server does."""

    name: str
    description: str
    schema: Schema
    run: Callable[[Arguments], Awaitable[Envelope]]


@dataclass(slots=True)
class _Server:
    """`offered` are tools as the server describes them; `missing` stands for them where the user has to connect."""

    endpoint: Endpoint
    client: httpx.AsyncClient
    session: Session
    offered: Sequence[Json] = ()
    missing: NotConnected | None = None

    async def call(self, name: str, arguments: Arguments) -> Envelope:
        given = {"name": name, "arguments": dict(arguments)}
        match await self.session.request("tools/call", given, seconds=settings(ToolSettings).tool_call_seconds):
            case Success(result):
                # Images are decoded, texts are cut: beside the event loop.
                return await asyncio.to_thread(envelope_of, result)
            case Failure(error):
                return self._failed(error)

    def _failed(self, error: ErrorDetail) -> Envelope:
        if self.endpoint.access.missing is not None:
            return not_connected(self.endpoint.access.missing)
        told = {"tool": self.endpoint.name, "code": error.code.value, "context": error.context}
        logger.warning("tool failed", extra=told, exc_info=error.cause)
        if error.code is ErrorCode.TOOL_ERROR:
            return error_text(f"Error: {error.message}")
        return error_text(_TEXTS.get(error.code, _FAILED))

    async def close(self) -> None:
        await best_effort(
            self.session.close(),
            reason="Nothing of the turn depends on it, and the server ends a session that nobody uses by itself.",
            default=None,
        )
        await self.client.aclose()


@dataclass(frozen=True, slots=True)
class RemoteTools:
    """`close` does not wait: what is left to do is done beside whatever comes next."""

    tools: Sequence[RemoteTool]
    servers: Sequence[_Server]

    def close(self) -> None:
        for server in self.servers:
            background.spawn(server.close(), name="leave a tool server")


class ToolServers:
    def __init__(self, gateway: Gateway, tokens: UserTokens) -> None:
        self._gateway = gateway
        self._tokens = tokens

    @railway
    async def connect(
        self, gateway_ids: Sequence[str], records: Sequence[ToolRecord], user_id: str
    ) -> Result[RemoteTools, ErrorDetail]:
        """All servers at once. One that cannot be reached, or is set up wrongly, fails with the code of what happened
        and a message that names the tool; a user's missing connection does not.

        Nothing but what the turn was given leaves it: every connection and session is of this turn alone.
        """
        wanted = [tool_id.removeprefix(GATEWAY_PREFIX) for tool_id in gateway_ids]
        endpoints = collect(endpoint_of(record, user_id, self._tokens) for record in records).unwrap()
        gateway = (await self._gateway.endpoint()).unwrap() if wanted else None
        if wanted and gateway is None:
            logger.info("tools left out", extra={"kind": "gateway", "count": len(wanted), "tools": bounded(wanted)})
        servers = [_external(endpoint) for endpoint in endpoints]
        if gateway is not None:
            servers.insert(0, _trusted(gateway))
        is_ready = False
        try:
            started = await asyncio.gather(*(_started(server, wanted) for server in servers))
            collect(started).unwrap()
            is_ready = True
        finally:
            if not is_ready:
                RemoteTools((), servers).close()
        return Success(RemoteTools(_tools(servers, wanted, {one.tool_id: one for one in records}), servers))


def _external(endpoint: Endpoint) -> _Server:
    """An administrator has named it: only public places, and those that the deployment allows."""
    allowed = AllowedHosts(settings(ToolSettings).outgoing_allowed_hosts)
    transport = GuardedTransport(httpx.AsyncHTTPTransport(verify=tls_context(), trust_env=False), allowed=allowed)
    return _server(endpoint, httpx.AsyncClient(transport=transport, trust_env=False, timeout=_timeout()))


def _trusted(endpoint: Endpoint) -> _Server:
    """The deployment itself has named it, and may have put it into a network of its own."""
    return _server(endpoint, httpx.AsyncClient(verify=tls_context(), timeout=_timeout()))


def _server(endpoint: Endpoint, client: httpx.AsyncClient) -> _Server:
    return _Server(endpoint, client, Session(client, endpoint))


def _timeout() -> httpx.Timeout:
    """Beside it each request has a bound of its own, with everything that belongs to it."""
    return httpx.Timeout(settings(ToolSettings).tool_call_seconds, connect=_CONNECT_SECONDS)


async def _started(server: _Server, wanted: Sequence[str]) -> Result[None, ErrorDetail]:
    is_gateway = server.endpoint.name == GATEWAY
    seconds = settings(ToolSettings).tool_server_start_seconds
    match await server.session.start(seconds=seconds, wanted=wanted if is_gateway else ()):
        case Success(offered):
            server.offered = offered
            return Success(None)
        case Failure(_) if server.endpoint.access.missing is not None:
            server.missing = server.endpoint.access.missing
            return Success(None)
        case Failure(error):
            return Failure(_naming(server.endpoint.name, error))


def _naming(tool_id: str, error: ErrorDetail) -> ErrorDetail:
    """The failure of a start, for the user."""
    if tool_id == GATEWAY:
        what = "The tools of the gateway"
        advice = "Please try again, or switch them off."
    else:
        what, advice = f"The tool {tool_id}", "Please try again, or switch it off."
    code = ErrorCode.SERVICE_UNAVAILABLE
    match error.code:
        case ErrorCode.TIMEOUT:
            text, code = f"{what} did not answer in time. {advice}", error.code
        case ErrorCode.INTERNAL_ERROR:
            return error.caused_by(error.cause, tool=tool_id)
        case ErrorCode.TOOL_ERROR if error.context.get("http_status") in {"401", "403"}:
            return out_of_reach(tool_id, reason="refused").caused_by(error.cause, **error.context)
        case ErrorCode.TOOL_ERROR | ErrorCode.SERVICE_UNAVAILABLE:
            text = f"{what} cannot be reached. {advice}"
        case _:
            return error
    context = {**error.context, "tool": tool_id, "said": bounded(error.message)}
    return ErrorDetail(code=code, message=text, detail=text).caused_by(error.cause, **context)


def _tools(
    servers: Sequence[_Server], wanted: Sequence[str], records: Mapping[str, ToolRecord]
) -> Sequence[RemoteTool]:
    """What the model is offered, in the order of the servers and of their own lists."""
    described: dict[Owned, tuple[_Server, Json]] = {}
    for server in servers:
        name = server.endpoint.name
        for tool in _of_server(server, wanted, records):
            described[name, tool["name"]] = server, tool
    names = legal_names(list(described))
    found = [_tool(names.get(owned), server, tool) for owned, (server, tool) in described.items()]
    return [tool for tool in found if tool is not None]


def _of_server(server: _Server, wanted: Sequence[str], records: Mapping[str, ToolRecord]) -> Sequence[Json]:
    name = server.endpoint.name
    if server.missing is not None:
        config = records[name].mcp_config
        stand_ins = [tool for tool in dict.fromkeys(config.tools) if tool.strip()] if config is not None else []
        if not stand_ins:
            logger.info("tools left out", extra={"kind": "not connected", "count": 1, "tools": [name]})
        return [{"name": tool, "inputSchema": _NO_ARGUMENTS} for tool in stand_ins]
    if name != GATEWAY:
        return server.offered
    absent = sorted(set(wanted) - {tool["name"] for tool in server.offered})
    if absent:
        logger.info("tools left out", extra={"kind": GATEWAY, "count": len(absent), "tools": bounded(absent)})
    return [tool for tool in server.offered if tool["name"] in wanted]


def _tool(name: str | None, server: _Server, tool: Json) -> RemoteTool | None:
    original = tool["name"]
    schema = acceptable(tool.get("inputSchema"))
    if name is None or schema is None:
        left_out = {"server": server.endpoint.name, "tool": bounded(original)}
        logger.warning("a tool that no model can be offered is left out", extra=left_out)
        return None
    said = tool.get("description")
    description = said.strip()[:MAX_DESCRIPTION] if isinstance(said, str) else ""
    missing = server.missing
    if missing is not None:

        async def stand_in(_: Arguments) -> Envelope:
            return not_connected(missing)

        return RemoteTool(
            name, f"{original}: needs the user's connection to {missing.provider_name}.", schema, stand_in
        )

    async def run(arguments: Arguments) -> Envelope:
        return await server.call(original, arguments)

    return RemoteTool(name, description or f"The tool {original}.", schema, run)
