"""Fetching what a user or a model names: bounded in time, size and redirects, and only from public places."""

import asyncio
import ssl
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from agents.outgoing.addresses import AllowedHosts, web_url
from agents.outgoing.guard import GuardedTransport, Refused, Resolve, resolve
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_async, railway
from apis.shared.wiring import once

MAX_BYTES = 10 * 1024 * 1024
MAX_REDIRECTS = 5
DEADLINE_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_MAX_ENCODINGS = 3

TOO_LARGE = bad_request(f"The page is larger than {MAX_BYTES // 1024 // 1024} MB.")
TOO_SLOW = timed_out().model_copy(update={"message": "The page did not come in time."})
TOO_MANY_REDIRECTS = bad_request(f"The page redirects more than {MAX_REDIRECTS} times.")
UNREADABLE = bad_request("The page is encoded in a way that cannot be read.")
UNREACHABLE = service_unavailable().model_copy(update={"message": "The page cannot be reached."})


@dataclass(frozen=True, slots=True)
class Page:
    """Whatever the status. `url` is the last one, `body` is decoded but for its charset."""

    url: str
    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageLimits:
    seconds: float = DEADLINE_SECONDS
    size: int = MAX_BYTES


class PageFetcher:
    """Keeps no connection, no cookie, and follows no proxy of the environment."""

    def __init__(self, *, allowed: AllowedHosts, resolve: Resolve = resolve, limits: PageLimits | None = None) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._limits = limits or PageLimits()

    @railway
    async def fetch(self, url: str) -> Result[Page, ErrorDetail]:
        """Fails with `bad_request` for what cannot be asked for, and `service_unavailable` or `timeout`; the message
        says what is wrong."""
        return (await attempt_async(self._within_time, url, errors=_ERRORS)).unwrap()

    async def _within_time(self, url: str) -> Result[Page, ErrorDetail]:
        async with asyncio.timeout(self._limits.seconds):
            # Reading the certificates takes a moment.
            context = await asyncio.to_thread(tls_context)
            inner = httpx.AsyncHTTPTransport(
                verify=context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
            )
            guarded = GuardedTransport(inner, allowed=self._allowed, resolve=self._resolve)
            timeout = httpx.Timeout(self._limits.seconds, connect=_CONNECT_SECONDS)
            async with httpx.AsyncClient(
                transport=guarded, trust_env=False, timeout=timeout, headers=_HEADERS
            ) as client:
                return await self._follow(client, url)

    @railway
    async def _follow(self, client: httpx.AsyncClient, url: str) -> Result[Page, ErrorDetail]:
        target = self._permitted(url).unwrap()
        for _ in range(MAX_REDIRECTS + 1):
            client.cookies.clear()
            async with client.stream("GET", target) as response:
                location = response.headers.get("location")
                if not response.has_redirect_location or location is None:
                    return await self._read(response)
                target = self._permitted(str(target.join(location))).unwrap()
        return Failure(TOO_MANY_REDIRECTS)

    def _permitted(self, url: str) -> Result[httpx.URL, ErrorDetail]:
        return web_url(url, ports=None).bind(
            lambda found: Success(found) if self._allowed.holds(found) else web_url(url)
        )

    @railway
    async def _read(self, response: httpx.Response) -> Result[Page, ErrorDetail]:
        raw = bytearray()
        async for chunk in response.aiter_raw():
            raw += chunk
            if len(raw) > self._limits.size:
                return Failure(TOO_LARGE)
        encodings = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
        body = (await asyncio.to_thread(_decoded, bytes(raw), encodings, self._limits.size)).unwrap()
        content_type = response.headers.get("content-type", "")
        return Success(Page(str(response.url), response.status_code, content_type, body))


# Only what is decoded here, with a bound on what comes out.
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; AgentFetcher/1.0)",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,application/json;q=0.9,text/*;q=0.8,*/*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


@once
def tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _decoded(body: bytes, encodings: Sequence[str], most: int) -> Result[bytes, ErrorDetail]:
    applied = [name for name in encodings if name not in {"", "identity"}]
    if len(applied) > _MAX_ENCODINGS or not set(applied) <= {"gzip", "x-gzip", "deflate"}:
        return Failure(UNREADABLE)
    result: Result[bytes, ErrorDetail] = Success(body)
    for _ in applied:
        result = result.bind(lambda data: _inflated(data, most))
    return result


@railway
def _inflated(data: bytes, most: int) -> Result[bytes, ErrorDetail]:
    if not data:
        return Success(b"")
    # With either header, or, as some servers do it, with none.
    for window in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(window)
        inflated = attempt(stream.decompress, data, most + 1, errors=_NOT_DEFLATED).value_or(b"")
        if len(inflated) > most:
            return Failure(TOO_LARGE)
        if stream.eof:
            return Success(inflated)
    return Failure(UNREADABLE)


def _refused(error: Refused) -> ErrorDetail:
    return error.error


_NOT_DEFLATED = ErrorTable.of((zlib.error, lambda _: UNREADABLE))
_ERRORS = ErrorTable.of(
    (Refused, _refused),
    (TimeoutError, lambda _: TOO_SLOW),
    (httpx.TimeoutException, lambda _: TOO_SLOW),
    (httpx.InvalidURL, lambda _: bad_request("The page redirects to something that is no address.")),
    (httpx.RequestError, lambda _: UNREACHABLE),
)
