"""One session of aiohttp: requests are signed, sent, repeated where that is safe, and their answers understood.

Importing this module imports aiohttp, so it happens off the event loop at the first use.
"""

import asyncio
import random
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic_core import from_json
from yarl import URL

from apis.shared.aws.dynamodb.credentials import Credentials
from apis.shared.aws.dynamodb.resolution import Target
from apis.shared.aws.dynamodb.signing import Keys, Signer
from apis.shared.aws.dynamodb.turnstile import Turnstile
from apis.shared.aws.vocabulary import EXPIRED_TOKEN, THROTTLED, Reason, Refusal
from apis.shared.errors import ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_async, railway

CONNECTIONS = 50
# The service closes an idle connection later than that, so that a write meets no closed one.
KEEP_ALIVE_SECONDS = 15.0
# Some ten milliseconds of work.
ANSWERS_PER_TURN = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
_DONE_LATER = frozenset({"TransactionInProgressException"})
_BROKEN_SERVER = frozenset({500, 502, 503, 504})

type Answer = Mapping[str, Any]  # Any: what the operation answers, as JSON


@dataclass(frozen=True, slots=True)
class Call:
    """`repeatable` where doing it twice is the same as doing it once, in the store and in the answer."""

    operation: str
    body: bytes
    repeatable: bool
    lost: ErrorDetail | None


class Refused(Exception):  # noqa: N818 - an answer, which may be an expected one
    """The service answered with an error."""

    def __init__(self, refusal: Refusal, lost: ErrorDetail | None) -> None:
        super().__init__(f"{refusal.operation}: {refusal.status} {refusal.code}: {refusal.message}")
        self.refusal = refusal
        self.lost = lost


class UnintelligibleAnswer(Exception):  # noqa: N818 - what came, not what went wrong
    """An answer that is not the service's: a page of a proxy, for instance."""


class DamagedAnswer(Exception):  # noqa: N818 - as above
    """The body is not the one that its checksum was made of."""


def _late(error: Exception) -> ErrorDetail:
    return timed_out(error, aws_service="dynamodb")


_ERRORS = ErrorTable.of(
    (Refused, lambda error: error.refusal.failure(error, error.lost)),
    (UnintelligibleAnswer, service_unavailable),
    (DamagedAnswer, service_unavailable),
    (aiohttp.ServerTimeoutError, _late),
    (aiohttp.InvalidURL, internal_error),
    (aiohttp.ClientError, service_unavailable),
)
_NO_JSON = ErrorTable.of((ValueError, lambda _: internal_error()))


class Transport:
    """For one event loop: a connection belongs to its loop."""

    def __init__(
        self,
        target: Target,
        credentials: Credentials,
        *,
        attempts: int,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        self._url = URL(target.url, encoded=True)
        self._proxy = target.proxy
        self._attempts = attempts
        self._credentials = credentials
        self._signer = Signer(region=target.region, host=target.host, path=target.path)
        self._turnstile = Turnstile(ANSWERS_PER_TURN)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=target.tls or True
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=read_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Compressing saves bytes within one data centre, and costs the processor that is short here.
            headers={"Accept-Encoding": "identity"},
            skip_auto_headers=("Accept", "User-Agent"),
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._session.close()

    @railway
    async def send(self, call: Call) -> Result[Answer, ErrorDetail]:
        """The answer to one call. Credentials that the service rejects as expired are read anew, once."""
        keys = (await self._credentials.keys()).unwrap()
        answer = await self._attempts_of(call, keys)
        if not _has_expired(answer):
            return answer
        newer = (await self._credentials.instead_of(keys)).unwrap()
        return answer if newer == keys else await self._attempts_of(call, newer)

    async def _attempts_of(self, call: Call, keys: Keys) -> Result[Answer, ErrorDetail]:
        # Tells one call from another in the logs of the service: unique, not unguessable.
        invocation = f"{random.getrandbits(128):032x}"
        number = 1
        while True:
            progress = f"attempt={number}; max={self._attempts}"
            answer = await attempt_async(self._exchange, call, keys, invocation, progress, errors=_ERRORS)
            match answer:
                case Failure(error) if number < self._attempts and _may_repeat(call, error.cause):
                    longest = min(FIRST_PAUSE_SECONDS * 2 ** (number - 1), LONGEST_PAUSE_SECONDS)
                    await asyncio.sleep(random.random() * longest)  # noqa: S311 - jitter, no secret
                    number += 1
                case _:
                    return answer

    async def _exchange(self, call: Call, keys: Keys, invocation: str, progress: str) -> Answer:
        headers = {
            **self._signer.headers(call.operation, call.body, keys, time.time()),
            "amz-sdk-invocation-id": invocation,
            "amz-sdk-request": progress,
        }
        async with self._session.post(
            self._url, data=call.body, headers=headers, proxy=self._proxy, allow_redirects=False
        ) as response:
            content = await response.read()
        await self._turnstile.enter()
        expected = response.headers.get("x-amz-crc32")
        # The checksum is that of the body as it was sent; a compressed one has its own.
        if expected is not None and "Content-Encoding" not in response.headers and str(zlib.crc32(content)) != expected:
            raise DamagedAnswer
        said = _json_object(content)
        if response.status != 200:
            raise _refused(call, response.status, content, said)
        if said is None:
            raise UnintelligibleAnswer
        return said


def _json_object(content: bytes) -> Answer | None:
    match attempt(from_json, content, errors=_NO_JSON):
        case Success(dict() as said):
            return said
        case _:
            return None


def _refused(call: Call, status: int, content: bytes, said: Answer | None) -> Exception:
    if said is None and content.strip() and status < 500 and status != 429:
        return UnintelligibleAnswer()
    said = said or {}
    kind = str(said.get("__type", "")).rpartition("#")[2].partition(":")[0] or str(status)
    message = str(said.get("message") or said.get("Message") or "")
    reasons = said.get("CancellationReasons")
    listed = [_reason(reason) for reason in reasons] if isinstance(reasons, list) else []
    return Refused(Refusal(call.operation, kind, message, status, listed), call.lost)


def _reason(said: object) -> Reason:
    match said:
        case {"Code": str(code), "Message": str(message)}:
            return Reason(code, message)
        case {"Code": str(code)}:
            return Reason(code)
        case _:
            return Reason("None")


def _has_expired(answer: Result[Answer, ErrorDetail]) -> bool:
    match answer:
        case Failure(error):
            return isinstance(error.cause, Refused) and error.cause.refusal.code in EXPIRED_TOKEN
        case _:
            return False


def _may_repeat(call: Call, cause: BaseException | None) -> bool:
    """What botocore's standard mode repeats, unless the call might then be done twice."""
    match cause:
        case Refused(refusal=refusal):
            # A throttled call was not done. After a 5xx answer it may have been.
            if refusal.code in THROTTLED or refusal.code in _DONE_LATER or refusal.status == 429:
                return True
            return call.repeatable and refusal.status in _BROKEN_SERVER
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientHttpProxyError():
            return True  # there was no connection, so nothing was sent
        case aiohttp.ClientError() | DamagedAnswer():
            return call.repeatable
        case _:
            return False
