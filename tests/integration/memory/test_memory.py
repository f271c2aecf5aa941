"""What users see, search and delete of what is remembered of them."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.long_term_memory import ALL_STRATEGIES, LongTermMemory
from tests.support.platform import Platform, User

U1, U10 = "400000001", "4000000010"
"""The second is nobody who can sign in: only its records are there."""
PREFERENCES, FACTS = f"/strategies/pref-1/actors/{U1}", f"/strategies/sem-1/actors/{U1}"
SUMMARIES = f"/strategies/sum-1/actors/{U1}/sessions/s1"
CREATED = "2025-01-02T03:04:05+00:00"


@pytest.fixture
async def memory(tables: Platform) -> AsyncIterator[LongTermMemory]:
    """All kinds of strategies and no records; the service knows nothing of what was before."""
    tables.memory.reset()
    tables.memory.strategies = ALL_STRATEGIES
    await tables.forget()
    yield tables.memory
    tables.memory.reset()
    await tables.forget()


@pytest.fixture
def user(tables: Platform) -> User:
    return tables.sign_in(U1, "Staff")


async def get(tables: Platform, path: str) -> dict[str, Any]:
    answer = await tables.ask(tables.sign_in(U1, "Staff"), "GET", path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def texts(tables: Platform, path: str) -> list[str]:
    found = await get(tables, path)
    assert found["totalCount"] == len(found["memories"])
    return [record["content"] for record in found["memories"]]


def operations(calls: list[Call]) -> list[str]:
    return [call.target.operation for call in calls if call.target.service.startswith("bedrock-agentcore")]


# --- what is found ---


async def test_e18_all_memories(tables: Platform, memory: LongTermMemory) -> None:
    record_id = memory.remember(PREFERENCES, "likes python", score=0.42)
    assert await get(tables, "/memory") == {
        "preferences": {
            "memories": [
                {
                    "recordId": record_id,
                    "content": "likes python",
                    "namespace": f"/preferences/{U1}",
                    "relevanceScore": 0.42,
                    "createdAt": CREATED,
                }
            ],
            "namespace": f"/preferences/{U1}",
            "totalCount": 1,
        },
        "facts": {"memories": [], "namespace": f"/facts/{U1}", "totalCount": 0},
    }


@pytest.mark.parametrize(
    ("path", "namespace", "label", "search"),
    [
        ("/memory/preferences", PREFERENCES, f"/preferences/{U1}", "user preferences settings behavior"),
        ("/memory/facts", FACTS, f"/facts/{U1}", "information facts knowledge"),
        ("/memory/summaries/s1", SUMMARIES, f"/summaries/{U1}/s1", "conversation summary topics decisions"),
    ],
)
async def test_one_kind(
    tables: Platform, memory: LongTermMemory, path: str, namespace: str, label: str, search: str
) -> None:
    memory.remember(namespace, "x", score=0.5)
    with tables.proxy.recording() as recording:
        found = await get(tables, path)
    assert (found["namespace"], found["memories"][0]["namespace"], found["totalCount"]) == (label, label, 1)
    assert "query" not in found
    asked = [json.loads(call.text.partition(" ")[2]) for call in recording.calls if "retrieve" in call.text]
    assert {one["searchCriteria"]["searchQuery"] for one in asked} == {search}
    assert {one["searchCriteria"]["topK"] for one in asked} == {10}
    assert (await get(tables, f"{path}?query=tea&topK=3"))["query"] == "tea"
    assert "query" not in await get(tables, f"{path}?query=%20")


@pytest.mark.parametrize("is_older", [False, True], ids=["today", "prefixes"])
async def test_l1_and_l2_only_what_is_the_callers_own(tables: Platform, memory: LongTermMemory, is_older: bool) -> None:
    memory.is_older = is_older
    for number, namespace in enumerate(
        [PREFERENCES, f"{PREFERENCES}/", f"{PREFERENCES}/extra", f"/strategies/pref-1/actors/{U10}", None]
    ):
        memory.remember(namespace, str(number), score=1 - number / 10)
    for session, text in (("s1", "own"), ("s1/", "own, too"), ("s10", "of another session")):
        memory.remember(f"/strategies/sum-1/actors/{U1}/sessions/{session}", text, score=0.5)
    assert await texts(tables, "/memory/preferences") == ["0", "1", "2"]
    assert sorted(await texts(tables, "/memory/summaries/s1")) == ["own", "own, too"]
    assert await texts(tables, "/memory/facts") == []


@pytest.mark.parametrize("is_older", [False, True], ids=["today", "prefixes"])
async def test_l1_a_summary_is_found_and_deleted(
    tables: Platform, memory: LongTermMemory, user: User, is_older: bool
) -> None:
    memory.is_older = is_older
    record_id = memory.remember(SUMMARIES, "s")
    deleted = await tables.ask(user, "DELETE", f"/memory/{record_id}")
    assert (deleted.status_code, deleted.json()["deletedCount"]) == (200, 1)
    assert record_id in deleted.json()["message"]
    assert memory.deleted == [record_id]


async def test_l4_as_many_as_there_are_in_order(tables: Platform, memory: LongTermMemory) -> None:
    for number in range(35):
        memory.remember(FACTS, str(number), score=1 - number / 100)
    assert await texts(tables, "/memory/facts?topK=50") == [str(number) for number in range(35)]
    assert await texts(tables, "/memory/facts?topK=2") == ["0", "1"]


async def pages(tables: Platform, reply: Callable[[int, str | None], dict[str, Any] | None]) -> httpx.Response:
    """The facts, where the service answers each question for a page so; None: it is throttled."""
    asked = 0

    def answer(call: Call) -> Answer | None:
        nonlocal asked
        if call.target.operation != "RetrieveMemoryRecords":
            return None
        given = json.loads(call.text.partition(" ")[2])
        if given.get("namespace") != FACTS:
            return Answer(200, "application/json", b'{"memoryRecordSummaries": []}')
        asked += 1
        body = reply(asked, given.get("nextToken"))
        if body is None:
            return Answer(429, "application/json", b"{}", (("x-amzn-errortype", "ThrottledException"),))
        return Answer(200, "application/json", json.dumps(body).encode())

    with tables.proxy.answering(answer):
        return await tables.ask(tables.sign_in(U1, "Staff"), "GET", "/memory/facts?topK=50")


def record(text: str, **members: Any) -> dict[str, Any]:
    return {
        "memoryRecordId": f"mem-{text:0>36}",
        "content": {"text": text},
        "memoryStrategyId": "sem-1",
        "namespaces": [FACTS],
        "createdAt": 1.0,
        **members,
    }


async def test_l4_an_empty_page_is_not_the_last(tables: Platform, memory: LongTermMemory) -> None:
    following: dict[int, dict[str, Any]] = {
        1: {"memoryRecordSummaries": [], "nextToken": "a"},
        2: {"memoryRecordSummaries": [record("x")]},
    }
    answer = await pages(tables, lambda number, _: following[number])
    assert [one["content"] for one in answer.json()["memories"]] == ["x"]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda _, __: {"memoryRecordSummaries": [record("x")], "nextToken": "again"}, id="one token"),
        pytest.param(
            lambda n, _: None if n == 7 else {"memoryRecordSummaries": [record(f"{n}")], "nextToken": f"{n}"},
            id="page 7 throttled",
        ),
    ],
)
async def test_l4_never_a_part(tables: Platform, memory: LongTermMemory, reply: Any) -> None:
    answer = await pages(tables, reply)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


async def test_l5_what_a_record_says(tables: Platform, memory: LongTermMemory) -> None:
    """F-CHAT-59 too."""
    given = [
        record("a", content={}),
        record("b", content={"text": None}),
        record("c", content={"text": ""}, score=0.0),
        record("d", content={"invented": {"x": 1}}, score=float("nan")),
        record("e", content={"text": '{"preference": "tea"}'}, createdAt="2025-01-02T05:04:05+02:00", score=0.7),
        record("f", content={"text": "<topic>é</topic>"}, createdAt="2025-01-02T03:04:05"),
    ]
    first = {"memoryRecordSummaries": given, "nextToken": "2"}
    answer = await pages(tables, lambda n, _: first if n == 1 else {"memoryRecordSummaries": given[:2]})
    assert answer.status_code == 200, answer.text
    shown = {one["recordId"][-1]: one for one in answer.json()["memories"]}
    assert len(answer.json()["memories"]) == len(given), "the same record on two pages is shown once"
    assert {key: one["content"] for key, one in shown.items()} == {
        "a": "{}",
        "b": '{"text": null}',
        "c": "",
        "d": '{"invented": {"x": 1}}',
        "e": '{"preference": "tea"}',
        "f": "<topic>é</topic>",
    }
    assert {key: one.get("relevanceScore") for key, one in shown.items()} == {
        **dict.fromkeys("abdf"),
        "c": 0.0,
        "e": 0.7,
    }
    assert (shown["e"]["createdAt"], shown["f"]["createdAt"]) == (CREATED, CREATED)


# --- searching ---


async def search(tables: Platform, user: User, **body: Any) -> httpx.Response:
    return await tables.ask(user, "POST", "/memory/search", body)


@pytest.mark.parametrize(
    ("namespace", "found", "label"),
    [
        (None, "fact", f"/facts/{U1}"),
        ("facts", "fact", f"/facts/{U1}"),
        ("preferences", "preference", f"/preferences/{U1}"),
        (f"/facts/{U1}", "fact", f"/facts/{U1}"),
        (f"/preferences/{U1}", "preference", f"/preferences/{U1}"),
        (f"/summaries/{U1}/s1", "summary", f"/summaries/{U1}/s1"),
        (PREFERENCES, "preference", PREFERENCES),
        (f"{FACTS}/", "fact", f"{FACTS}/"),
        (SUMMARIES, "summary", SUMMARIES),
    ],
)
async def test_a_namespace_of_the_callers_own(
    tables: Platform, memory: LongTermMemory, user: User, namespace: str | None, found: str, label: str
) -> None:
    memory.remember(FACTS, "fact")
    memory.remember(PREFERENCES, "preference")
    memory.remember(SUMMARIES, "summary")
    answer = await search(tables, user, query="x", namespace=namespace, top_k=5)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["memories"]
    assert (one["content"], one["namespace"], answer.json()["namespace"]) == (found, label, label)
    assert answer.json()["query"] == "x"


@pytest.mark.parametrize(
    "namespace",
    [
        f"/preferences/{U10}",
        f"/preferences/{U1}/../{U10}",
        f"/PREFERENCES/{U1}",
        f"preferences/{U1}",
        f"{PREFERENCES}*",
        "/strategies/pref-1/actors/*",
        f"/strategies/other/actors/{U1}",
        f"/strategies/pref-1/actors/{U10}",
        f"/strategies/*/actors/{U1}",
        f"/strategies/sum-1/actors/{U1}",
        f"{PREFERENCES}/sessions/s1",
        f"/summaries/{U1}/*",
        f"/summaries/{U1}/",
        f"/summaries/{U1}",
        f"/facts/{U1}/",
        "/",
        "",
        "*",
    ],
)
async def test_l3_and_e19_anything_else_is_refused(
    tables: Platform, memory: LongTermMemory, user: User, namespace: str
) -> None:
    memory.remember(f"/strategies/pref-1/actors/{U10}", "of somebody else")
    with tables.proxy.recording() as recording:
        answer = await search(tables, user, query="x", namespace=namespace)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert set(operations(recording.calls)) <= {"GetMemory"}


@pytest.mark.parametrize("path", ["/memory/summaries/*", "/memory/summaries/a%2Fb"])
async def test_l3_a_session_that_is_no_session(tables: Platform, memory: LongTermMemory, user: User, path: str) -> None:
    with tables.proxy.recording() as recording:
        answer = await tables.ask(user, "GET", path)
    assert answer.status_code in {404, 422}
    assert operations(recording.calls) == []


@pytest.mark.parametrize("user_id", ["4*", "4/5"])
async def test_l3_a_user_whose_id_stands_for_others(tables: Platform, memory: LongTermMemory, user_id: str) -> None:
    memory.remember(PREFERENCES, "of somebody else")
    asker = tables.sign_in(user_id, "Staff")
    with tables.proxy.recording() as recording:
        answers = [
            await tables.ask(asker, "GET", "/memory/preferences"),
            await tables.ask(asker, "DELETE", f"/memory/{memory.records[0]['memoryRecordId']}"),
        ]
    assert {answer.status_code for answer in answers} <= {401, 403}
    assert operations(recording.calls) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/memory?topK=0", None, "query.topK"),
        ("GET", "/memory/facts?topK=51", None, "query.topK"),
        ("GET", f"/memory/preferences?query={'x' * 10_001}", None, "query.query"),
        ("POST", "/memory/search", {"query": ""}, "body.query"),
        ("POST", "/memory/search", {"query": " \n"}, "body.query"),
        ("POST", "/memory/search", {"query": "x" * 10_001}, "body.query"),
        ("POST", "/memory/search", {"query": "x", "topK": 51}, "body.topK"),
        ("POST", "/memory/search", {}, "body.query"),
    ],
)
async def test_e19_what_makes_no_sense(
    tables: Platform, user: User, method: str, path: str, body: Any, field: str
) -> None:
    answer = await tables.ask(user, method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["field"] == field


# --- strategies and status ---


async def test_e17_status(tables: Platform, files: Platform, memory: LongTermMemory) -> None:
    assert await get(tables, "/memory/status") == {
        "status": "available",
        "available": True,
        "mode": "cloud",
        "memory_id": tables.memory.memory_id,
        "region": "us-west-2",
        "strategies": {"semantic": "sem-1", "preference": "pref-1", "summary": "sum-1"},
        "namespaces": {
            "preferences": "/strategies/pref-1/actors/{userId}",
            "facts": "/strategies/sem-1/actors/{userId}",
            "summaries": "/strategies/sum-1/actors/{userId}/sessions/{sessionId}",
        },
    }
    assert await get(files, "/memory/status") == {
        "status": "unavailable",
        "available": False,
        "mode": "local",
        "memory_id": None,
        "region": "us-west-2",
        "strategies": {"semantic": None, "preference": None, "summary": None},
        "namespaces": {"preferences": None, "facts": None, "summaries": None},
    }


OPERATIONS = [
    ("GET", "/memory", None),
    ("GET", "/memory/preferences", None),
    ("GET", "/memory/facts", None),
    ("GET", "/memory/summaries/s1", None),
    ("GET", "/memory/strategies", None),
    ("POST", "/memory/search", {"query": "x"}),
    ("DELETE", "/memory/mem-1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_e17_without_a_memory(files: Platform, method: str, path: str, body: Any) -> None:
    answer = await files.ask(files.user, method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert "AgentCore Memory is not available" in answer.json()["detail"]


async def test_l6_strategies(tables: Platform, memory: LongTermMemory) -> None:
    memory.strategies = [
        {"strategyId": "pref-1", "type": "USER_PREFERENCE", "status": "ACTIVE", "namespaces": ["/old/"]},
        {"strategyId": "pref-2", "type": "USER_PREFERENCE", "namespaces": [], "namespaceTemplates": ["/new/"]},
        *(
            {"strategyId": f"pref-{status}", "type": "USER_PREFERENCE", "status": status}
            for status in ("CREATING", "FAILED", "DELETING")
        ),
        {"memoryStrategyId": "sem-old", "memoryStrategyType": "SEMANTIC"},
        {"strategyId": "ep-1", "type": "EPISODIC", "status": "ACTIVE", "configuration": {"type": "x"}},
        {"strategyId": "cu-1", "type": "CUSTOM", "status": "ACTIVE"},
        {},
    ]
    listed = await get(tables, "/memory/strategies")
    assert listed["memoryId"] == tables.memory.memory_id
    assert [(one["strategyId"], one["strategyType"]) for one in listed["strategies"]] == [
        ("pref-1", "USER_PREFERENCE"),
        ("pref-2", "USER_PREFERENCE"),
        ("pref-CREATING", "USER_PREFERENCE"),
        ("pref-FAILED", "USER_PREFERENCE"),
        ("pref-DELETING", "USER_PREFERENCE"),
        ("sem-old", "SEMANTIC"),
        ("ep-1", "EPISODIC"),
        ("cu-1", "CUSTOM"),
        ("unknown", "unknown"),
    ]
    assert [one.get("namespace") for one in listed["strategies"]][:2] == ["/old/", "/new/"]
    assert "status" not in listed["strategies"][1]
    status = await get(tables, "/memory/status")
    assert status["strategies"] == {"semantic": "sem-old", "preference": "pref-2", "summary": None}
    assert status["namespaces"]["summaries"] is None


async def test_l6_without_strategies_there_is_nothing(tables: Platform, memory: LongTermMemory, user: User) -> None:
    memory.strategies = []
    memory.remember(PREFERENCES, "x")
    assert await texts(tables, "/memory/preferences") == []
    assert await texts(tables, "/memory/summaries/s1") == []
    assert (await tables.ask(user, "DELETE", f"/memory/{memory.records[0]['memoryRecordId']}")).status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), [*OPERATIONS, ("GET", "/memory/status", None)])
async def test_f_chat_51_53_55_strategies_that_cannot_be_read(
    tables: Platform,
    memory: LongTermMemory,
    user: User,
    method: str,
    path: str,
    body: Any,
) -> None:
    """Never 200 with blanks, and the next request asks again."""
    with tables.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="GetMemory")):
        answer = await tables.ask(user, method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    await tables.settled(answer.headers["x-request-id"])
    (log,) = tables.records(answer.headers["x-request-id"], "request failed")
    assert log["aws_operation"] == "GetMemory"
    assert (await tables.ask(user, method, path, body)).status_code in {200, 404}


async def test_strategies_are_asked_for_once(tables: Platform, memory: LongTermMemory) -> None:
    with tables.proxy.recording() as recording:
        await get(tables, "/memory/preferences")
        await get(tables, "/memory/facts")
    assert operations(recording.calls) == ["GetMemory", *["RetrieveMemoryRecords"] * 6]


async def test_f_chat_52_and_54_a_search_that_fails(tables: Platform, memory: LongTermMemory, user: User) -> None:
    """Also of one of the two lists: never a part."""
    memory.remember(PREFERENCES, "x")
    for nth in (1, 3):
        with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="RetrieveMemoryRecords", nth=nth)):
            answer = await tables.ask(user, "GET", "/memory")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


async def test_a_record_without_content_fails_the_list(tables: Platform, memory: LongTermMemory, user: User) -> None:
    memory.remember(PREFERENCES, "x", content="no content at all")
    del memory.records[0]["content"]
    answer = await tables.ask(user, "GET", "/memory/preferences")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


@pytest.mark.parametrize(
    "variables", [{"AGENTCORE_MEMORY_TYPE": "bogus"}, {"AGENTCORE_MEMORY_ID": ""}], ids=["type", "no id"]
)
async def test_f_chat_50_and_56_variables_that_contradict_each_other(
    configured: Callable[..., Any], variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    found, failure = await configured(**variables)
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert record.getMessage() == "the variables of the memory contradict each other"
    assert "AGENTCORE_MEMORY_ID" in str(getattr(record, "variables", ""))
    assert (found.status, found.available, found.mode, found.memory_id) == ("unavailable", False, "unknown", None)
    assert "bogus" not in str(found.error)
    assert found.error
    assert failure.code == "service_unavailable"
    assert "AgentCore Memory is not available" in failure.detail


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The status and the failure of a process with such variables."""
    from apis.app_api.memory import service
    from apis.shared.wiring import forget_all

    async def answers(**variables: str) -> Any:
        for name, value in {"AGENTCORE_MEMORY_TYPE": "dynamodb", "AGENTCORE_MEMORY_ID": "m", **variables}.items():
            monkeypatch.setenv(name, value)
        forget_all()
        return (await service.status()).unwrap(), (await service.strategies()).failure()

    return answers


