"""What tools need to know of a user's connections to other services, and what they say without one."""

from typing import Any, Protocol

from agents.tools.results import Envelope
from apis.shared.errors import ErrorDetail
from apis.shared.oauth.models import NotConnected, TokenOutcome
from apis.shared.result import Result


class UserTokens(Protocol):
    """The token service. Fails where it cannot say whether there is a connection."""

    async def access_token(
        self, user_id: str, provider_id: str, *, instead_of: str | None = None
    ) -> Result[TokenOutcome, ErrorDetail]:
        """`instead_of` is a token that a server has refused."""
        ...

    async def to_reconnect(self, user_id: str, provider_id: str) -> Result[NotConnected, ErrorDetail]:
        """For a user whose renewed token was refused, too."""
        ...


def not_connected(missing: NotConnected) -> Envelope:
    """A text for the model, and members for clients."""
    name, address = missing.provider_name, missing.connect_url
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
