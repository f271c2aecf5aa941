"""Where the browser may be sent when it comes back from a provider, and with what."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from apis.shared.errors import bad_request
from apis.shared.result import ErrorTable, attempt

_DEFAULT_PORTS = {"https": 443, "http": 80}
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
# Browsers read a backslash as a slash, and leave tabs and line ends out, where Python's parser does not.
_PLAIN = re.compile(r"[!-\[\]-~]+")

type _Origin = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True)
class ReturnUrls:
    """`default` is where a browser goes whose own place is not known; `origins` are those of the web clients."""

    default: str
    origins: frozenset[_Origin]

    @classmethod
    def of(cls, frontend_url: str, origins: Iterable[str]) -> "ReturnUrls":
        known = (_origin(url) for url in (frontend_url, *origins))
        return cls(f"{frontend_url}/settings/oauth/callback", frozenset(one for one in known if one is not None))

    def allows(self, url: str) -> bool:
        """An absolute address of a web client: `https`, or `http` on this machine; no user, no fragment."""
        if "#" in url:
            return False
        origin = _origin(url)
        return origin is not None and origin in self.origins

    def chosen(self, url: str | None) -> str:
        """`url` if it is allowed, else the default."""
        return url if url and self.allows(url) else self.default


def with_parameters(base: str, parameters: Mapping[str, str]) -> str:
    """As forms are encoded."""
    return f"{base}{'&' if '?' in base else '?'}{urlencode(parameters)}"


def authorization_url(endpoint: str, parameters: Mapping[str, str]) -> str:
    """The endpoint may have a query of its own. A blank is `%20`, which every provider understands."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters, quote_via=quote, safe='')}"


def is_endpoint(url: str, *, may_be_plain: bool) -> bool:
    """Whether a client secret may be sent to this address of a provider: `https`, with a host, without a user. Plain
    `http` only where `may_be_plain`."""
    parts = _parts(url)
    schemes = {"https", "http"} if may_be_plain else {"https"}
    return parts is not None and parts.scheme in schemes and not parts.fragment


def _origin(url: str) -> _Origin | None:
    parts = _parts(url)
    if parts is None or parts.hostname is None:
        return None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        return None
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def _parts(url: str) -> SplitResult | None:
    """None for what is no absolute address with a host, or has a user."""
    if not _PLAIN.fullmatch(url):
        return None
    return attempt(_split, url, errors=_NO_ADDRESS).value_or(None)


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    # Looking at the port raises for one that is no number.
    if not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError
    return parts


_NO_ADDRESS = ErrorTable.of((ValueError, lambda _: bad_request("This is no address.")))
