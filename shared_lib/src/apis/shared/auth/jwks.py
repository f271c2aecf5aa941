"""The signing keys of the identity provider."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from apis.shared.errors import ErrorDetail, service_unavailable, unauthorized
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.lifecycle import background
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, best_effort, railway

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHM = "RS256"
FETCH_DEADLINE_SECONDS = 10.0
SET_LIFETIME_SECONDS = 300.0
UNKNOWN_KEY_PAUSE_SECONDS = 30.0
KEPT_KEYS = 5

type KeySet = Mapping[str, "JsonWebKey"]
"""The RSA signing keys of a provider by `kid`, as published (RFC 7517)."""

type Fetch = Callable[[], Coroutine[Any, Any, Result[KeySet, ErrorDetail]]]  # Any: what a coroutine yields inside

_UNKNOWN_KEY = unauthorized("The access token is not valid.").caused_by(None, check="signing key")


class JsonWebKey(BaseModel):
    kty: str | None = None
    kid: str | None = None
    use: str | None = None
    n: str | None = None
    e: str | None = None


class JsonWebKeySet(BaseModel):
    keys: list[JsonWebKey]


class SigningKeys:
    """Finds a key by its `kid`, with as few fetches as rotation allows.

    A fetched set is used for 300 seconds, and on after that while it cannot be renewed. A `kid` that the set does not
    have causes one more fetch, at most every 30 seconds. The five keys used last are kept beyond that. There is one
    fetch at a time, which all callers share; a failed one leaves nothing behind, so the next caller tries again.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._set: KeySet = {}
        self._fresh_until = clock()
        self._unknown_until = clock()
        self._kept: OrderedDict[str, PyJWK] = OrderedDict()
        self._fetching: asyncio.Task[Result[None, ErrorDetail]] | None = None

    async def get(self, kid: str) -> "Result[PyJWK, ErrorDetail]":
        """`unauthorized` when the provider has no such key; `service_unavailable` or `timeout` when it cannot tell."""
        kept = self._kept.get(kid)
        if kept is not None:
            self._kept.move_to_end(kid)
            return Success(kept)
        return await self._from_set(kid)

    @railway
    async def _from_set(self, kid: str) -> "Result[PyJWK, ErrorDetail]":
        is_fresh = self._clock() < self._fresh_until
        if kid in self._set:
            if not is_fresh:
                await best_effort(
                    self._refresh(),
                    reason="The key of the previous set still proves who signed, and the next use fetches again.",
                    default=None,
                )
        elif not is_fresh or self._clock() >= self._unknown_until:
            (await self._refresh()).unwrap()
            if is_fresh or kid not in self._set:
                self._unknown_until = self._clock() + UNKNOWN_KEY_PAUSE_SECONDS
        if kid not in self._set:
            return Failure(_UNKNOWN_KEY)
        key = _signing_key(self._set[kid]).unwrap()
        self._keep(kid, key)
        return Success(key)

    def _keep(self, kid: str, key: "PyJWK") -> None:
        self._kept[kid] = key
        if len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)

    async def _refresh(self) -> Result[None, ErrorDetail]:
        if self._fetching is None or self._fetching.done():
            self._fetching = background.start(self._fetch_set(), name="fetch signing keys")
        # A caller that hangs up must not take the answer away from the others.
        return await asyncio.shield(self._fetching)

    @railway
    async def _fetch_set(self) -> Result[None, ErrorDetail]:
        self._set = (await self._fetch()).unwrap()
        self._fresh_until = self._clock() + SET_LIFETIME_SECONDS
        return Success(None)


async def fetch_key_set(http: HttpClient, url: str) -> Result[KeySet, ErrorDetail]:
    """The provider's set; `service_unavailable` when what it answers is not a set with an RSA signing key."""
    return (await http.get(url)).bind(_usable_set)


@railway
def _usable_set(response: HttpResponse) -> Result[KeySet, ErrorDetail]:
    if response.status != 200:
        return Failure(service_unavailable(None, reason="no key set", http_status=str(response.status)))
    published = response.parse(JsonWebKeySet).unwrap().keys
    usable = {
        key.kid: key
        for key in published
        if key.kid and key.kty == "RSA" and key.use in {None, "sig"} and key.n and key.e
    }
    return Success(usable) if usable else Failure(service_unavailable(None, reason="no RSA signing key in the set"))


def _signing_key(key: JsonWebKey) -> "Result[PyJWK, ErrorDetail]":
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    published = {"kty": key.kty, "n": key.n, "e": key.e}
    unreadable = ErrorTable.of((jwt.PyJWTError, _unreadable), (ValueError, _unreadable))
    return attempt(jwt.PyJWK, published, algorithm=ALGORITHM, errors=unreadable)


def _unreadable(error: Exception) -> ErrorDetail:
    return service_unavailable(error, reason="unreadable signing key")