# --- deleting ---


async def test_e20_what_is_not_the_callers_is_not_found(tables: Platform, memory: LongTermMemory, user: User) -> None:
    of_another = memory.remember(f"/strategies/pref-1/actors/{U10}", "x")
    with tables.proxy.recording() as recording:
        answers = [await tables.ask(user, "DELETE", f"/memory/{record_id}") for record_id in (of_another, "mem-zzz")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 2
    assert "BatchDeleteMemoryRecords" not in operations(recording.calls)
    assert memory.deleted == []


async def test_a_record_on_the_second_page(tables: Platform, memory: LongTermMemory, user: User) -> None:
    for number in range(101):
        memory.remember(PREFERENCES, str(number))
    record_id = memory.records[-1]["memoryRecordId"]
    assert (await tables.ask(user, "DELETE", f"/memory/{record_id}")).status_code == 200
    assert (await tables.ask(user, "DELETE", f"/memory/{record_id}")).status_code == 404


async def test_l7_a_deleted_record_that_stays_listed(tables: Platform, memory: LongTermMemory, user: User) -> None:
    memory.lists_deleted = True
    record_id = memory.remember(PREFERENCES, "x")
    answers = [await tables.ask(user, "DELETE", f"/memory/{record_id}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 404]


async def test_l7_a_new_record_that_is_not_listed_yet(tables: Platform, memory: LongTermMemory, user: User) -> None:
    record_id = memory.remember(PREFERENCES, "x")
    memory.deleted.append(record_id)
    assert (await tables.ask(user, "DELETE", f"/memory/{record_id}")).status_code == 404
    memory.deleted.clear()
    assert (await tables.ask(user, "DELETE", f"/memory/{record_id}")).status_code == 200


FAILED: dict[str, Any] = {"status": "FAILED"}
OUTCOMES: list[tuple[str, dict[str, Any], int]] = [
    ("404", {"failedRecords": [{**FAILED, "errorCode": 404}]}, 404),
    ("does not exist", {"failedRecords": [{**FAILED, "errorMessage": "Record does not exist"}]}, 404),
    ("429", {"failedRecords": [{**FAILED, "errorCode": 429}]}, 503),
    ("500", {"failedRecords": [{**FAILED, "errorCode": 500, "errorMessage": "Internal"}]}, 503),
    ("neither", {}, 503),
    ("another", {"successfulRecords": [{"memoryRecordId": f"mem-{'9' * 36}", "status": "SUCCEEDED"}]}, 503),
]


@pytest.mark.parametrize(("outcome", "status"), [case[1:] for case in OUTCOMES], ids=[case[0] for case in OUTCOMES])
async def test_l7_and_f_chat_58_what_the_service_says(
    tables: Platform, memory: LongTermMemory, user: User, outcome: dict[str, Any], status: int
) -> None:
    record_id = memory.remember(PREFERENCES, "x")

    def answer(call: Call) -> Answer | None:
        if call.target.operation != "BatchDeleteMemoryRecords":
            return None
        nothing: dict[str, Any] = {"successfulRecords": [], "failedRecords": []}
        body = nothing | {
            name: [{"memoryRecordId": record_id, **one} for one in said] for name, said in outcome.items()
        }
        return Answer(200, "application/json", json.dumps(body).encode())

    with tables.proxy.answering(answer):
        answered = await tables.ask(user, "DELETE", f"/memory/{record_id}")
    assert answered.status_code == status, answered.text


async def test_l7_not_found_although_it_was_listed(tables: Platform, memory: LongTermMemory, user: User) -> None:
    record_id = memory.remember(PREFERENCES, "x")

    def gone(call: Call) -> Answer | None:
        if call.target.operation != "BatchDeleteMemoryRecords":
            return None
        return Answer(404, "application/json", b"{}", (("x-amzn-errortype", "ResourceNotFoundException"),))

    with tables.proxy.answering(gone):
        answer = await tables.ask(user, "DELETE", f"/memory/{record_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("operation", "kind", "status"),
    [
        ("BatchDeleteMemoryRecords", FaultKind.THROTTLED, 503),
        ("BatchDeleteMemoryRecords", FaultKind.ACCESS_DENIED, 500),
        ("ListMemoryRecords", FaultKind.THROTTLED, 503),
    ],
)
async def test_f_chat_57_and_60_a_delete_that_fails(
    tables: Platform, memory: LongTermMemory, user: User, operation: str, kind: FaultKind, status: int
) -> None:
    record_id = memory.remember(PREFERENCES, "x")
    with tables.proxy.injecting(Fault(kind, operation=operation)):
        answer = await tables.ask(user, "DELETE", f"/memory/{record_id}")
    assert answer.status_code == status
    assert not [word for word in tables.internals if word in answer.text]
    assert memory.deleted == []
