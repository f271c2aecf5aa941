"""Which time a request means, whatever zone the machine is in."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apis.app_api.costs import periods
from apis.app_api.costs.periods import (
    BAD_DATES,
    BAD_DAY,
    BAD_MOMENT,
    BAD_MONTH,
    REVERSED,
    TOO_LONG,
    day_of,
    days_of_month,
    month_of,
    report_range,
    trend_days,
)
from apis.shared.result import Success, error_of

LAST = timedelta(microseconds=1)
FULL_WIDTH = "2025-01-01".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "America/Boise"], autouse=True)
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class _Clock(datetime):
    """Noon of 9 March 2025 in UTC, when the clocks of Boise change."""

    @classmethod
    def now(cls, tz: object = None) -> "_Clock":
        assert tz is UTC
        return cls(2025, 3, 9, 12, tzinfo=UTC)


@pytest.fixture
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "datetime", _Clock)


@pytest.mark.usefixtures("_now")
def test_the_present_is_the_default() -> None:
    assert (month_of(None), day_of(None)) == (Success("2025-03"), Success("2025-03-09"))


@pytest.mark.parametrize("text", ["0000-01", "2025-00", "2025-13", "2025-99"])
def test_t9_impossible_months(text: str) -> None:
    assert error_of(month_of(text)) == BAD_MONTH


@pytest.mark.parametrize("text", ["2025-01", "2025-02-30", "0000-01-01", "20250101", "2025-W01-1", FULL_WIDTH, ""])
def test_what_is_no_day(text: str) -> None:
    assert error_of(day_of(text)) == BAD_DAY


@pytest.mark.usefixtures("_now")
@pytest.mark.parametrize(
    ("month", "days"),
    [
        ("2025-02", ("2025-02-01", "2025-02-28")),
        ("2024-02", ("2024-02-01", "2024-02-29")),
        ("2025-03", ("2025-03-01", "2025-03-09")),
        ("2025-04", None),
        ("2099-01", None),
        ("9999-12", None),
    ],
)
def test_the_days_of_a_month_end_today(month: str, days: tuple[str, str] | None) -> None:
    known = days_of_month(month)
    assert days == (None if known is None else (str(known[0]), str(known[1])))


@pytest.mark.parametrize(
    ("start", "end", "last"),
    [
        ("2025-01-01", "2025-01-31", "2025-01-31"),
        ("2025-01-01", "2025-04-01", "2025-04-01"),
        ("2025-01-01", "2025-04-02", "2025-04-01"),
        ("2025-01-01", "9999-12-31", "2025-04-01"),
        ("9999-12-30", "9999-12-31", "9999-12-31"),
        ("2025-02-01", "2025-01-01", "2025-01-01"),
    ],
)
def test_t8_trends_end_after_90_days(start: str, end: str, last: str) -> None:
    assert str(trend_days(start, end).unwrap()[1]) == last


@pytest.mark.parametrize("dates", [("2025-02-30", "2025-03-01"), ("2025-03-01", "2025-13-01"), ("0000-01-01",) * 2])
def test_t8_impossible_dates(dates: tuple[str, str]) -> None:
    assert error_of(trend_days(*dates)) == BAD_DATES


@pytest.mark.parametrize(
    ("start", "end", "echoed", "first", "last"),
    [
        # Dates: the end is that whole day.
        (
            "2025-01-01",
            "2025-01-15",
            ("2025-01-01T00:00:00", "2025-01-15T00:00:00"),
            datetime(2025, 1, 1, tzinfo=UTC),
            datetime(2025, 1, 16, tzinfo=UTC) - LAST,
        ),
        # T7: one without, one with an offset; exactly 90 days.
        (
            "2025-01-01T02:00:00",
            "2025-04-01T04:00:00+02:00",
            ("2025-01-01T02:00:00", "2025-04-01T04:00:00+02:00"),
            datetime(2025, 1, 1, 2, tzinfo=UTC),
            datetime(2025, 4, 1, 2, tzinfo=UTC),
        ),
        # T6: a literal `+` of the query has become a blank.
        (
            "2025-01-01T00:00:00 02:00",
            "2025-01-01T12:30:00.5Z",
            ("2025-01-01T00:00:00+02:00", "2025-01-01T12:30:00.500000+00:00"),
            datetime(2024, 12, 31, 22, tzinfo=UTC),
            datetime(2025, 1, 1, 12, 30, 0, 500000, UTC),
        ),
        # One and the same moment.
        (
            "2025-01-01T10:00:00Z",
            "2025-01-01T10:00:00",
            ("2025-01-01T10:00:00+00:00", "2025-01-01T10:00:00"),
            datetime(2025, 1, 1, 10, tzinfo=UTC),
            datetime(2025, 1, 1, 10, tzinfo=UTC),
        ),
    ],
)
def test_what_a_report_holds(start: str, end: str, echoed: tuple[str, str], first: datetime, last: datetime) -> None:
    asked = report_range(start, end).unwrap()
    assert (asked.start.isoformat(), asked.end.isoformat()) == echoed
    assert (asked.span.start, asked.span.end) == (first, last)


def test_exactly_90_days_of_dates() -> None:
    assert report_range("2025-01-01", "2025-04-01").unwrap().span.end == datetime(2025, 4, 2, tzinfo=UTC) - LAST


UNREADABLE = [
    "x",
    "",
    "2025-13-01",
    "2025-02-30",
    "2025-01-01T25:00",
    FULL_WIDTH,
    "2025-01-01T00:00:00 02",
    "2025-01-01T00:00:00  02:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-05:00",
    "2025-01-01T00:00:00+99:00",
]


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_what_is_no_moment(name: str, text: str) -> None:
    given = {"start_date": "2025-01-01", "end_date": "2025-01-01", name: text}
    error = error_of(report_range(given["start_date"], given["end_date"]))
    assert error is not None
    assert (error.detail, error.field) == (BAD_MOMENT.detail, f"query.{name}")


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        ("2025-01-01", "2025-04-02", TOO_LONG),
        ("0001-01-01", "9999-12-31", TOO_LONG),
        ("2025-01-02", "2025-01-01", REVERSED),
        ("9999-12-31", "0001-01-01", REVERSED),
        ("2025-01-01T10:00:00", "2025-01-01T11:59:59+02:00", REVERSED),
    ],
)
def test_ranges_that_make_no_sense(start: str, end: str, error: object) -> None:
    assert error_of(report_range(start, end)) == error
