"""Where a request may go that somebody outside of this deployment has named: public addresses only.

What counts is the address that the connection goes to, never how the host was written.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

if TYPE_CHECKING:
    import httpx

MAX_URL_LENGTH = 8_192
WEB_PORTS = frozenset({80, 443, 8080, 8443})

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What the tables of the standard library call global although it leads back inside, or nowhere.
_INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "168.63.129.16/32",
        "::/96",
        "64:ff9b:1::/48",
        "2001::/23",
        "fec0::/10",
    )
)
_EMBEDDING = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether anybody on the Internet could reach it: not private, loopback, link-local, of a carrier or cloud, nor
    an IPv6 form of such an address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _EMBEDDING:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.scope_id is not None:
            return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _INSIDE)


NOT_HTTP = bad_request("The address must begin with http:// or https://.")
NOT_AN_ADDRESS = bad_request("This is not an address of a web page.")
WITH_CREDENTIALS = bad_request("The address must not hold a user name or password.")
OTHER_PORT = bad_request("The port of the address is not allowed.")
NOT_PUBLIC = bad_request("The address is not public.")
UNKNOWN_HOST = bad_request("The host of the address is not known.")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Hosts that are reached wherever they are, at any port: by name and, where one is given, by port."""

    names: Collection[str] = ()

    def holds(self, url: "httpx.URL") -> bool:
        host = ascii_host(url)
        return host in self.names or f"{host}:{url.port or _default_port(url)}" in self.names


@railway
def web_url(text: str, *, ports: Collection[int] | None = WEB_PORTS) -> Result["httpx.URL", ErrorDetail]:
    """`text` as the client will read it, so that what is checked is where the request goes. `ports` None: any.

    Fails with `bad_request`.
    """
    import httpx  # noqa: PLC0415 - lazy: stays out of the start

    if len(text) > MAX_URL_LENGTH or not text.isprintable() or " " in text or "\\" in text:
        return Failure(NOT_AN_ADDRESS)
    errors = ErrorTable.of((httpx.InvalidURL, lambda _: NOT_AN_ADDRESS), (ValueError, lambda _: NOT_AN_ADDRESS))
    url = attempt(httpx.URL, text, errors=errors).unwrap()
    # Asking for the host decodes it, which may fail too.
    host = attempt(lambda: url.host, errors=errors).unwrap()
    if url.scheme not in {"http", "https"}:
        return Failure(NOT_HTTP)
    if not host:
        return Failure(NOT_AN_ADDRESS)
    if url.userinfo:
        return Failure(WITH_CREDENTIALS)
    if ports is not None and (url.port or _default_port(url)) not in ports:
        return Failure(OTHER_PORT)
    return Success(url)


def ascii_host(url: "httpx.URL") -> str:
    """As it is resolved and sent."""
    return url.raw_host.decode("ascii")


def _default_port(url: "httpx.URL") -> int:
    return 443 if url.scheme == "https" else 80
