"""Credentials of botocore's chain, frozen for the event loop and refreshed beside it."""

import asyncio
import time
from typing import TYPE_CHECKING

from apis.shared.aws.dynamodb.signing import Keys
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.lifecycle import background
from apis.shared.result import ErrorTable, Result, Success, attempt, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials as Source

# botocore's own windows: from the first on it looks for new credentials, from the second on it insists.
ADVISORY_SECONDS = 15 * 60
MANDATORY_SECONDS = 10 * 60
# After a refresh that failed although the old credentials still hold.
PAUSE_SECONDS = 10.0


class Credentials:
    """One event loop's view of the credentials. Reading them blocks, so that happens in threads, one at a time.

    Fails with `internal_error` when there are none, and as their source does when they cannot be read.
    """

    def __init__(self, find: "Callable[[], Source | None]") -> None:
        self._find = find
        self._source: Source | None = None
        self._keys: Keys | None = None
        self._not_before = 0.0
        self._reading: asyncio.Task[Result[Keys, ErrorDetail]] | None = None

    async def keys(self) -> Result[Keys, ErrorDetail]:
        """The keys to sign with now."""
        keys = self._keys
        if keys is None or self._expire_within(0):
            return await asyncio.shield(self._read())
        if not self._expire_within(ADVISORY_SECONDS) or time.monotonic() < self._not_before:
            return Success(keys)
        reading = self._read()
        if self._expire_within(MANDATORY_SECONDS):
            return await asyncio.shield(reading)
        return Success(keys)

    async def instead_of(self, rejected: Keys) -> Result[Keys, ErrorDetail]:
        """What the chain finds anew after the service rejected these as expired; the same ones if nothing else is."""
        if self._keys is not None and self._keys != rejected:
            return Success(self._keys)
        self._source = None
        return await asyncio.shield(self._read())

    def _expire_within(self, seconds: int) -> bool:
        needed = getattr(self._source, "refresh_needed", None)  # static credentials have none
        return needed is not None and bool(needed(seconds))

    def _read(self) -> "asyncio.Task[Result[Keys, ErrorDetail]]":
        if self._reading is None or self._reading.done():
            self._reading = background.start(self._read_now(), name="aws credentials")
        return self._reading

    async def _read_now(self) -> Result[Keys, ErrorDetail]:
        source, held = self._source, self._keys
        found = (await asyncio.to_thread(_read_source, source, self._find)).map(self._hold)
        if source is None or held is None or self._expire_within(0):
            return found
        # The old ones hold as long as they hold, whether newer ones could be had or not.
        self._not_before = time.monotonic() + PAUSE_SECONDS
        return Success(fold(found, success=lambda keys: keys, failure=lambda _: held))

    def _hold(self, found: "tuple[Source, Keys]") -> Keys:
        self._source, self._keys = found
        return self._keys


def _read_source(
    source: "Source | None", find: "Callable[[], Source | None]"
) -> "Result[tuple[Source, Keys], ErrorDetail]":
    from apis.shared.aws.errors import aws_errors  # noqa: PLC0415 - lazy: botocore stays out of the start

    # botocore says with a bare RuntimeError that refreshed credentials have expired already.
    errors = aws_errors() + ErrorTable.of((RuntimeError, internal_error), (OSError, internal_error))
    return attempt(_frozen, source, find, errors=errors)


def _frozen(source: "Source | None", find: "Callable[[], Source | None]") -> "tuple[Source, Keys]":
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - lazy: as above

    source = source or find()
    if source is None:
        raise NoCredentialsError
    frozen = source.get_frozen_credentials()
    return source, Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)
