"""What tools need to know of a user's connections to other services: a token, or that there is none."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.tools.results import Envelope
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success
from apis.shared.settings import ToolSettings, settings


@dataclass(frozen=True, slots=True)
class UserToken:
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoConnection:
    """A user without a usable connection, which is no failure. `needs_reauth` where there was one before."""

    provider_id: str
    provider_name: str
    needs_reauth: bool = False


class UserTokens(Protocol):
    """The token service. Fails where it cannot say whether there is a connection."""

    async def token(self, user_id: str, provider_id: str) -> Result[UserToken | NoConnection, ErrorDetail]: ...

    async def renewed(
        self, user_id: str, provider_id: str, refused: UserToken
    ) -> Result[UserToken | NoConnection, ErrorDetail]:
        """Another token after a server has refused this one."""
        ...


class NoConnections:
    """Where no connections are configured, nobody has one."""

    async def token(self, _: str, provider_id: str) -> Result[UserToken | NoConnection, ErrorDetail]:
        return Success(NoConnection(provider_id, provider_id))

    async def renewed(self, _: str, provider_id: str, __: UserToken) -> Result[UserToken | NoConnection, ErrorDetail]:
        return Success(NoConnection(provider_id, provider_id, needs_reauth=True))


def not_connected(missing: NoConnection) -> Envelope:
    """What a tool answers that needs the connection: a text for the model, and members for clients."""
    address = f"{settings(ToolSettings).frontend_url.rstrip('/')}/settings/connections"
    name = missing.provider_name
    if missing.needs_reauth:
        text = (
            f"**The connection to {name} has expired.** This tool cannot be used until the user has authorised it "
            f"again: [renew the connection]({address})."
        )
    else:
        text = (
            f"**{name} is not connected.** This tool needs the user's own {name} account: "
            f"[connect it in the settings]({address}) and ask again."
        )
    told: dict[str, Any] = {
        "status": "not_connected",
        "error": f"{name} is not connected.",
        "requires_oauth": True,
        "provider_id": missing.provider_id,
        "provider_name": name,
        "connect_url": address,
        "needs_reauth": missing.needs_reauth,
    }
    return {"status": "error", "content": [{"text": text}, {"json": told}]}
