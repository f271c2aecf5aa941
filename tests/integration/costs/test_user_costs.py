"""What users see of their own costs, in both storage modes."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform
from tests.support.service_log import FAILED
from tests.support.stored import Row

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SANITISED = "us_anthropic_claude_sonnet_4_5_20250929_v1_0"
ZEROS = {
    "totalCost": 0.0,
    "models": [],
    "totalRequests": 0,
    "totalInputTokens": 0,
    "totalOutputTokens": 0,
    "totalCacheReadTokens": 0,
    "totalCacheWriteTokens": 0,
    "totalCacheSavings": 0.0,
}
REPORT = "/costs/detailed-report"


def an_id() -> str:
    """The number of an employee whom no other test knows."""
    return str(200_000_000 + uuid.uuid4().int % 800_000_000)


@pytest.fixture
def user_id() -> str:
    return an_id()


@pytest.fixture
async def user(platform: Platform, user_id: str) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(user_id) as client:
        yield client


@pytest.fixture
async def table_user(tables: Platform, user_id: str) -> AsyncIterator[httpx.AsyncClient]:
    async with tables.client(user_id) as client:
        yield client


@pytest.fixture
async def file_user(files: Platform, user_id: str) -> AsyncIterator[httpx.AsyncClient]:
    async with files.client(user_id) as client:
        yield client


def worked(user_id: str, index: int = 1, at: str = stored.MOMENT, **members: Any) -> Row:
    """The cost record of the worked example."""
    session_id = f"s-{user_id}"
    return stored.cost_record(
        user_id,
        session_id,
        index,
        attribution={"userId": user_id, "sessionId": session_id, "timestamp": at},
        **{
            "cost": 0.010935,
            "tokenUsage": {
                "inputTokens": 1000,
                "outputTokens": 500,
                "totalTokens": 1500,
                "cacheReadInputTokens": 200,
                "cacheWriteInputTokens": 100,
            },
            "modelInfo": {
                "modelId": SONNET,
                "modelName": "Claude Sonnet 4.5",
                "provider": "bedrock",
                "pricingSnapshot": {
                    "inputPricePerMtok": 3,
                    "outputPricePerMtok": 15,
                    "cacheReadPricePerMtok": 0.3,
                    "cacheWritePricePerMtok": 3.75,
                    "currency": "USD",
                    "snapshotAt": "2025-01-15T10:30:45Z",
                },
            },
            **members,
        },
    )


def worked_summary(user_id: str) -> Row:
    """What a turn that ends like the worked example adds to."""
    usage = {"inputTokens": 1000, "outputTokens": 500, "cacheReadTokens": 200, "cacheWriteTokens": 100}
    return stored.cost_summary(
        user_id,
        "2025-01",
        0.010935,
        cacheSavings=0.00054,
        totalInputTokens=1000,
        totalOutputTokens=500,
        totalCacheReadTokens=200,
        totalCacheWriteTokens=100,
        modelBreakdown={
            SANITISED: {
                "modelName": "Claude Sonnet 4.5",
                "provider": "bedrock",
                "cost": 0.010935,
                "requests": 1,
                **usage,
            }
        },
    )


def january(platform: Platform, user_id: str) -> Iterator[Row]:
    """As a turn has left it: beside its record tables keep the month."""
    yield worked(user_id)
    if platform.in_tables:
        yield worked_summary(user_id)


async def test_e15_without_any_usage_all_is_zero(user: httpx.AsyncClient, user_id: str) -> None:
    answer = await user.get("/costs/summary", params={"period": "2025-02"})
    assert answer.status_code == 200
    assert answer.json() == {
        "userId": user_id,
        "periodStart": "2025-02-01T00:00:00Z",
        "periodEnd": "2025-02-28T23:59:59Z",
        **ZEROS,
    }


async def test_e15_a_month(platform: Platform, user: httpx.AsyncClient, user_id: str) -> None:
    platform.store(*january(platform, user_id))
    answer = await user.get("/costs/summary", params={"period": "2025-01"})
    assert answer.json() == {
        "userId": user_id,
        "periodStart": "2025-01-01T00:00:00Z",
        "periodEnd": "2025-01-31T23:59:59Z",
        "totalCost": 0.010935,
        "models": [
            {
                "modelId": SANITISED if platform.in_tables else SONNET,
                "modelName": "Claude Sonnet 4.5",
                "provider": "bedrock",
                "totalInputTokens": 1000,
                "totalOutputTokens": 500,
                "totalCacheReadTokens": 200,
                "totalCacheWriteTokens": 100,
                "costBreakdown": {
                    "inputCost": 0,
                    "outputCost": 0,
                    "cacheWriteCost": 0,
                    "cacheReadCost": 0,
                    "totalCost": 0.010935,
                },
                "requestCount": 1,
            }
        ],
        "totalRequests": 1,
        "totalInputTokens": 1000,
        "totalOutputTokens": 500,
        "totalCacheReadTokens": 200,
        "totalCacheWriteTokens": 100,
        "totalCacheSavings": 0.00054,
    }


async def test_by_default_it_is_this_month(user: httpx.AsyncClient) -> None:
    answer = await user.get("/costs/summary")
    assert answer.json()["periodStart"][8:] == "01T00:00:00Z"


async def test_t10_the_stored_end_of_a_short_month_is_not_shown(
    tables: Platform, table_user: httpx.AsyncClient, user_id: str
) -> None:
    tables.store(stored.cost_summary(user_id, "2024-02", 0.57))
    answer = (await table_user.get("/costs/summary", params={"period": "2024-02"})).json()
    assert (answer["periodEnd"], answer["totalCost"]) == ("2024-02-29T23:59:59Z", 0.57)


async def test_what_an_old_item_lacks_is_zero(tables: Platform, table_user: httpx.AsyncClient, user_id: str) -> None:
    item = {"PK": f"USER#{user_id}", "SK": "PERIOD#2025-01", "modelBreakdown": {"m": {"requests": 2}}}
    tables.store(Row(stored.SUMMARIES, item))
    answer = (await table_user.get("/costs/summary", params={"period": "2025-01"})).json()
    assert (answer["totalCost"], answer["totalRequests"]) == (0, 0)
    (model,) = answer["models"]
    assert (model["modelId"], model["modelName"], model["provider"]) == ("m", "Unknown", "unknown")
    assert (model["requestCount"], model["costBreakdown"]["totalCost"]) == (2, 0)


FULL_WIDTH = "2025-01".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})


@pytest.mark.parametrize(
    "period", ["2025-13", "2025-00", "2025-1", "0000-01", "2025-01\n", FULL_WIDTH, "", "now", "2025-01-01", "x" * 5000]
)
async def test_t9_what_is_no_month(tables: Platform, table_user: httpx.AsyncClient, period: str) -> None:
    with tables.proxy.recording() as recording:
        answer = await table_user.get("/costs/summary", params={"period": period})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["field"] == "query.period"
    assert recording.calls == []


async def test_t9_the_last_month(user: httpx.AsyncClient) -> None:
    answer = await user.get("/costs/summary", params={"period": "9999-12"})
    assert (answer.status_code, answer.json()["periodEnd"]) == (200, "9999-12-31T23:59:59Z")


async def test_nobody_sees_the_costs_of_somebody_else(platform: Platform, user_id: str) -> None:
    platform.store(*january(platform, user_id))
    async with platform.client(an_id()) as other:
        summary = (await other.get("/costs/summary", params={"period": "2025-01"})).json()
        report = (await other.get(REPORT, params={"start_date": "2025-01-01", "end_date": "2025-01-31"})).json()
    assert (summary["totalRequests"], report["totalRequests"]) == (0, 0)


async def test_e16_a_report(platform: Platform, user: httpx.AsyncClient, user_id: str) -> None:
    platform.store(worked(user_id))
    answer = await user.get(REPORT, params={"start_date": "2025-01-01", "end_date": "2025-01-15"})
    body = answer.json()
    assert (body["periodStart"], body["periodEnd"]) == ("2025-01-01T00:00:00", "2025-01-15T00:00:00")
    assert (body["totalRequests"], body["totalCost"], body["totalCacheSavings"]) == (1, 0.010935, 0.00054)
    assert body["models"][0]["modelId"] == SONNET


@pytest.mark.parametrize(
    ("start", "end", "detail"),
    [
        ("x", "2025-01-15", "Invalid date format. Use YYYY-MM-DD"),
        ("2025-01-15", "2025-02-30", "Invalid date format. Use YYYY-MM-DD"),
        ("9999-12-31T23:59:59-05:00", "2025-01-15", "Invalid date format. Use YYYY-MM-DD"),
        ("2025-01-01", "2025-12-01", "Date range cannot exceed 90 days"),
        ("2025-01-02", "2025-01-01", "Start date must be before end date"),
    ],
)
async def test_e16_ranges_that_make_no_sense(
    tables: Platform, table_user: httpx.AsyncClient, start: str, end: str, detail: str
) -> None:
    with tables.proxy.recording() as recording:
        answer = await table_user.get(REPORT, params={"start_date": start, "end_date": end})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["detail"].startswith(detail)
    assert recording.calls == []


@pytest.mark.parametrize("parameters", [{}, {"start_date": "2025-01-01"}, {"end_date": "2025-01-01"}])
async def test_both_dates_are_required(table_user: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    assert (await table_user.get(REPORT, params=parameters)).status_code == 422


async def test_t6_a_literal_plus_is_an_offset(table_user: httpx.AsyncClient) -> None:
    answer = await table_user.get(f"{REPORT}?start_date=2025-01-01T00:00:00+02:00&end_date=2025-01-02")
    assert (answer.status_code, answer.json()["periodStart"]) == (200, "2025-01-01T00:00:00+02:00")


FORMS = [
    "2025-01-14T22:00:00+00:00",
    "2025-01-14T22:00:00Z",
    "2025-01-14T22:00:00.000000Z",
    "2025-01-15T10:30:45.123456+00:00",
    "2025-01-15T23:59:59Z",
    "2025-01-15T23:59:59.999999+00:00",
    "2025-01-15T23:59:59.999999Z",
]
OUTSIDE = ["2025-01-14T21:59:59.999999Z", "2025-01-14T21:59:59+00:00", "2025-01-16T00:00:00+00:00"]


async def test_t7_each_stored_form_of_a_moment_is_counted_once(
    platform: Platform, user: httpx.AsyncClient, user_id: str
) -> None:
    platform.store(*(worked(user_id, index, at) for index, at in enumerate(FORMS + OUTSIDE)))
    parameters = {"start_date": "2025-01-15T00:00:00+02:00", "end_date": "2025-01-15"}
    assert (await user.get(REPORT, params=parameters)).json()["totalRequests"] == len(FORMS)


async def test_t7_within_a_second_time_decides_and_not_text(
    platform: Platform, user: httpx.AsyncClient, user_id: str
) -> None:
    """`...45Z` sorts behind `...45.5Z`, and `...45+00:00` before it."""
    times = ["2025-01-15T10:30:45Z", "2025-01-15T10:30:45.500000+00:00", "2025-01-15T10:30:46Z"]
    platform.store(*(worked(user_id, index, at) for index, at in enumerate(times)))

    async def counted(start: str, end: str) -> int:
        parameters = {"start_date": f"2025-01-15T10:30:{start}", "end_date": f"2025-01-15T10:30:{end}"}
        return int((await user.get(REPORT, params=parameters)).json()["totalRequests"])

    assert await counted("45.000001", "45.999999") == 1
    assert await counted("45", "45") == 1
    assert await counted("45.5", "46") == 2
    assert await counted("45", "46") == 3


async def test_m11_real_ids_in_order_of_appearance(platform: Platform, user: httpx.AsyncClient, user_id: str) -> None:
    """Whatever the order in which the records were stored."""
    model_ids = ["z", "a.b-1", "a-b-1", "z"]
    records = [
        worked(user_id, index, f"2025-01-15T10:30:4{index}Z", modelInfo={"modelId": model_id, "modelName": "M"})
        for index, model_id in enumerate(model_ids)
    ]
    platform.store(*reversed(records))
    answer = (await user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})).json()
    assert [(model["modelId"], model["requestCount"]) for model in answer["models"]] == [
        ("z", 2),
        ("a.b-1", 1),
        ("a-b-1", 1),
    ]
    assert answer["totalCost"] == 0.04374


async def test_m11_the_month_of_tables_merges_what_is_one_map_key(
    tables: Platform, table_user: httpx.AsyncClient, user_id: str
) -> None:
    usage = {"modelName": "M", "provider": "p", "cost": 0.3, "requests": 3}
    tables.store(stored.cost_summary(user_id, "2025-01", 0.3, modelBreakdown={"a_b_1": usage}))
    answer = (await table_user.get("/costs/summary", params={"period": "2025-01"})).json()
    assert [(model["modelId"], model["requestCount"]) for model in answer["models"]] == [("a_b_1", 3)]


async def test_a_record_without_cost_or_model_is_a_request(
    platform: Platform, user: httpx.AsyncClient, user_id: str
) -> None:
    gone = stored.LEFT_OUT
    platform.store(worked(user_id, cost=gone, tokenUsage=gone, modelInfo=gone))
    answer = (await user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})).json()
    assert (answer["totalRequests"], answer["totalCost"]) == (1, 0)
    (model,) = answer["models"]
    assert (model["modelId"], model["modelName"], model["provider"]) == ("unknown", "Unknown", "unknown")


async def test_sums_are_made_in_decimal(platform: Platform, user: httpx.AsyncClient, user_id: str) -> None:
    """M2: as floats these are 0.9999999999999999."""
    costs = [0.7, 0.1, 0.1, 0.1]
    platform.store(
        *(worked(user_id, index, f"2025-01-15T10:30:4{index}Z", cost=cost) for index, cost in enumerate(costs))
    )
    answer = (await user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})).json()
    assert answer["totalCost"] == 1.0


async def test_round_trips(tables: Platform, table_user: httpx.AsyncClient, user_id: str) -> None:
    tables.store(worked(user_id), worked_summary(user_id))
    with tables.proxy.recording(containing=user_id) as recording:
        await table_user.get("/costs/summary", params={"period": "2025-01"})
        await table_user.get(REPORT, params={"start_date": "2025-01-01", "end_date": "2025-01-31"})
    assert [call.target.operation for call in recording.calls] == ["GetItem", "Query"]


async def test_a_report_reads_all_pages_and_no_citations(
    tables: Platform, table_user: httpx.AsyncClient, user_id: str
) -> None:
    """A page of the service ends at 1 MB."""
    passages = [{"assistantId": "a", "documentId": "d", "fileName": "f", "text": "x" * 300_000}]
    times = [f"2025-01-15T10:30:{second:02}Z" for second in range(8)]
    tables.store(*(worked(user_id, index, at, citations=passages) for index, at in enumerate(times)))
    with tables.proxy.recording(containing=user_id) as recording:
        answer = await table_user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})
    assert answer.json()["totalRequests"] == len(times)
    assert len(recording.calls) > 1
    assert all("citations" not in call.text for call in recording.calls)


CORRUPT: dict[str, Any] = {
    "F-SMC-62 no JSON": ("{", 500, "internal_error"),
    "F-SMC-62 no object": ("[]", 500, "internal_error"),
    "F-SMC-62 no record": ('{"1": 5}', 500, "internal_error"),
    "F-SMC-62 not to be read": (None, 503, "service_unavailable"),
}


@pytest.mark.parametrize(
    "path", ["/costs/summary?period=2025-01", f"{REPORT}?start_date=2025-01-15&end_date=2025-01-15"]
)
@pytest.mark.parametrize("case", CORRUPT)
async def test_f_smc_62_and_63_a_local_file_that_cannot_be_read(
    files: Platform, file_user: httpx.AsyncClient, user_id: str, case: str, path: str
) -> None:
    content, status, code = CORRUPT[case]
    files.store(worked(user_id))
    file = files.folder.session(f"broken-{user_id}") / "message-metadata.json"
    file.parent.mkdir()
    # A folder in the place of the file: not even root can read it.
    file.mkdir() if content is None else file.write_text(content)
    answer = await file_user.get(path)
    file.rmdir() if content is None else file.unlink()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    await files.settled(answer.headers["x-request-id"])
    (record,) = files.records(answer.headers["x-request-id"], FAILED)
    assert record["code"] == code
    assert (await file_user.get(path)).status_code == 200


@pytest.mark.parametrize(
    "attribution",
    [{"timestamp": "the 15th"}, {}, {"timestamp": None}],
)
async def test_f_smc_63_a_local_record_without_a_time(
    files: Platform, file_user: httpx.AsyncClient, user_id: str, attribution: dict[str, Any]
) -> None:
    row = worked(user_id)
    row.item["attribution"] = {"userId": user_id, **attribution}
    files.store(row)
    answer = await file_user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    await files.settled(answer.headers["x-request-id"])
    (record,) = files.records(answer.headers["x-request-id"], FAILED)
    assert record["entity"] == "cost record"
    async with files.client(an_id()) as other:
        assert (await other.get("/costs/summary")).status_code == 200


async def test_f_smc_63_a_local_record_without_attribution_is_nobodys(
    files: Platform, file_user: httpx.AsyncClient, user_id: str
) -> None:
    row = worked(user_id, 3)
    del row.item["attribution"]
    files.store(worked(user_id), row)
    answer = await file_user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})
    assert answer.json()["totalRequests"] == 1


async def test_costs_of_a_deleted_session_stay(platform: Platform, user: httpx.AsyncClient, user_id: str) -> None:
    platform.store(stored.session(user_id, f"s-{user_id}"), *january(platform, user_id))
    assert (await user.delete(f"/sessions/s-{user_id}")).status_code == 204
    answer = await user.get("/costs/summary", params={"period": "2025-01"})
    assert answer.json()["totalRequests"] == 1


FAILING = {
    "F-SMC-64": ("GetItem", stored.SUMMARIES, "/costs/summary"),
    "F-SMC-65": ("Query", stored.SESSIONS, f"{REPORT}?start_date=2025-01-15&end_date=2025-01-15"),
}
KINDS = {
    FaultKind.ACCESS_DENIED: (500, "internal_error"),
    FaultKind.THROTTLED: (503, "service_unavailable"),
    FaultKind.RESET: (503, "service_unavailable"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", FAILING)
async def test_a_failing_read_is_no_empty_answer(
    tables: Platform, table_user: httpx.AsyncClient, user_id: str, row: str, kind: FaultKind
) -> None:
    operation, table, path = FAILING[row]
    tables.store(worked(user_id), worked_summary(user_id))
    fault = Fault(kind, operation=operation, table=tables.variables[table], containing=user_id)
    with tables.proxy.injecting(fault) as injection:
        answer = await table_user.get(path)
    assert injection.hits == 1
    assert (answer.status_code, answer.json()["code"]) == KINDS[kind]
    assert not [word for word in tables.internals if word in answer.text]
    await tables.settled(answer.headers["x-request-id"])
    (record,) = tables.records(answer.headers["x-request-id"], FAILED)
    assert (record["code"], record["user_id"]) == (KINDS[kind][1], user_id)


async def test_f_smc_65_a_failure_on_a_later_page(
    tables: Platform, table_user: httpx.AsyncClient, user_id: str
) -> None:
    passages = [{"assistantId": "a", "documentId": "d", "fileName": "f", "text": "x" * 300_000}]
    times = [f"2025-01-15T10:30:{second:02}Z" for second in range(8)]
    tables.store(*(worked(user_id, index, at, citations=passages) for index, at in enumerate(times)))
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query", containing=user_id, nth=2)):
        answer = await table_user.get(REPORT, params={"start_date": "2025-01-15", "end_date": "2025-01-15"})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize("path", ["/costs/summary", REPORT])
async def test_without_a_token_nobody_is_let_in(tables: Platform, path: str) -> None:
    assert (await tables.app_api.http.get(path)).status_code == 401
