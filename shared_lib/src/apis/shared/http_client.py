"""Outgoing HTTP: the edge to identity providers and other services that speak HTTP.

Proxies and certificates come from the standard variables (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`,
`SSL_CERT_FILE`, `SSL_CERT_DIR`). Redirects are not followed, so that no credential travels to another place. Cookies
are not kept.
"""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from apis.shared.errors import ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_async, railway

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer with a status below 500 other than 429; what a 3xx or 4xx means is the caller's to say."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def parse[M: BaseModel](self, model: type[M]) -> Result[M, ErrorDetail]:
        """The JSON body as `model`; a body that does not fit is `service_unavailable`, and is never logged."""
        return attempt(model.model_validate_json, self.body, errors=_UNUSABLE_ANSWER)


class HttpClient:
    """The connections to one kind of service: made on first use, shared by the whole process.

    A connection that cannot be made and a 429 or 5xx answer fail with `service_unavailable`; no complete answer
    within `deadline_seconds`, everything included, is `timeout`; unusable proxy or certificate settings are
    `internal_error`.
    """

    def __init__(self, service: str, *, deadline_seconds: float, max_response_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._service = service
        self._deadline_seconds = deadline_seconds
        self._max_response_bytes = max_response_bytes
        self._lock = threading.Lock()
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Result[HttpResponse, ErrorDetail]:
        return await self._request("GET", url, headers=headers)

    async def post_form(
        self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None
    ) -> Result[HttpResponse, ErrorDetail]:
        """Sent once: a code or a refresh token may be used up although no answer came."""
        return await self._request("POST", url, form=form, headers=headers)

    async def post_json(
        self, url: str, value: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Result[HttpResponse, ErrorDetail]:
        return await self._request("POST", url, value=value, headers=headers)

    async def aclose(self) -> None:
        """Close idle connections; the next request makes new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @railway
    async def _request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        value: Mapping[str, Any] | None = None,  # Any: JSON
        headers: Mapping[str, str] | None = None,
    ) -> Result[HttpResponse, ErrorDetail]:
        client = (await self._connected()).unwrap()
        content = {"data": form, "json": value, "headers": headers}
        answer = await attempt_async(self._exchange, client, method, url, content, errors=self._errors())
        return answer.unwrap()

    async def _exchange(
        self, client: "httpx.AsyncClient", method: str, url: str, content: Mapping[str, Any]
    ) -> Result[HttpResponse, ErrorDetail]:
        body = bytearray()
        # The client's own timeouts start anew with every chunk; this one bounds the whole exchange.
        async with asyncio.timeout(self._deadline_seconds), client.stream(method, url, **content) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_response_bytes:
                    return Failure(service_unavailable(None, http_service=self._service, reason="answer too large"))
        status = response.status_code
        if status >= 500 or status == 429:
            error = service_unavailable(None, http_service=self._service, http_status=str(status))
            return Failure(error.with_recovery(recoverable=True, retry_after=_seconds(response.headers)))
        return Success(HttpResponse(status, response.headers, bytes(body)))

    async def _connected(self) -> "Result[httpx.AsyncClient, ErrorDetail]":
        loop = asyncio.get_running_loop()
        client = self._client
        if client is not None and self._loop is loop:
            return Success(client)
        # Importing the library and reading the certificates take a third of a second: not on the event loop.
        return await asyncio.to_thread(self._connect, loop)

    def _connect(self, loop: asyncio.AbstractEventLoop) -> "Result[httpx.AsyncClient, ErrorDetail]":
        from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - lazy: as below

        import httpx  # noqa: PLC0415 - lazy: stays out of the start

        def make() -> httpx.AsyncClient:
            with self._lock:
                # A connection belongs to its event loop; a process that serves has exactly one.
                if self._client is None or self._loop is not loop:
                    timeout = httpx.Timeout(self._deadline_seconds, connect=CONNECT_TIMEOUT_SECONDS)
                    self._client = httpx.AsyncClient(
                        timeout=timeout,
                        headers={"Accept-Encoding": "identity"},
                        # The exchanges are those of different users.
                        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                    )
                    self._loop = loop
                return self._client

        unusable = self._misconfigured
        return attempt(
            make, errors=ErrorTable.of((OSError, unusable), (ValueError, unusable), (httpx.InvalidURL, unusable))
        )

    def _errors(self) -> ErrorTable:
        import httpx  # noqa: PLC0415 - lazy: stays out of the start

        def late(error: Exception) -> ErrorDetail:
            return timed_out(error, http_service=self._service)

        def unreachable(error: Exception) -> ErrorDetail:
            return service_unavailable(error, http_service=self._service)

        return ErrorTable.of(
            (TimeoutError, late),
            (httpx.TimeoutException, late),
            (httpx.InvalidURL, self._misconfigured),
            (httpx.UnsupportedProtocol, self._misconfigured),
            (httpx.RequestError, unreachable),
        )

    def _misconfigured(self, error: Exception) -> ErrorDetail:
        return internal_error(error, http_service=self._service)


def _seconds(headers: Mapping[str, str]) -> int | None:
    wait = headers.get("Retry-After", "")
    return int(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 6 else None


def _unusable(error: ValidationError) -> ErrorDetail:
    # The exception's own text quotes the answer, which may hold tokens.
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['type']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    )
    return service_unavailable(ValueError(f"unusable answer: {problems}"))


_UNUSABLE_ANSWER = ErrorTable.of((ValidationError, _unusable))
