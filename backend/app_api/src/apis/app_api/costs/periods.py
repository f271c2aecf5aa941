"""Which time a request means. All of it is UTC, whatever zone the machine is in."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from apis.shared.costs.tally import Span
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

LONGEST_DAYS = 90

BAD_MONTH = bad_request("The period is not a month: use YYYY-MM.", field="query.period")
BAD_DAY = bad_request("The period is not a day: use YYYY-MM-DD.", field="query.period")
BAD_MOMENT = bad_request("Invalid date format. Use YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS.")
TOO_LONG = bad_request("Date range cannot exceed 90 days")
REVERSED = bad_request("Start date must be before end date")
BAD_DATES = bad_request("Dates must be in YYYY-MM-DD format")

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The blank that a literal `+` of a query is read as.
_OFFSET_AFTER_BLANK = re.compile(r"(T[0-9:.,]+) ([0-9]{2}:?[0-9]{2})$")


@dataclass(frozen=True, slots=True)
class ReportRange:
    """`start` and `end` as they were given, and what of the time is meant."""

    start: datetime
    end: datetime
    span: Span


def is_month(text: str) -> bool:
    """There is no year 0."""
    return _MONTH.fullmatch(text) is not None and text[:4] != "0000"


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


def month_of(period: str | None) -> Result[str, ErrorDetail]:
    """By default the present one."""
    if period is None:
        return Success(this_month())
    return Success(period) if is_month(period) else Failure(BAD_MONTH)


def day_of(period: str | None) -> Result[str, ErrorDetail]:
    """By default the present one."""
    if period is None:
        return Success(f"{datetime.now(UTC):%Y-%m-%d}")
    return _date(period, BAD_DAY).map(date.isoformat)


def days_of_month(month: str) -> tuple[date, date] | None:
    """First and last day, but none that is yet to come; None for a month that is."""
    first = date.fromisoformat(f"{month}-01")
    last = first.replace(day=monthrange(first.year, first.month)[1])
    today = datetime.now(UTC).date()
    return (first, min(last, today)) if first <= today else None


@railway
def trend_days(start: str, end: str) -> Result[tuple[date, date], ErrorDetail]:
    """A longer range ends after 90 days."""
    first, last = _date(start, BAD_DATES).unwrap(), _date(end, BAD_DATES).unwrap()
    if (last - first).days > LONGEST_DAYS:
        last = first + timedelta(days=LONGEST_DAYS)
    return Success((first, last))


@railway
def report_range(start: str, end: str) -> Result[ReportRange, ErrorDetail]:
    """A date is the beginning of its day as start, and all of the day as end. Without an offset it is UTC."""
    first, last = _moment(start, "start_date").unwrap(), _moment(end, "end_date").unwrap()
    if (last.utc - first.utc).days > LONGEST_DAYS:
        return Failure(TOO_LONG)
    if first.utc > last.utc:
        return Failure(REVERSED)
    until = datetime.combine(last.utc, time.max, UTC) if last.is_date else last.utc
    return Success(ReportRange(first.given, last.given, Span(first.utc, until)))


@dataclass(frozen=True, slots=True)
class _Moment:
    given: datetime
    utc: datetime
    is_date: bool


_UNREADABLE = ErrorTable.of((ValueError, lambda _: BAD_MOMENT), (OverflowError, lambda _: BAD_MOMENT))


def _moment(text: str, name: str) -> Result[_Moment, ErrorDetail]:
    read = attempt(_read_moment, text, errors=_UNREADABLE)
    return read.alt(lambda error: error.model_copy(update={"field": f"query.{name}"}))


def _read_moment(text: str) -> _Moment:
    given = datetime.fromisoformat(_OFFSET_AFTER_BLANK.sub(r"\1+\2", text))
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return _Moment(given, utc, is_date=_is_date(text))


def _is_date(text: str) -> bool:
    return isinstance(attempt(date.fromisoformat, text, errors=_UNREADABLE), Success)


def _date(text: str, error: ErrorDetail) -> Result[date, ErrorDetail]:
    if _DAY.fullmatch(text) is None:
        return Failure(error)
    return attempt(date.fromisoformat, text, errors=_UNREADABLE).alt(lambda _: error)
