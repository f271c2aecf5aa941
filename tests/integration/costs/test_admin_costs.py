"""What administrators see of everybody's costs. Each test has a month of its own: totals are of all users."""

import csv
import io
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform
from tests.support.service_log import FAILED
from tests.support.stored import cost_summary, rollup

TOP, EXPORT, DASHBOARD = "/admin/costs/top-users", "/admin/costs/export", "/admin/costs/dashboard"
SUMMARY, MODELS, TRENDS = "/admin/costs/system-summary", "/admin/costs/by-model", "/admin/costs/trends"
TIERS = "/admin/costs/by-tier"
HEADER = "User ID,Email,Total Cost ($),Total Requests,Tier,Quota %,Last Updated\r\n"

_months = (f"{year}-{month:02}" for year in itertools.count(1971) for month in range(1, 13))


@pytest.fixture
def month() -> str:
    return next(_months)


@pytest.fixture
async def admin(tables: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with tables.client("100000000", "DotNetDevelopers") as client:
        yield client


async def ranked(admin: httpx.AsyncClient, **parameters: Any) -> list[str]:
    answer = await admin.get(TOP, params=parameters)
    assert answer.status_code == 200, answer.text
    return [user["userId"] for user in answer.json()]


def three(month: str) -> list[stored.Row]:
    return [cost_summary(*one) for one in (("u1", month, 125.505), ("u2", month, 0.29), ("u3", month, 3))]


async def test_e17_the_file(tables: Platform, admin: httpx.AsyncClient) -> None:
    tables.store(*three("2025-01"))
    answer = await admin.get(EXPORT, params={"period": "2025-01"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename=cost_report_2025-01.csv"
    lines = answer.content.decode().split("\r\n")
    assert lines[0] + "\r\n" == HEADER
    # Other tests have users in this month, too.
    assert [line for line in lines if line.startswith(("u1,", "u2,", "u3,"))] == [
        "u1,,125.50,1,,,2025-01-15T10:00:00+00:00",
        "u3,,3.00,1,,,2025-01-15T10:00:00+00:00",
        "u2,,0.29,1,,,2025-01-15T10:00:00+00:00",
    ]


async def test_e17_as_json(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    tables.store(*three(month))
    file = await admin.get(EXPORT, params={"period": month, "format": "json"})
    assert file.headers["content-type"] == "application/json"
    assert file.headers["content-disposition"] == f"attachment; filename=cost_report_{month}.json"
    assert file.text.startswith('[\n  {\n    "userId": "u1",')
    listed = (await admin.get(TOP, params={"period": month})).json()
    assert file.json() == listed
    assert [user["totalCost"] for user in listed] == [125.505, 3.0, 0.29]


async def test_e17_the_user_who_spent_most(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    tables.store(*three(month))
    assert (await admin.get(TOP, params={"period": month, "limit": 1})).json() == [
        {
            "userId": "u1",
            "totalCost": 125.505,
            "totalRequests": 1,
            "lastUpdated": f"{month}-15T10:00:00+00:00",
            "email": None,
            "tierName": None,
            "quotaLimit": None,
            "quotaPercentage": None,
        }
    ]


async def test_e18_a_month_that_is_yet_to_come(admin: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    body = (await admin.get(DASHBOARD, params={"period": "2099-01"})).json()
    assert before <= datetime.fromisoformat(body["currentPeriod"].pop("lastUpdated")) <= datetime.now(UTC)
    assert body == {
        "currentPeriod": {
            "period": "2099-01",
            "periodType": "monthly",
            "totalCost": 0,
            "totalRequests": 0,
            "activeUsers": 0,
            "totalInputTokens": 0,
            "totalOutputTokens": 0,
            "totalCacheSavings": 0,
            "modelBreakdown": None,
        },
        "topUsers": [],
        "modelUsage": [],
        "tierUsage": None,
        "dailyTrends": [],
    }


@pytest.mark.parametrize("trends", [{}, {"includeTrends": "false"}])
async def test_e18_and_f_smc_67_an_impossible_month(admin: httpx.AsyncClient, trends: dict[str, str]) -> None:
    answer = await admin.get(DASHBOARD, params={"period": "2025-13", **trends})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_request", "query.period")


async def test_e18_others_are_refused(tables: Platform) -> None:
    async with tables.client("100000002", "Faculty") as client:
        answer = await client.get(DASHBOARD)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["detail"] == "Access denied. Required roles: Admin, SuperAdmin, DotNetDevelopers"


async def test_a_month_at_a_glance(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    tables.store(
        *three(month),
        rollup("MONTHLY", month, 128.795, totalRequests=3, activeUsers=3, totalCacheSavings=0.5),
        rollup("MODEL", f"{month}#a_b", 8.795, modelId="a.b", totalRequests=4, uniqueUsers=2),
        rollup("MODEL", f"{month}#c", 120, modelId="c", totalRequests=0),
        rollup("DAILY", f"{month}-02", 100, activeUsers=2),
        rollup("DAILY", f"{month}-28", 28.795),
    )
    with tables.proxy.recording(containing=month) as recording:
        body = (await admin.get(DASHBOARD, params={"period": month, "topUsersLimit": 2})).json()
    assert [user["userId"] for user in body["topUsers"]] == ["u1", "u3"]
    assert (body["currentPeriod"]["totalCost"], body["currentPeriod"]["totalCacheSavings"]) == (128.795, 0.5)
    assert body["currentPeriod"]["lastUpdated"] == stored.MOMENT
    assert body["dailyTrends"] == [
        {"date": f"{month}-02", "totalCost": 100, "totalRequests": 2, "activeUsers": 2},
        {"date": f"{month}-28", "totalCost": 28.795, "totalRequests": 2, "activeUsers": 1},
    ]
    assert [model["modelId"] for model in body["modelUsage"]] == ["c", "a.b"]
    assert [model["avgCostPerRequest"] for model in body["modelUsage"]] == [0, 2.19875]
    assert sorted(call.target.operation for call in recording.calls) == ["GetItem", "Query", "Query", "Query"]

    without = (await admin.get(DASHBOARD, params={"period": month, "includeTrends": "false"})).json()
    assert without == {**body, "topUsers": without["topUsers"], "dailyTrends": None}


async def test_the_defaults_are_the_present_month_and_day(admin: httpx.AsyncClient) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    dashboard = (await admin.get(DASHBOARD)).json()
    assert dashboard["currentPeriod"]["period"] == today[:7]
    assert all(today[:7] <= day["date"] <= today for day in dashboard["dailyTrends"])
    assert (await admin.get(SUMMARY)).json()["period"] == today[:7]
    assert (await admin.get(SUMMARY, params={"periodType": "daily"})).json()["period"] == today
    assert (await admin.get(EXPORT)).headers["content-disposition"].endswith("filename=cost_report_current.csv")


async def test_m8_a_least_cost_is_compared_exactly(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    costs = {"a": 0.57, "b": 0.29, "c": 125.505, "d": 0.009}
    tables.store(*(cost_summary(user, month, cost) for user, cost in costs.items()))
    assert [row["GSI2SK"][-5:] for row in (cost_summary(u, month, c).item for u, c in costs.items())] == [
        "00057",
        "00029",
        "12550",
        "00000",
    ]
    assert await ranked(admin, period=month, minCost=0.57) == ["c", "a"]
    assert await ranked(admin, period=month, minCost=0.295) == ["c", "a"]
    assert await ranked(admin, period=month, minCost=0.29) == ["c", "a", "b"]
    assert await ranked(admin, period=month, minCost=0.009) == ["c", "a", "b", "d"]
    assert await ranked(admin, period=month, minCost=0.0095) == ["c", "a", "b"]
    assert await ranked(admin, period=month, minCost=125.51) == []
    for beyond in (1e20, 1e27, 1e100):
        assert await ranked(admin, period=month, minCost=beyond) == []
    assert await ranked(admin, period=month, minCost=0, tierId="gold") == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"minCost": "nan"},
        {"minCost": "inf"},
        {"minCost": "-0.01"},
        {"minCost": "1e-200"},
        {"limit": 0},
        {"limit": 1001},
        {"period": "2025-1"},
        {"period": "2025-01\n"},
        {"period": "2025-01-01"},
        {"period": "2025-01".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})},
        {"period": ""},
        {"tierId": "x" * 2001},
    ],
)
async def test_m8_t9_and_x4_what_no_schema_allows(
    tables: Platform, admin: httpx.AsyncClient, parameters: dict[str, Any]
) -> None:
    with tables.proxy.recording() as recording:
        answer = await admin.get(TOP, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["field"] == f"query.{next(iter(parameters))}"
    assert [call for call in recording.calls if "COST#" in call.text] == []


@pytest.mark.parametrize("path", [DASHBOARD, TOP, MODELS, TIERS, EXPORT])
@pytest.mark.parametrize(
    ("period", "status"),
    [("2025-13", 400), ("0000-01", 400), ("9999-12", 200), ('2025-01"', 422), ("2025-01/", 422), ("2025-01\r\n", 422)],
)
async def test_t9_and_x4_periods(admin: httpx.AsyncClient, path: str, period: str, status: int) -> None:
    answer = await admin.get(path, params={"period": period})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"period": "2025-01-01"}, 400),
        ({"period": "2025-01", "periodType": "daily"}, 400),
        ({"period": "2025-02-30", "periodType": "daily"}, 400),
        ({"period": "2025-13"}, 400),
        ({"period": "x"}, 400),
        ({"period": ""}, 400),
        ({"periodType": "weekly"}, 422),
        ({"period": "x" * 2001}, 422),
    ],
)
async def test_what_a_system_summary_cannot_be_of(
    admin: httpx.AsyncClient, parameters: dict[str, str], status: int
) -> None:
    assert (await admin.get(SUMMARY, params=parameters)).status_code == status


