"""Turns with a tool that acts in the user's name: with the real token service, at a provider on loopback."""

import asyncio
import base64
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import Response

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, answer, tool_call
from tests.support.oauth_server import Answer as Told
from tests.support.oauth_server import answer as provider_says
from tests.support.oauth_server import granted, refused
from tests.support.platform import Answer, Platform, User
from tests.support.stored.oauth import OAUTH_TOKENS
from tests.support.tool_server import Heard, ToolServer, called, events, result, text

TOOL = "connected_read"
PAST = 1_700_000_000
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    platform: Platform
    provider_id: str
    users: tuple[User, User]

    def connect(self, user: User, token: str = "AT1", refresh_token: str = "RT1", **attributes: Any) -> None:
        tokens = {
            "accessTokenEncrypted": self._encrypted(token),
            "refreshTokenEncrypted": self._encrypted(refresh_token),
        }
        self.platform.store(stored.oauth_connection(user.user_id, self.provider_id, **tokens, **attributes))

    def _encrypted(self, token: str) -> str:
        key = self.platform.variables["OAUTH_TOKEN_ENCRYPTION_KEY_ARN"]
        blob = self.platform.boto("kms").encrypt(KeyId=key, Plaintext=token.encode())["CiphertextBlob"]
        return base64.b64encode(blob).decode()

    def decrypted(self, stored_token: str) -> str:
        blob = base64.b64decode(stored_token)
        return str(self.platform.boto("kms").decrypt(CiphertextBlob=blob)["Plaintext"].decode())

    def grants(self, told: Told) -> None:
        self.platform.oauth.answers[f"/{self.provider_id}/token"] = told

    @property
    def refreshes(self) -> list[dict[str, str]]:
        return [request.form for request in self.platform.oauth.of(f"/{self.provider_id}/token")]

    def row(self, user: User) -> dict[str, Any]:
        return self.platform.item(OAUTH_TOKENS, f"USER#{user.user_id}", f"PROVIDER#{self.provider_id}")

    async def turn(self, user: User, session_id: str) -> Answer:
        return await self.platform.chat(
            session_id, "read it", user=user, model_id="unmanaged", provider="openai", enabled_tools=[TOOL]
        )


@pytest.fixture
async def world(tables: Platform, one_tool_server: ToolServer) -> World:
    """Two users who may use the tool, and a provider that nobody is connected with yet."""
    number = next(_numbers)
    provider_id = f"connected-{number}"
    admin = tables.sign_in("111111111", "Admin", "Staff")
    body = {
        "provider_id": provider_id,
        "display_name": "My Drive",
        "provider_type": "custom",
        "authorization_endpoint": "https://p.example/authorize",
        "token_endpoint": "https://p.example/token",
        "client_id": "cid",
        "client_secret": "SEC",
        "scopes": [],
        "allowed_roles": [],
    }
    made = await tables.ask(admin, "POST", "/admin/oauth-providers/", body)
    assert made.status_code == 201, made.text
    tables.store(
        stored.oauth_provider(provider_id, f"{tables.oauth.url}/{provider_id}", displayName="My Drive"),
        stored.tool(
            TOOL,
            protocol="mcp_external",
            mcpConfig={"serverUrl": one_tool_server.url, "tools": ["echo"]},
            requiresOauthProvider=provider_id,
        ),
        *stored.role("connected", "Connected", enabled=True, **stored.granting(TOOL)),
    )
    await tables.inference_api.steer("forget")
    first, second = (tables.sign_in(f"{number:03}00008{n}", "Staff", "Connected") for n in range(2))
    return World(tables, provider_id, (first, second))


def result_of(turn: Answer) -> dict[str, Any]:
    """Of the one tool, in a turn that went on."""
    (event,) = turn.of("tool_result")
    assert turn.failure is None
    told: dict[str, Any] = event["tool_result"]
    return told


def authorizations(server: ToolServer) -> set[str]:
    return {one.headers.get("authorization", "") for one in server.requests}


