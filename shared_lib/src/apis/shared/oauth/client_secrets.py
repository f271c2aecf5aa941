"""The client secrets of all providers: one JSON object in one secret, by provider id.

A fresh deployment holds a random text there instead, which is no client secret and is replaced by the first one.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from apis.shared.aws.secrets import MAX_SECRET_BYTES, Secret, SecretVersion
from apis.shared.errors import ErrorDetail, bad_request, conflict, internal_error, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway

logger = logging.getLogger(__name__)

NOT_CONFIGURED = service_unavailable(None, reason="not set: OAUTH_CLIENT_SECRETS_ARN")
ABSENT = internal_error(None, reason="the secret of OAUTH_CLIENT_SECRETS_ARN does not exist")
NO_ROOM = bad_request(f"There is no room for another client secret: all of them may take {MAX_SECRET_BYTES:,} bytes.")
OVERTAKEN = conflict("The client secrets were changed by another request. Please try again.")

_TRIES = 4
_PAUSE_SECONDS = 0.15
"""For a read that still shows what was before a write."""

type _Entries = dict[str, Any]  # Any: other values than texts are kept as they are
type _Change = Callable[[_Entries], _Entries]


class ClientSecrets:
    """Read anew each time. A change is made by one request at a time in a process, and looked at afterwards: what
    another process wrote in the same moment is not lost."""

    def __init__(self, secret: Secret | None, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._secret = secret
        self._pause_seconds = pause_seconds
        self._changing = asyncio.Lock()

    def usable(self) -> Result[None, ErrorDetail]:
        """`service_unavailable` where nothing is configured to keep client secrets."""
        return Success(None) if self._secret is not None else Failure(NOT_CONFIGURED)

    async def find(self, provider_id: str) -> Result[str | None, ErrorDetail]:
        """None when there is none: also for an entry that is no text, and without any JSON."""
        if self._secret is None:
            return Success(None)
        return (await self._secret.read()).map(lambda version: _text_of(_readable(version), provider_id))

    async def keep(self, provider_id: str, client_secret: str) -> Result[None, ErrorDetail]:
        """`service_unavailable` when not configured, `bad_request` when there is no room, `conflict` when others write
        all the time."""
        return await self._change(lambda entries: {**entries, provider_id: client_secret})

    async def remove(self, provider_id: str) -> Result[None, ErrorDetail]:
        """As `keep`; one that is not there is what was wanted."""
        if self._secret is None:
            return Success(None)
        return await self._change(lambda entries: {k: v for k, v in entries.items() if k != provider_id})

    async def _change(self, change: _Change) -> Result[None, ErrorDetail]:
        if self._secret is None:
            return Failure(NOT_CONFIGURED)
        async with self._changing:
            return await self._changed(self._secret, change)

    @railway
    async def _changed(self, secret: Secret, change: _Change) -> Result[None, ErrorDetail]:
        base = (await secret.read()).unwrap()
        known: set[str] = set()
        for _ in range(_TRIES):
            before = _writable(base).unwrap()
            wanted = change(before)
            if wanted == before and not known:
                # Nothing to write, and the secret itself may be absent.
                return Success(None)
            if base is None:
                return Failure(ABSENT)
            text = json.dumps(wanted, ensure_ascii=False)
            if len(text.encode()) > MAX_SECRET_BYTES:
                return Failure(NO_ROOM)
            written = (await secret.write(text)).unwrap()
            known |= {base.version_id, written}
            overlooked = (await self._overlooked(secret, base, known, change)).unwrap()
            if overlooked is None:
                return Success(None)
            base = overlooked
        return Failure(OVERTAKEN)

    @railway
    async def _overlooked(
        self, secret: Secret, base: SecretVersion, known: set[str], change: _Change
    ) -> Result[SecretVersion | None, ErrorDetail]:
        """The version of another process that the change has to be made on again; mostly None.

        One that came between what was read and what was written, or one that came afterwards and lacks the change.
        """
        current: SecretVersion | None = None
        for _ in range(_TRIES):
            current, previous = collect(await asyncio.gather(secret.read(), secret.read("AWSPREVIOUS"))).unwrap()
            if current is not None and current.version_id != base.version_id:
                if current.version_id in known:
                    if previous is None or previous.version_id in known:
                        return Success(None)
                    # A read may still show what was previous before: that is older than what was gone by.
                    return Success(previous if previous.created >= base.created else None)
                if _holds(current, change):
                    return Success(None)
            await asyncio.sleep(self._pause_seconds)
        # A read that still shows the version before is late: the write was acknowledged.
        is_late = current is None or current.version_id in known
        return Success(None if is_late else current)


def _holds(version: SecretVersion, change: _Change) -> bool:
    entries = _readable(version)
    return change(entries) == entries


def _text_of(entries: Mapping[str, object], provider_id: str) -> str | None:
    value = entries.get(provider_id)
    return value if isinstance(value, str) and value else None


def _readable(version: SecretVersion | None) -> _Entries:
    """No entries for what cannot be read; an operator is told of damage."""

    def none(error: ErrorDetail) -> Result[_Entries, ErrorDetail]:
        logger.error("the client secrets cannot be read", extra=error.context)
        return Success({})

    return _writable(version).lash(none).value_or({})


def _writable(version: SecretVersion | None) -> Result[_Entries, ErrorDetail]:
    """The entries to go on from. `internal_error` for what was JSON once: it holds the secrets of others."""
    text = (version.text if version is not None else None) or ""
    if not text.lstrip().startswith("{"):
        return Success({})
    parsed = attempt(json.loads, text, errors=_UNREADABLE).alt(lambda error: error.without_cause())
    return parsed.map(dict)


def _damaged(_: Exception) -> ErrorDetail:
    return internal_error(None, reason="the secret of OAUTH_CLIENT_SECRETS_ARN is damaged JSON")


# RecursionError: nesting that Python's parser cannot follow.
_UNREADABLE = ErrorTable.of((ValueError, _damaged), (RecursionError, _damaged))