async def test_system_summaries(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    shares = {"m": {"cost": 1.25, "requests": 3}}
    tables.store(rollup("DAILY", f"{month}-09", 0.1), rollup("MONTHLY", month, 0.3, modelBreakdown=shares))
    day = (await admin.get(SUMMARY, params={"period": f"{month}-09", "periodType": "daily"})).json()
    assert (day["totalCost"], day["totalCacheSavings"], day["modelBreakdown"]) == (0.1, 0, None)
    assert (day["period"], day["periodType"], day["activeUsers"]) == (f"{month}-09", "daily", 1)
    with tables.proxy.recording(containing=month) as recording:
        of_month = (await admin.get(SUMMARY, params={"period": month})).json()
    assert (of_month["totalCost"], of_month["modelBreakdown"]) == (0.3, shares)
    assert len(recording.calls) == 1


async def test_by_model(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    tables.store(
        rollup("MODEL", f"{month}#a_b", 0.3, modelId="a.b", modelName="AB", provider="bedrock", totalRequests=3),
        rollup("MODEL", f"{month}#z", 0.3, modelId="z"),
        rollup("MODEL", f"{month}#c", 7, modelId="c"),
        rollup("MODEL", f"{month}0#other", 9, modelId="of another period"),
    )
    listed = (await admin.get(MODELS, params={"period": month})).json()
    assert [model["modelId"] for model in listed] == ["c", "a.b", "z"]
    assert listed[1] == {
        "modelId": "a.b",
        "modelName": "AB",
        "provider": "bedrock",
        "totalCost": 0.3,
        "totalRequests": 3,
        "uniqueUsers": 1,
        "avgCostPerRequest": 0.1,
        "totalInputTokens": 10,
        "totalOutputTokens": 5,
    }


async def test_by_tier_is_empty(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(TIERS)).json() == []


async def test_trends(tables: Platform, admin: httpx.AsyncClient) -> None:
    days = ["1969-01-01", "1969-04-01", "1969-04-02"]
    tables.store(*(rollup("DAILY", day, 1) for day in reversed(days)))

    async def dates(start: str, end: str) -> list[str]:
        answer = await admin.get(TRENDS, params={"startDate": start, "endDate": end})
        assert answer.status_code == 200, answer.text
        return [day["date"] for day in answer.json()]

    assert await dates("1969-01-01", "1969-04-01") == days[:2]
    # More than 90 days: the end is moved.
    assert await dates("1969-01-01", "1969-12-31") == days[:2]
    assert await dates("1969-04-01", "1969-04-02") == days[1:]
    # T8
    assert await dates("9999-12-30", "9999-12-31") == []
    assert await dates("1969-04-02", "1969-04-01") == []


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("2025-02-30", "2025-03-01", 400),
        ("2025-03-01", "2025-13-01", 400),
        ("0000-01-01", "2025-01-01", 400),
        ("2025-1-1", "2025-01-01", 422),
        ("2025-01-01", "2025-01-01T00:00:00", 422),
    ],
)
async def test_t8_dates_of_trends(admin: httpx.AsyncClient, start: str, end: str, status: int) -> None:
    answer = await admin.get(TRENDS, params={"startDate": start, "endDate": end})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["detail"] == "Dates must be in YYYY-MM-DD format"