async def test_an_expired_token_is_renewed_within_the_turn(
    world: World, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """Acceptance example 9, from the turn's side: once for all requests, and stored before it is used."""
    (user, _) = world.users
    world.connect(user, expiresAt=PAST)
    world.grants(granted("AT2", "RT2"))
    model.script(tool_call(("t1", "echo", {"text": "x"})), answer("Read."))
    turn = await world.turn(user, session_id)
    assert result_of(turn)["content"] == [{"text": "again: x"}]
    assert world.refreshes == [{"grant_type": "refresh_token", "refresh_token": "RT1"}]
    assert authorizations(server) == {"Bearer AT2"}
    row = world.row(user)
    assert (world.decrypted(row["accessTokenEncrypted"]), row["status"]) == ("AT2", "connected")
    assert "AT2" not in turn.visible
    records = world.platform.records(turn.request_id)
    assert not [record for record in records if "AT2" in str(record) or "RT" in str(record)]


async def test_a_token_that_the_server_does_not_take_is_renewed_once(
    world: World, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """M10, with the real token service: the second refusal is told by the name that the provider is known by."""
    (user, _) = world.users
    world.connect(user)
    world.grants(granted("AT2", "RT2"))
    server.replies["tools/call"] = lambda _: Response(status_code=401)
    model.script(tool_call(("t1", "echo", {})), answer("Read."))
    told = result_of(await world.turn(user, session_id))
    assert [one.headers["authorization"] for one in server.of("tools/call")] == ["Bearer AT1", "Bearer AT2"]
    assert len(world.refreshes) == 1
    assert told["status"] == "error"
    assert "The connection to My Drive has expired" in told["content"][0]["text"]
    assert (told["content"][1]["json"]["provider_name"], told["content"][1]["json"]["needs_reauth"]) == (
        "My Drive",
        True,
    )


@pytest.mark.parametrize(
    ("said", "needs_reauth", "failure"),
    [
        pytest.param(refused(), True, None, id="F-OAUTH-20 revoked grant"),
        pytest.param(provider_says({}, 503), None, "service_unavailable", id="F-OAUTH-21 outage"),
        pytest.param(refused("invalid_client", 401), None, "internal_error", id="T7 our own secret"),
    ],
)
async def test_a_token_that_cannot_be_renewed(
    world: World,
    server: ToolServer,
    model: ModelServer,
    session_id: str,
    said: Told,
    needs_reauth: bool | None,
    failure: str | None,
) -> None:
    """F-AGT-15, F-OAUTH-37: the user is told to connect anew, or the turn fails; the server is never asked."""
    (user, _) = world.users
    world.connect(user, expiresAt=PAST)
    world.grants(said)
    model.script(tool_call(("t1", "echo", {})), answer("Read."))
    turn = await world.turn(user, session_id)
    assert not server.requests
    if failure is None:
        assert result_of(turn)["content"][1]["json"]["needs_reauth"] is needs_reauth
        assert world.row(user)["status"] == "expired"
    else:
        assert turn.error["code"] == failure
        assert not model.calls
        assert world.row(user)["status"] == "connected"


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ACCESS_DENIED])
async def test_f_agt_15_a_connection_that_cannot_be_read(
    world: World, server: ToolServer, model: ModelServer, session_id: str, kind: FaultKind
) -> None:
    """It is a failure of the turn, and never a request without the user's token."""
    (user, _) = world.users
    world.connect(user)
    with world.platform.proxy.injecting(Fault(kind, operation="GetItem", containing=f"PROVIDER#{world.provider_id}")):
        turn = await world.turn(user, session_id)
    assert turn.error["code"] == ("service_unavailable" if kind is FaultKind.THROTTLED else "internal_error")
    assert not server.requests
    assert not model.calls


async def test_m14_two_users_at_once_at_one_server(
    world: World, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    """Each request bears the token of the user whose session it is in."""
    sessions = itertools.count(1)
    for user, token in zip(world.users, ("ATA", "ATB"), strict=True):
        world.connect(user, token)

    def opened(heard: Heard) -> Response:
        agreed = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        return result(heard, agreed, {"mcp-session-id": f"session-{next(sessions)}"})

    def slowly(heard: Heard) -> Response:
        said = heard.headers["authorization"].removeprefix("Bearer ")
        return events(0.1, f"data: {result(heard, called(text(said))(heard)).body.decode()}\n\n")  # type: ignore[union-attr,arg-type]  # a JSON response

    server.replies |= {"initialize": opened, "tools/call": slowly}
    model.script(*(tool_call((f"t{n}", "echo", {})) for n in range(2)), answer("Read."), answer("Read."))
    turns = await asyncio.gather(*(world.turn(user, f"{session_id}-{n}") for n, user in enumerate(world.users)))
    assert [result_of(turn)["content"] for turn in turns] == [[{"text": "ATA"}], [{"text": "ATB"}]]
    bearers: dict[str, set[str]] = {}
    for one in server.requests:
        if session := one.headers.get("mcp-session-id"):
            bearers.setdefault(session, set()).add(one.headers["authorization"])
    assert sorted(map(sorted, bearers.values())) == [["Bearer ATA"], ["Bearer ATB"]]


async def test_m14_after_a_disconnect_nothing_is_asked_with_the_token(
    world: World, server: ToolServer, model: ModelServer, session_id: str
) -> None:
    (user, _) = world.users
    world.connect(user)
    model.script(tool_call(("t1", "echo", {})), answer("Read."))
    assert result_of(await world.turn(user, session_id))["status"] == "success"
    gone = await world.platform.ask(user, "DELETE", f"/oauth/connections/{world.provider_id}")
    assert gone.status_code == 204
    # As another process, which has kept no token.
    await world.platform.inference_api.steer("forget")
    server.requests.clear()
    model.script(tool_call(("t2", "echo", {})), answer("Read."))
    told = result_of(await world.turn(user, f"{session_id}-after"))
    assert told["content"][1]["json"]["needs_reauth"] is False
    assert not server.requests
