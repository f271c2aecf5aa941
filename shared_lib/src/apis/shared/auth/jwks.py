"""The signing keys of the identity provider."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from apis.shared.errors import ErrorDetail, service_unavailable, unauthorized
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.lifecycle import background
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, best_effort, error_of, railway

if TYPE_CHECKING:
    from jwt import PyJWK

logger = logging.getLogger(__name__)

ALGORITHM = "RS256"
SET_LIFETIME_SECONDS = 300.0
FETCH_PAUSE_SECONDS = 30.0
KEPT_KEYS = 5
MAX_ENTRIES = 200  # reading them takes the event loop's time

type Json = Any  # Any: whatever the provider publishes
type Fetch = Callable[[], Coroutine[Any, Any, Result[KeySet, ErrorDetail]]]  # Any: what a coroutine yields inside

_UNKNOWN_KEY = unauthorized("The access token is not valid.").caused_by(None, check="signing key")
_UNREADABLE_KEY = service_unavailable(None, reason="unreadable signing key")


@dataclass(frozen=True, slots=True)
class KeySet:
    """The RSA signing keys of a provider by `kid`. `unreadable` are the ids of entries that cannot be used: a token
    that names one may be good."""

    keys: "Mapping[str, PyJWK]" = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()


class _Published(BaseModel):
    keys: list[Json]


class _SigningKey(BaseModel):
    """An entry as far as it matters here (RFC 7517). The bounds are far above any real key: reading one takes time
    that grows with the square of its length."""

    kty: Literal["RSA"]
    kid: Annotated[str, Field(min_length=1, max_length=1000)]
    use: Literal["sig"] | None = None
    n: Annotated[str, Field(min_length=1, max_length=3000)]
    e: Annotated[str, Field(min_length=1, max_length=100)]


class SigningKeys:
    """Finds a key by its `kid`, with as few fetches as rotation allows.

    A fetched set is used for 300 seconds, and on after that while it cannot be renewed. A `kid` that the set does not
    have, or has with an entry that cannot be read, forces a fetch before that. After a forced fetch, and after any that
    failed, there is none for 30 seconds: anybody may send tokens that name keys. The five keys used last are kept
    beyond that. There is one fetch at a time, which all callers share.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._set = KeySet()
        self._fresh_until = clock()
        self._paused_until = clock()
        self._outage: ErrorDetail | None = None
        self._kept: OrderedDict[str, PyJWK] = OrderedDict()
        self._fetching: asyncio.Task[Result[bool, ErrorDetail]] | None = None

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
        if kid in self._set.keys:
            if not is_fresh:
                await best_effort(
                    self._refresh(),
                    reason="The key of the previous set still proves who signed, and a later use fetches again.",
                    default=None,
                )
        else:
            was_fetched = (await self._refresh()).unwrap()
            if was_fetched and is_fresh:
                self._pause_from(self._clock())
        key = self._set.keys.get(kid)
        if key is None:
            return Failure(_UNREADABLE_KEY if kid in self._set.unreadable else _UNKNOWN_KEY)
        self._keep(kid, key)
        return Success(key)

    def _keep(self, kid: str, key: "PyJWK") -> None:
        self._kept[kid] = key
        if len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)

    async def _refresh(self) -> Result[bool, ErrorDetail]:
        """Whether the set was fetched. During a pause it is not, and a failure of the last fetch is the answer."""
        if self._fetching is None or self._fetching.done():
            wait = self._paused_until - self._clock()
            if wait > 0:
                return self._last_outcome(wait)
            self._fetching = background.start(self._fetch_set(), name="fetch signing keys")
        # A caller that hangs up must not take the answer away from the others.
        return await asyncio.shield(self._fetching)

    def _last_outcome(self, wait: float) -> Result[bool, ErrorDetail]:
        if self._outage is None:
            return Success(False)
        return Failure(self._outage.with_recovery(recoverable=True, retry_after=math.ceil(wait)))

    async def _fetch_set(self) -> Result[bool, ErrorDetail]:
        begun = self._clock()
        fetched = await self._fetch()
        self._outage = error_of(fetched)
        match fetched:
            case Success(published):
                self._set = published
                self._fresh_until = self._clock() + SET_LIFETIME_SECONDS
            case Failure():
                self._pause_from(begun)
        return fetched.map(lambda _: True)

    def _pause_from(self, moment: float) -> None:
        self._paused_until = max(self._paused_until, moment + FETCH_PAUSE_SECONDS)


async def fetch_key_set(http: HttpClient, url: str) -> Result[KeySet, ErrorDetail]:
    """The provider's set; `service_unavailable` when what it answers is not a set with an RSA signing key."""
    return (await http.get(url)).bind(_usable_set)


@railway
def _usable_set(response: HttpResponse) -> Result[KeySet, ErrorDetail]:
    if response.status != 200:
        return Failure(service_unavailable(None, reason="no key set", http_status=str(response.status)))
    usable = key_set(response.parse(_Published).unwrap().keys)
    return (
        Success(usable) if usable.keys else Failure(service_unavailable(None, reason="no RSA signing key in the set"))
    )


def key_set(entries: list[Json]) -> KeySet:
    """The usable ones of the published entries. An entry that cannot be read harms nothing but itself."""
    keys: dict[str, PyJWK] = {}
    unreadable: set[str] = set()
    for entry in entries[:MAX_ENTRIES]:
        if _is_for_something_else(entry):
            continue
        match _read(entry):
            case Success((kid, key)):
                keys.setdefault(kid, key)
            case Failure():
                unreadable.add(_named(entry))
    if unreadable:
        logger.warning("unreadable entries in the key set", extra={"entries": len(entries), "usable": len(keys)})
    return KeySet(keys, frozenset(unreadable) - keys.keys())


def _is_for_something_else(entry: Json) -> bool:
    """A well-formed entry of another type or use: a set may hold any (RFC 7517, section 5)."""
    if not isinstance(entry, dict):
        return False
    kind, use = entry.get("kty"), entry.get("use")
    return (isinstance(kind, str) and kind != "RSA") or (isinstance(use, str) and use != "sig")


def _named(entry: Json) -> str:
    kid = entry.get("kid") if isinstance(entry, dict) else None
    return kid if isinstance(kid, str) else ""


@railway
def _read(entry: Json) -> "Result[tuple[str, PyJWK], ErrorDetail]":
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    unreadable = ErrorTable.of((ValidationError, _unreadable), (jwt.PyJWTError, _unreadable), (ValueError, _unreadable))
    published = attempt(_SigningKey.model_validate, entry, errors=unreadable).unwrap()
    numbers = {"kty": published.kty, "n": published.n, "e": published.e}
    return attempt(jwt.PyJWK, numbers, algorithm=ALGORITHM, errors=unreadable).map(lambda key: (published.kid, key))


def _unreadable(_: Exception) -> ErrorDetail:
    # Not the exception: its text quotes the entry.
    return _UNREADABLE_KEY