async def test_both_dates_of_trends_are_required(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(TRENDS, params={"startDate": "2025-01-01"})).status_code == 422


@pytest.mark.parametrize("file_format", ["xml", "CSV", "csv\n", ""])
async def test_other_formats_are_refused(admin: httpx.AsyncClient, file_format: str) -> None:
    assert (await admin.get(EXPORT, params={"format": file_format})).status_code == 422


async def test_x2_an_id_is_no_formula(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    ids = ["=cmd|' /C calc'!A0", "+1", "-1", "@a", " =1", "\uff1d1", "000123456", 'm\u00fcller, "M"\r\nx']
    tables.store(*(cost_summary(user_id, month, 1) for user_id in ids))
    answer = await admin.get(EXPORT, params={"period": month})
    listed = list(csv.reader(io.StringIO(answer.content.decode("utf-8"), newline="")))[1:]
    assert {row[0] for row in listed} == {f"'{one}" for one in ids[:6]} | set(ids[6:])
    assert all(len(row) == 7 for row in listed)


async def test_x3_a_file_holds_a_thousand_users(tables: Platform, admin: httpx.AsyncClient, month: str) -> None:
    """One call tells whether there are more; for which of them see the unit tests of the ranking."""
    tables.store(*three(month))
    with tables.proxy.recording(containing=month) as recording:
        await admin.get(EXPORT, params={"period": month})
    (call,) = recording.calls
    assert json.loads(call.text.partition(" ")[2])["Limit"] == 1001


async def test_p3_equal_cents_are_ranked_by_cost_then_by_id(
    tables: Platform, admin: httpx.AsyncClient, month: str
) -> None:
    costs = {"d": "1.005", "b": "1.001", "a": "1.001", "c": "1.009", "e": "2", "f": "0.99"}
    tables.store(*(cost_summary(user, month, Decimal(cost)) for user, cost in costs.items()))
    order = ["e", "c", "d", "a", "b", "f"]
    for limit in range(1, 7):
        with tables.proxy.recording(containing=month) as recording:
            assert await ranked(admin, period=month, limit=limit) == order[:limit]
        # A second call only where the last place is shared.
        assert len(recording.calls) == (2 if limit in {2, 3, 4} else 1)


async def test_x3_a_failure_on_a_later_page_is_no_answer(
    tables: Platform, admin: httpx.AsyncClient, month: str
) -> None:
    tables.store(*(cost_summary(user, month, 1) for user in "abc"))
    with tables.proxy.injecting(Fault(FaultKind.RESET, operation="Query", containing=month, nth=2)) as injection:
        failed = await admin.get(TOP, params={"period": month, "limit": 1})
    assert (injection.hits, failed.status_code, failed.json()["code"]) == (1, 503, "service_unavailable")


ROWS = {
    "dashboard": (DASHBOARD, "Failed to retrieve cost dashboard"),
    "top users": (TOP, "Failed to retrieve top users"),
    "system summary": (SUMMARY, "Failed to retrieve system summary"),
    "models": (MODELS, "Failed to retrieve model usage"),
    "trends": (TRENDS, "Failed to retrieve cost trends"),
    "export": (EXPORT, "Failed to export cost data"),
}


@pytest.mark.parametrize("kind", [FaultKind.ACCESS_DENIED, FaultKind.THROTTLED])
@pytest.mark.parametrize("name", ROWS)
async def test_f_smc_66_a_failing_query(
    tables: Platform, admin: httpx.AsyncClient, month: str, name: str, kind: FaultKind
) -> None:
    path, text = ROWS[name]
    dates = {"startDate": f"{month}-01", "endDate": f"{month}-02"}
    tables.store(*three(month), rollup("MONTHLY", month, 1))
    with tables.proxy.injecting(Fault(kind, service="dynamodb", containing=month)):
        answer = await admin.get(path, params=dates if path == TRENDS else {"period": month})
    body = answer.json()
    if kind is FaultKind.ACCESS_DENIED:
        assert (answer.status_code, body["code"], body["detail"]) == (500, "internal_error", text)
    else:
        assert (answer.status_code, body["code"]) == (503, "service_unavailable")
    assert not [word for word in tables.internals if word in answer.text]
    await tables.settled(answer.headers["x-request-id"])
    (record,) = tables.records(answer.headers["x-request-id"], FAILED)
    assert (record["code"], record["user_id"]) == (body["code"], "100000000")


@pytest.mark.parametrize("containing", ["ROLLUP#MONTHLY", "ROLLUP#DAILY", "ROLLUP#MODEL", "PeriodCostIndex"])
async def test_e18_no_part_of_a_dashboard_is_left_out(
    tables: Platform, admin: httpx.AsyncClient, month: str, containing: str
) -> None:
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, containing=containing)) as injection:
        answer = await admin.get(DASHBOARD, params={"period": month})
    assert (injection.hits, answer.status_code) == (1, 503)


@pytest.mark.parametrize("name", ROWS)
async def test_a_corrupt_item_is_named_in_the_log_only(
    tables: Platform, admin: httpx.AsyncClient, month: str, name: str
) -> None:
    path, text = ROWS[name]
    dates = {"startDate": f"{month}-01", "endDate": f"{month}-02"}
    tables.store(
        cost_summary("u1", month, "much", cents=1),
        rollup("MONTHLY", month, "much"),
        rollup("DAILY", f"{month}-01", "much"),
        rollup("MODEL", f"{month}#m", "much"),
    )
    answer = await admin.get(path, params=dates if path == TRENDS else {"period": month})
    assert (answer.status_code, answer.json()["detail"]) == (500, text)
    await tables.settled(answer.headers["x-request-id"])
    (record,) = tables.records(answer.headers["x-request-id"], FAILED)
    assert month in record["key"]
    assert "totalCost" in record["corrupt_fields"]
