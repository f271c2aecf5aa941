"""What administrators see of the providers' models: through the real SDKs, from servers that play the providers."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.model_server import GEMINI_MODELS, NO_MODELS, OPENAI_MODELS, Reply
from tests.support.platform import Platform, Surroundings, running_platform

KEY = "sk-live-4711"
OTHERS_TEXT = f"Incorrect API key provided: {KEY}. Visit https://provider.example"


async def listed(platform: Platform, provider: str, query: str = "") -> httpx.Response:
    admin = platform.sign_in("111111111", "Staff", "Admin")
    return await platform.ask(admin, "GET", f"/admin/{provider}/models{query}")


async def models(platform: Platform, provider: str, query: str = "") -> list[dict[str, Any]]:
    answer = await listed(platform, provider, query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["totalCount"] == len(answer.json()["models"])
    return list(answer.json()["models"])


@pytest.fixture(autouse=True)
def _empty_afterwards(around: Surroundings) -> Iterator[None]:
    yield
    around.model.listings.update(NO_MODELS)


def played(platform: Platform, path: str, reply: Callable[[str], Reply] | Mapping[str, Any]) -> list[str]:
    """Have the provider answer so; the queries that it gets."""
    queries: list[str] = []

    def answer(query: str) -> Reply:
        queries.append(query)
        return reply(query) if callable(reply) else {"status": 200, "body": dict(reply)}

    platform.model.listings[path] = answer
    return queries


def bedrock(platform: Platform, *summaries: Mapping[str, Any]) -> Any:
    """A context in which Bedrock answers so."""
    body = json.dumps({"modelSummaries": summaries}).encode()
    return platform.proxy.answering(lambda call: Answer(200, "application/json", body) if _is_listing(call) else None)


def _is_listing(call: Call) -> bool:
    return call.target.operation == "ListFoundationModels"


async def test_b1_what_bedrock_says_is_passed_on(tables: Platform) -> None:
    odd = {
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/v.m:0:200k",
        "modelId": "v.m:0:200k",
        "providerName": "Vendor",
        "inputModalities": ["TEXT", "SMELL"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": ["INFERENCE_PROFILE"],
        "modelLifecycle": {"status": "LEGACY", "endOfLifeTime": "2026-01-01T00:00:00Z"},
    }
    with bedrock(tables, {"modelId": "a.m"}, odd, {"modelId": "v.m:0"}):
        found = await models(tables, "bedrock")
        assert [one["modelId"] for one in await models(tables, "bedrock", "?max_results=2")] == ["v.m:0:200k", "v.m:0"]
        assert (await listed(tables, "bedrock")).json()["nextToken"] is None
    assert found == [
        {
            "modelId": "v.m:0:200k",
            "modelName": "",
            "providerName": "Vendor",
            "inputModalities": ["TEXT", "SMELL"],
            "outputModalities": ["TEXT"],
            "customizationsSupported": [],
            "inferenceTypesSupported": ["INFERENCE_PROFILE"],
            "responseStreamingSupported": True,
            "modelLifecycle": "LEGACY",
        },
        *(
            {
                "modelId": model_id,
                "modelName": "",
                "providerName": "",
                "inputModalities": [],
                "outputModalities": [],
                "customizationsSupported": [],
                "inferenceTypesSupported": [],
                "responseStreamingSupported": False,
                "modelLifecycle": None,
            }
            for model_id in ("v.m:0", "a.m")
        ),
    ]


async def test_filters_reach_bedrock(tables: Platform) -> None:
    query = (
        "?by_provider=A%20vendor&by_output_modality=TEXT&by_inference_type=ON_DEMAND&by_customization_type=FINE_TUNING"
    )
    with tables.proxy.recording() as recording:
        assert await models(tables, "bedrock", query) == []
    (call,) = recording.calls
    assert parse_qs(call.text.split(" ")[0].partition("?")[2]) == {
        "byProvider": ["A vendor"],
        "byOutputModality": ["TEXT"],
        "byInferenceType": ["ON_DEMAND"],
        "byCustomizationType": ["FINE_TUNING"],
    }


async def test_f_qtm_76_a_filter_that_bedrock_refuses(tables: Platform) -> None:
    def refused(call: Call) -> Answer | None:
        if not _is_listing(call):
            return None
        body = json.dumps({"message": "1 validation error detected: Value at 'byInferenceType'"}).encode()
        return Answer(400, "application/json", body, (("x-amzn-errortype", "ValidationException"),))

    with tables.proxy.answering(refused):
        answer = await listed(tables, "bedrock", "?by_inference_type=INFERENCE_PROFILE")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["detail"] == "The provider does not accept this filter."


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.THROTTLED, 503, "service_unavailable"),
        (FaultKind.RESET, 503, "service_unavailable"),
        (FaultKind.GARBAGE, 503, "service_unavailable"),
        (FaultKind.ACCESS_DENIED, 500, "internal_error"),
        (FaultKind.TIMEOUT, 504, "timeout"),
    ],
)
async def test_f_qtm_76_and_77_bedrock_that_fails(tables: Platform, kind: FaultKind, status: int, code: str) -> None:
    with tables.proxy.injecting(Fault(kind, operation="ListFoundationModels")):
        answer = await listed(tables, "bedrock")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not [word for word in tables.internals if word in answer.text]


def gemini(number: int, **members: Any) -> dict[str, Any]:
    return {"name": f"models/gemini-{number:03}", "displayName": f"Gemini {number}", **members}


async def test_b3_all_pages_of_gemini(tables: Platform) -> None:
    """One page is empty, and one model has no name for people."""
    pages = [
        ([gemini(number) for number in range(50)], "p2"),
        ([], "p3"),
        ([gemini(number) for number in range(50, 99)] + [{"name": "models/nameless", "displayName": None}], ""),
    ]

    def reply(query: str) -> Reply:
        token = parse_qs(query).get("pageToken", ["p1"])[0]
        found, following = pages[int(token[1:]) - 1]
        return {"status": 200, "body": {"models": found, **({"nextPageToken": following} if following else {})}}

    queries = played(tables, GEMINI_MODELS, reply)
    found = await models(tables, "gemini")
    assert len(queries) == 3
    assert len(found) == 100
    assert (found[0]["name"], found[0]["displayName"]) == ("models/nameless", "models/nameless")
    assert [one["name"] for one in found[1:3]] == ["models/gemini-098", "models/gemini-097"]
    assert [one["name"] for one in await models(tables, "gemini", "?max_results=1")] == ["models/nameless"]


async def test_a_model_of_gemini(tables: Platform) -> None:
    said = {
        "version": "001",
        "description": "Fast",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
        "temperature": 1,
        "maxTemperature": 2,
        "topP": 0.95,
        "topK": 64,
    }
    played(tables, GEMINI_MODELS, {"models": [gemini(1, **said, invented="x"), {"displayName": "Without a name"}]})
    (found,) = await models(tables, "gemini")
    assert found == {**gemini(1), **said, "baseModelId": None}


@pytest.mark.parametrize("tokens", [lambda _: "again", lambda number: f"page-{number}"], ids=["one", "others"])
async def test_b3_pages_of_gemini_that_never_end(tables: Platform, tokens: Callable[[int], str]) -> None:
    numbers = itertools.count(1)
    body = {"models": [gemini(1)]}
    queries = played(
        tables, GEMINI_MODELS, lambda _: {"status": 200, "body": {**body, "nextPageToken": tokens(next(numbers))}}
    )
    answer = await listed(tables, "gemini")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert len(queries) <= 100


def openai(model_id: str, **members: Any) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": 1_700_000_000, "owned_by": "openai", **members}


async def test_b2_what_servers_say_of_their_models(tables: Platform) -> None:
    played(
        tables,
        OPENAI_MODELS,
        {
            "object": "list",
            "data": [
                openai("null", created=None),
                {"id": "absent"},
                openai("zero", created=0),
                openai("text", created="1700000001"),
                openai("twice", created=5),
                openai("twice", created=1_700_000_002),
                openai("b"),
                openai("a", extra={"x": 1}),
                {"object": "model", "created": 1},
            ],
        },
    )
    found = await models(tables, "openai")
    order = ["twice", "text", "a", "b", "zero", "absent", "null"]
    assert [one["id"] for one in found] == order
    assert found[0] == {"id": "twice", "created": 1_700_000_002, "ownedBy": "openai", "object": "model"}
    assert found[1]["created"] == 1_700_000_001
    assert found[5] == {"id": "absent", "created": None, "ownedBy": "", "object": None}
    assert [one["id"] for one in await models(tables, "openai", "?max_results=2")] == order[:2]


REFUSALS: list[tuple[int, int, str]] = [
    (401, 503, "model_error"),
    (403, 503, "model_error"),
    (404, 503, "model_error"),
    (429, 503, "model_error"),
    (500, 503, "service_unavailable"),
    (503, 503, "service_unavailable"),
]
PROVIDERS = [("openai", OPENAI_MODELS), ("gemini", GEMINI_MODELS)]


@pytest.mark.parametrize(("provider", "path"), PROVIDERS)
@pytest.mark.parametrize(("said", "status", "code"), REFUSALS)
async def test_b4_a_provider_that_refuses(
    tables: Platform, provider: str, path: str, said: int, status: int, code: str
) -> None:
    """F-QTM-79 and 81: none of its text reaches the client or the log."""
    error = {"message": OTHERS_TEXT, "code": said, "status": "REFUSED", "type": "invalid_request_error"}
    reply = {"status": said, "headers": {"Retry-After": "17"}, "body": {"error": error}}
    played(tables, path, lambda _: reply)
    answer = await listed(tables, provider)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == ("17" if said == 429 else None)
    assert KEY not in answer.text
    await tables.settled(answer.headers["x-request-id"])
    (record,) = tables.records(answer.headers["x-request-id"], "request failed")
    assert (record["code"], record["provider_error"] != "") == (code, True)
    assert not tables.app_api.log.has_written(KEY)


@pytest.mark.parametrize(("provider", "path"), PROVIDERS)
async def test_b4_a_provider_that_says_nothing(tables: Platform, provider: str, path: str) -> None:
    played(tables, path, lambda _: {"hang": True})
    answer = await listed(tables, provider)
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


GARBAGE: list[Any] = [[], "text", {"data": "text"}, {"data": [1]}, {"data": [{"id": 1}]}, {"models": [{"name": 5}]}]


@pytest.mark.parametrize("body", GARBAGE, ids=str)
@pytest.mark.parametrize(("provider", "path"), PROVIDERS)
async def test_an_answer_that_is_no_listing(tables: Platform, provider: str, path: str, body: Any) -> None:
    """Nothing of it, or an error: never a bug."""
    played(tables, path, lambda _: {"status": 200, "body": body})
    answer = await listed(tables, provider)
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    else:
        assert answer.json() == {"models": [], "totalCount": 0}
        assert provider == "gemini", "it leaves out what it does not have"


@pytest.mark.parametrize("provider", ["bedrock", "gemini", "openai"])
@pytest.mark.parametrize("limit", [0, 1001, -1, "many"])
async def test_a_limit_that_makes_no_sense(tables: Platform, provider: str, limit: object) -> None:
    answer = await listed(tables, provider, f"?max_results={limit}")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["field"] == "query.max_results"


async def test_example_22_without_keys(around: Surroundings, tables: Platform) -> None:
    """F-QTM-78 and 80; the older name of Google's key is looked at, too."""
    chosen = {"OPENAI_API_KEY": "", "GOOGLE_API_KEY": ""}
    async with running_platform(replace(around, chosen=chosen), tables.root, in_tables=True) as platform:
        for provider, variable in (("openai", "OPENAI_API_KEY"), ("gemini", "GOOGLE_API_KEY")):
            answer = await listed(platform, provider)
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
            assert answer.json()["detail"] == f"{variable} is not configured."
            assert (await listed(platform, provider, "?max_results=0")).status_code == 422
