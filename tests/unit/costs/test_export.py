"""The file of users and their costs: what a spreadsheet makes of it."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.app_api.costs.export import HEADER, as_csv, as_json, exported, harmless
from apis.app_api.costs.schemas import TopUserCost

LINE = "User ID,Email,Total Cost ($),Total Requests,Tier,Quota %,Last Updated\r\n"


def user(user_id: str = "u1", total_cost: float = 0, **members: Any) -> TopUserCost:
    reserved = dict.fromkeys(("email", "tier_name", "quota_limit", "quota_percentage"))
    known = {"total_requests": 1, "last_updated": "2025-01-15T10:00:00+00:00", **reserved, **members}
    return TopUserCost(user_id=user_id, total_cost=total_cost, **known)


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


@pytest.mark.parametrize(
    ("cost", "shown"),
    [(2.675, "2.67"), (1.005, "1.00"), (0.005, "0.01"), (0, "0.00"), (125.505, "125.50"), (1234567.891, "1234567.89")],
)
def test_x1_dollars_have_two_places(cost: float, shown: str) -> None:
    assert as_csv([user(total_cost=cost)]) == f"{LINE}u1,,{shown},1,,,2025-01-15T10:00:00+00:00\r\n".encode()


def test_x1_an_id_keeps_its_zeros_and_a_row_stays_one_row() -> None:
    content = as_csv([user("000123456", email="a\nb\r@c.test", tier_name='A, "B"')])
    (_, row) = rows(content)
    assert (row[0], row[1], row[4]) == ("000123456", "'a\nb\r@c.test"[1:], 'A, "B"')
    assert b'"A, ""B"""' in content


@pytest.mark.parametrize("percentage", [None, 0, 0.0])
def test_no_quota_is_empty(percentage: float | None) -> None:
    assert rows(as_csv([user(quota_percentage=percentage)]))[1][5] == ""


def test_a_quota_has_one_place() -> None:
    assert rows(as_csv([user(quota_percentage=81.25)]))[1][5] == "81.2"


DANGEROUS = ["=1+1", "+1", "-1", "@a", "\t=1", "\tx", "\r1", "\n1", " =1", "\u00a0=1", "  \t1", "\u3000@a"]
FULL_WIDTH = ["\uff1d1", "\uff0b1", "\uff0d1", "\uff201", " \uff1d1", "\ufeff=1", "\u200b=1", "\ufe661"]


@pytest.mark.parametrize("text", DANGEROUS + FULL_WIDTH)
@pytest.mark.parametrize("column", ["user_id", "email", "tier_name", "last_updated"])
def test_x2_no_text_is_a_formula(column: str, text: str) -> None:
    (_, row) = rows(as_csv([user().model_copy(update={column: text})]))
    assert f"'{text}" in row
    assert len(row) == len(HEADER)


@pytest.mark.parametrize("text", ["", " ", "a=1", "ana@a.test", "1-2", "'=1", "000123", "\u00e4=", "u-1"])
def test_x2_other_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


texts_of_cells = st.text("=+-@ \t\r\n\x00',;\"ab0\u00a0\u00e4\u200b\uff1d\U0001f600", max_size=8)


@given(st.lists(st.tuples(texts_of_cells, texts_of_cells), max_size=5))
def test_whatever_texts_hold_a_user_is_one_row(texts: list[tuple[str, str]]) -> None:
    content = as_csv([user(one, tier_name=other) for one, other in texts])
    read = rows(content)
    assert [row[0].removeprefix("'") for row in read[1:]] == [one.removeprefix("'") for one, _ in texts]
    assert all(len(row) == len(HEADER) for row in read)
    assert not any(row[0].lstrip()[:1] in {"=", "+", "-", "@"} for row in read)


def test_x3_utf_8_without_a_mark() -> None:
    content = as_csv([user("m\u00fcller-\u6f22-\U0001f600")])
    assert content.startswith(b"User ID")
    assert "m\u00fcller-\u6f22-\U0001f600" in content.decode("utf-8")


def test_json_holds_nulls_and_is_indented() -> None:
    content = as_json([user(total_cost=125.505)])
    assert content.startswith(b'[\n  {\n    "userId": "u1",')
    assert json.loads(content) == [
        {
            "userId": "u1",
            "totalCost": 125.505,
            "totalRequests": 1,
            "lastUpdated": "2025-01-15T10:00:00+00:00",
            "email": None,
            "tierName": None,
            "quotaLimit": None,
            "quotaPercentage": None,
        }
    ]
    assert json.loads(as_json([])) == []


@pytest.mark.parametrize(
    ("period", "name"), [(None, "cost_report_current.csv"), ("2025-01", "cost_report_2025-01.csv")]
)
def test_x4_names_of_files(period: str | None, name: str) -> None:
    file = exported([], "csv", period)
    assert file.headers["content-disposition"] == f"attachment; filename={name}"
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.body == LINE.encode()
