"""What a sign-in, or a connection to an OAuth provider, remembers until the browser comes back.

A state is a secret of a few minutes: it is taken once, and neither it nor what is kept for it enters a log.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ConfigDict, Field

from apis.shared.aws.dynamodb import Item, Table, parse_as
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.records import Record
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import StorageSettings, settings

STATE_SECONDS = 600
MAX_STATE_BYTES = 1_000
"""The store's sort key holds 1,024, with its prefix."""
MAX_IN_MEMORY = 10_000
"""Anybody may begin a sign-in."""


@dataclass(frozen=True, slots=True)
class OIDCStateData:
    """Empty members count as absent. The OAuth connection flow keeps `provider|user` in `nonce`; the nonce of a
    sign-in has no `|`. `scopes_hash` is of the scopes that a connection was begun with."""

    redirect_uri: str | None = None
    code_verifier: str | None = field(default=None, repr=False)
    nonce: str | None = None
    scopes_hash: str | None = None

    @property
    def present(self) -> dict[str, str]:
        members = {
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.code_verifier,
            "nonce": self.nonce,
            "scopes_hash": self.scopes_hash,
        }
        return {name: value for name, value in members.items() if value}


type Taken = tuple[bool, OIDCStateData | None]
"""Whether the state is good, and what was kept for it: None for a bad one, or where nothing was."""

INVALID: Taken = (False, None)


class StateStore(Protocol):
    """A state that is unknown, expired or taken before is a value, a store that fails is a Failure."""

    async def store_state(
        self, state: str, data: OIDCStateData | None, ttl_seconds: int = STATE_SECONDS
    ) -> Result[None, ErrorDetail]: ...

    async def get_and_delete_state(self, state: str) -> Result[Taken, ErrorDetail]:
        """Of several callers at the same moment one gets it."""
        ...


class _PendingState(Record):
    """The stored item as far as it is read; times are in epoch seconds, 0 is none. Some versions wrote `expires_at`."""

    model_config = ConfigDict(alias_generator=None, populate_by_name=False)

    expiry: float = Field(default=0, alias="expiresAt")
    older_expiry: float = Field(default=0, alias="expires_at")
    redirect_uri: str | None = None
    code_verifier: str | None = None
    nonce: str | None = None
    scopes_hash: str | None = None

    def taken_at(self, now: float) -> Taken:
        expiry = self.expiry or self.older_expiry
        # The store removes expired items, but later.
        if expiry and now > expiry:
            return INVALID
        data = OIDCStateData(self.redirect_uri, self.code_verifier, self.nonce, self.scopes_hash)
        return True, data if data.present else None


class DynamoStateStore:
    """One item for each state. A corrupt one is `internal_error`, and gone."""

    def __init__(self, table: Table, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock

    async def store_state(
        self, state: str, data: OIDCStateData | None, ttl_seconds: int = STATE_SECONDS
    ) -> Result[None, ErrorDetail]:
        now = int(self._clock())
        members = data.present if data is not None else {}
        return await self._table.put(
            {**_key(state), "state": state, "expiresAt": now + ttl_seconds, "created_at": now, **members}
        )

    @railway
    async def get_and_delete_state(self, state: str) -> Result[Taken, ErrorDetail]:
        if not _may_exist(state):
            return Success(INVALID)
        item = (await self._table.delete(_key(state))).unwrap()
        if item is None:
            return Success(INVALID)
        return _parse(item).map(lambda pending: pending.taken_at(self._clock()))


class MemoryStateStore:
    """For one process, while no table is configured. Fails with `service_unavailable` when it is full."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pending: dict[str, tuple[float, OIDCStateData | None]] = {}

    async def store_state(
        self, state: str, data: OIDCStateData | None, ttl_seconds: int = STATE_SECONDS
    ) -> Result[None, ErrorDetail]:
        self._purge()
        if len(self._pending) >= MAX_IN_MEMORY:
            return Failure(service_unavailable(None, reason="too many sign-ins are pending in memory"))
        self._pending[state] = (int(self._clock()) + ttl_seconds, data if data is not None and data.present else None)
        return Success(None)

    async def get_and_delete_state(self, state: str) -> Result[Taken, ErrorDetail]:
        self._purge()
        found = self._pending.pop(state, None)
        return Success(INVALID if found is None else (True, found[1]))

    def _purge(self) -> None:
        now = self._clock()
        for state in [state for state, (expiry, _) in self._pending.items() if now > expiry]:
            del self._pending[state]


def create_state_store() -> StateStore:
    """Where states are kept in this deployment. In memory each store has states of its own."""
    name = settings(StorageSettings).dynamodb_oidc_state_table_name
    return DynamoStateStore(Table(name)) if name else MemoryStateStore()


def _key(state: str) -> dict[str, str]:
    return {"PK": f"STATE#{state}", "SK": f"STATE#{state}"}


def _may_exist(state: str) -> bool:
    """Nobody is told that the store failed because of a state that it could not hold."""
    return state.isprintable() and 0 < len(state.encode()) <= MAX_STATE_BYTES


def _parse(item: Item) -> Result[_PendingState, ErrorDetail]:
    # The key is the secret.
    return parse_as(_PendingState, item).alt(lambda error: error.caused_by(None, key="STATE#..."))
