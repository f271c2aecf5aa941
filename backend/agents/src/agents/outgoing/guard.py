"""An httpx transport that connects to public addresses only, and to those that it has checked.

Host names are resolved here, once for each request, and the connection goes to an address of that answer: a name that
answers differently at the second question gains nothing. Every redirect is a request of its own. TLS and the `Host`
header keep the name. Proxies of the environment are not used, because a proxy would resolve the name again.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from agents.outgoing.addresses import NOT_PUBLIC, UNKNOWN_HOST, Address, AllowedHosts, ascii_host, is_public
from apis.shared.errors import ErrorDetail, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt_async, fold
from apis.shared.wiring import once

MOST_ADDRESSES = 4
LOOKUPS_AT_ONCE = 8

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host, as text. Raises OSError."""


class Refused(httpx.ConnectError):
    """The request was not sent."""

    def __init__(self, error: ErrorDetail, request: httpx.Request) -> None:
        super().__init__(error.message, request=request)
        self.error = error


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says. It waits for the servers of whoever owns the name, so it has threads of its own:
    names that are never answered hold up nothing but other names."""

    def ask() -> Sequence[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    return await asyncio.get_running_loop().run_in_executor(_lookups(), ask)


@once
def _lookups() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="resolve")


class GuardedTransport(httpx.AsyncBaseTransport):
    """`inner` makes the connections. Raises `Refused` before anything is sent."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, allowed: AllowedHosts, resolve: Resolve = resolve) -> None:
        self._inner = inner
        self._allowed = allowed
        self._resolve = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._allowed.holds(request.url):
            return await self._inner.handle_async_request(request)
        addresses = fold(
            await self._public_addresses(request.url),
            success=lambda found: (found, None),
            failure=lambda error: ((), error),
        )
        return await self._first_reachable(request, *addresses)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _public_addresses(self, url: httpx.URL) -> Result[Sequence[Address], ErrorDetail]:
        """All of them have to be public: which one would be used is nobody's choice but the network's."""
        port = url.port or (443 if url.scheme == "https" else 80)
        named = await attempt_async(self._resolve, ascii_host(url), port, errors=_UNKNOWN)
        return named.bind(_checked)

    async def _first_reachable(
        self, request: httpx.Request, addresses: Sequence[Address], error: ErrorDetail | None
    ) -> httpx.Response:
        if error is not None:
            raise Refused(error, request)
        *others, last = addresses[:MOST_ADDRESSES]
        for address in others:
            # Nothing is sent where no connection is made, so that the next address may be tried.
            match await attempt_async(self._inner.handle_async_request, _at(request, address), errors=_NOT_CONNECTED):
                case Success(response):
                    return response
        return await self._inner.handle_async_request(_at(request, last))


def _checked(texts: Sequence[str]) -> Result[Sequence[Address], ErrorDetail]:
    addresses = [ipaddress.ip_address(text) for text in texts]
    if not addresses:
        return Failure(UNKNOWN_HOST)
    return Success(addresses) if all(map(is_public, addresses)) else Failure(NOT_PUBLIC)


def _at(request: httpx.Request, address: Address) -> httpx.Request:
    """The same request, sent there. Its `Host` header is there already."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": ascii_host(request.url)},
    )


_UNKNOWN = ErrorTable.of((OSError, lambda _: UNKNOWN_HOST), (UnicodeError, lambda _: UNKNOWN_HOST))
_NOT_CONNECTED = ErrorTable.of((httpx.ConnectTimeout, timed_out), (httpx.ConnectError, service_unavailable))
