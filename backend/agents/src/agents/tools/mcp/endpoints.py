"""Where the tools of a turn are, and how each of these places is entered."""

import re

from agents.outgoing.addresses import AllowedHosts, web_url
from agents.tools.mcp.access import Access, Anonymous, OnBehalf, Signed
from agents.tools.mcp.connections import UserTokens
from agents.tools.mcp.session import Endpoint
from apis.shared.aws.client import gateway_ssm
from apis.shared.aws.parameters import first_parameter
from apis.shared.aws.request_signing import RequestSigner
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import AwsSettings, ChatSettings, ToolSettings, settings
from apis.shared.tools.models import McpConfig, ToolRecord
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

GATEWAY = "gateway"
GATEWAY_SERVICE = "bedrock-agentcore"
GATEWAY_PARAMETER = "/strands-agent-chatbot/dev/mcp/gateway-url"
GATEWAY_TTL_SECONDS = 300.0
DEFAULT_REGION = "us-west-2"

# Host of a URL -> service that it is signed for, and its region.
_SIGNED_FOR = (
    (re.compile(r"[^.]+\.lambda-url\.([a-z0-9-]+)\.on\.aws"), "lambda"),
    (re.compile(r"[^.]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com"), "execute-api"),
    (re.compile(r"(?:.+\.)?bedrock-agentcore\.([a-z0-9-]+)\.amazonaws\.com"), "bedrock-agentcore"),
)


def out_of_reach(tool_id: str, *, reason: str) -> ErrorDetail:
    """The tool is set up in a way that cannot work; `reason` is for the operator."""
    text = f"The tool {tool_id} cannot be reached. Please switch it off and try again."
    return ErrorDetail(code=ErrorCode.TOOL_ERROR, message=text, detail=text).caused_by(
        None, tool=tool_id, reason=reason
    )


@railway
def endpoint_of(record: ToolRecord, user_id: str, tokens: UserTokens) -> Result[Endpoint, ErrorDetail]:
    """The server of an external tool. Fails with `tool_error`, naming the tool, for what cannot be entered as it is
    set up: nothing is ever asked without the credentials that it is set up with."""
    config = record.mcp_config
    if config is None or not config.server_url.strip():
        return Failure(out_of_reach(record.tool_id, reason="no server"))
    if config.transport != "streamable-http":
        return Failure(out_of_reach(record.tool_id, reason="transport"))
    url = config.server_url.strip()
    parsed = web_url(url, ports=None).alt(lambda error: out_of_reach(record.tool_id, reason=error.message)).unwrap()
    if record.requires_oauth_provider:
        allowed = AllowedHosts(settings(ToolSettings).outgoing_allowed_hosts)
        if parsed.scheme != "https" and not allowed.holds(parsed):
            return Failure(out_of_reach(record.tool_id, reason="a user's token would travel in the clear"))
        return Success(Endpoint(record.tool_id, url, OnBehalf(tokens, user_id, record.requires_oauth_provider)))
    access = _access(config, parsed.host)
    if access is None:
        return Failure(out_of_reach(record.tool_id, reason="kind of authentication"))
    return Success(Endpoint(record.tool_id, url, access))


def _access(config: McpConfig, host: str) -> Access | None:
    match config.auth_type:
        case "none":
            return Anonymous()
        case "aws-iam":
            service, region = signed_for(host)
            return Signed(RequestSigner(service=service, region=config.aws_region or region or DEFAULT_REGION))
        case _:
            return None


def signed_for(host: str) -> tuple[str, str | None]:
    """The service and the region that requests to this host are signed for."""
    for pattern, service in _SIGNED_FOR:
        if found := pattern.fullmatch(host.lower()):
            return service, found.group(1)
    return "lambda", None


class Gateway:
    """The deployment's own gateway to tools."""

    def __init__(self) -> None:
        self._kept: TtlCache[None, str] = TtlCache(GATEWAY_TTL_SECONDS)

    @railway
    async def endpoint(self) -> Result[Endpoint | None, ErrorDetail]:
        """None where there is none, or it is switched off."""
        chat = settings(ChatSettings)
        if not chat.agentcore_gateway_mcp_enabled:
            return Success(None)
        url = chat.gateway_url or (await self._stored()).unwrap()
        if not url:
            return Success(None)
        parsed = web_url(url, ports=None).alt(_misconfigured).unwrap()
        _, region = signed_for(parsed.host)
        signer = RequestSigner(service=GATEWAY_SERVICE, region=region or settings(AwsSettings).region)
        return Success(Endpoint(GATEWAY, url, Signed(signer)))

    async def _stored(self) -> Result[str, ErrorDetail]:
        """Blank where a deployment has written none, which is kept as long as an address."""

        async def read() -> Result[str, ErrorDetail]:
            found = await first_parameter((GATEWAY_PARAMETER,), gateway_ssm)
            return found.map(lambda url: url or "")

        return await self._kept.get_or_read(None, read)


def _misconfigured(error: ErrorDetail) -> ErrorDetail:
    text = "An internal error occurred. Please contact your administrator."
    return ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message=text).caused_by(
        None, variable="GATEWAY_URL", reason=error.message
    )


@once
def get_gateway() -> Gateway:
    return Gateway()
