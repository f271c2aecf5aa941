"""What ties the way back from a provider to the browser that the connection was begun in.

A cookie for each connection that is under way, so that several tabs do not disturb each other. A browser that keeps
none (the web client begins with a request across origins) is not refused; one that keeps only those of others is.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.responses import Response

from apis.shared.auth.state_store import STATE_SECONDS

_PREFIX = "oauth_flow_"
_NAME = re.compile(r"oauth_flow_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class FlowCookie:
    """Holds a hash of the state; the browser sends it to the callback only."""

    name: str = field(repr=False)
    value: str = field(repr=False)
    path: str
    secure: bool

    @classmethod
    def of(cls, state: str, callback_url: str) -> "FlowCookie":
        digest = hashlib.sha256(state.encode()).hexdigest()
        callback = urlsplit(callback_url)
        return cls(f"{_PREFIX}{digest[:16]}", digest, callback.path or "/", callback.scheme != "http")

    def give(self, response: Response) -> None:
        response.set_cookie(
            self.name,
            self.value,
            max_age=STATE_SECONDS,
            path=self.path,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def take_back(self, response: Response) -> None:
        response.delete_cookie(self.name, path=self.path, secure=self.secure, httponly=True, samesite="lax")

    def is_missing_among(self, cookies: Mapping[str, str]) -> bool:
        """Whether this browser is known to have begun others, and not this one."""
        flows = {name: value for name, value in cookies.items() if _NAME.fullmatch(name)}
        return bool(flows) and flows.get(self.name) != self.value
