"""No record is larger than a record should be, whatever somebody wrote."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.http.log_format import BoundedJson
from apis.shared.logs import bounded

LARGEST = 100_000  # with escapes, that is six characters for one

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.just(10**400)
    | st.just("x" * 10**6),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.sets(st.text()) | st.tuples(inner, inner),
    max_leaves=50,
)


def line(message: str = "said", exc_info: Any = None, **fields: Any) -> str:
    record = logging.LogRecord("here", logging.INFO, __file__, 1, message, (), exc_info)
    record.__dict__.update(fields)
    return BoundedJson("%(levelname)s %(message)s").format(record)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("short", "short"),
        ("x" * 5_000_000, "x" * 500 + "... (5000000 characters)"),
        (("a", "b"), ["a", "b"]),
        ([str(number) for number in range(30)], [*map(str, range(20)), "... and 10 more"]),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": {"b": {"c": {"d": "(1 members)"}}}}),
        (b"secret", "(6 bytes)"),
        (10**5000, "(16610 bits)"),
        (5, 5),
        (None, None),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "number",
)
def test_a_value_is_cut_and_counted(value: object, shown: object) -> None:
    assert bounded(value) == shown


@pytest.mark.parametrize(
    "value", ["x" * 5_000_000, ["y" * 1000] * 30, {str(n): n for n in range(100)}], ids=["text", "list", "object"]
)
def test_what_is_cut_is_not_cut_again(value: object) -> None:
    """A place that knows what it logs cuts it, and the form of the record once more."""
    assert bounded(bounded(value)) == bounded(value)


@given(values)
def test_whatever_is_logged_the_record_is_bounded_json(value: object) -> None:
    written = line(field=value)
    assert len(written) < LARGEST
    assert json.loads(written)["message"] == "said"


def test_many_long_texts_share_the_room_of_one_record() -> None:
    wide = {str(number): ["x" * 10_000] * 1000 for number in range(1000)}
    assert len(json.dumps(bounded({"a": wide, "b": wide}))) < LARGEST


def test_messages_and_tracebacks_of_libraries_are_cut_too() -> None:
    def fail() -> None:
        raise ValueError("y" * 5_000_000)

    def written_while_failing() -> str:
        try:
            fail()
        except ValueError:
            return line("m" * 5_000_000, exc_info=sys.exc_info())
        return ""

    written = written_while_failing()
    record = json.loads(written)
    assert len(written) < 30_000
    assert record["message"].endswith("... (5000000 characters)")
    assert record["exc_info"].startswith("Traceback (most recent call last)")
