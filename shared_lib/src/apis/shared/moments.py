"""Points in time as stored and shown: UTC, ISO 8601 with microseconds, in two forms.

Chat turns, messages and costs write `+00:00`; sessions made by a client, roles, files and quota write `Z`. Data of the
previous system may lack the fraction where it was zero.
"""

from datetime import UTC, datetime

from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import ErrorTable, Result, attempt


def offset_form(moment: datetime | None = None) -> str:
    """`2025-01-15T10:30:00.123456+00:00`; by default the present moment."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def zulu_form(moment: datetime | None = None) -> str:
    """`2025-01-15T10:30:00.123456Z`; by default the present moment."""
    return offset_form(moment).replace("+00:00", "Z")


def read_moment(text: str) -> Result[datetime, ErrorDetail]:
    """Either form, with or without a fraction; a moment without an offset is UTC. `internal_error` for other text."""
    return attempt(datetime.fromisoformat, text, errors=_UNREADABLE).map(
        lambda moment: moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    )


def read_in_utc(text: str) -> Result[datetime, ErrorDetail]:
    """As `read_moment`, in UTC; `internal_error` also for a moment that UTC has no date for."""
    return read_moment(text).bind(lambda moment: attempt(moment.astimezone, UTC, errors=_BEYOND_UTC))


_UNREADABLE = ErrorTable.of((ValueError, lambda _: internal_error(None, entity="timestamp")))
_BEYOND_UTC = ErrorTable.of((OverflowError, lambda _: internal_error(None, entity="timestamp")))
