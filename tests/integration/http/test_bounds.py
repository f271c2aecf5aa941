"""How much a request may hold: accepted at each bound, refused one over it."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.platform import PRICED, Platform, inline_file

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Bound:
    """A member at its bound and one over it; `field` is named by the refusal, `at_most` what the bound answers."""

    member: str
    good: Any
    bad: Any
    field: str = ""
    accepted: int = 200

    @property
    def named(self) -> str:
        return self.field or f"body.{self.member}"

    def __str__(self) -> str:
        return self.named


def text(member: str, characters: int, **more: Any) -> Bound:
    return Bound(member, "x" * characters, "x" * (characters + 1), **more)


def texts(count: int) -> list[str]:
    return [f"t{number}" for number in range(count)]


def small_files(count: int) -> list[dict[str, str]]:
    return [inline_file("a.txt", "text/plain", b"1") for _ in range(count)]


def file_with(**members: str) -> list[dict[str, str]]:
    return [{**inline_file("a.txt", "text/plain", b"1"), **members}]


SESSION_BOUNDS = [
    text("title", 10_000),
    Bound("tags", ["x" * 1_000], ["x" * 1_001], "body.tags.0"),
    Bound("tags", texts(1_000), texts(1_001)),
    text("lastModel", 2_000),
    text("selectedPromptId", 2_000),
    text("systemPromptHash", 2_000),
    # More than an item of the store holds.
    text("customPromptText", 1_000_000, accepted=400),
    text("assistantId", 1_000),
    Bound("assistantId", "é" * 500, "é" * 501),
    Bound("enabledTools", ["x" * 200], ["x" * 201], "body.enabledTools.0"),
    Bound("enabledTools", texts(200), texts(201)),
    Bound("enabledTools", ["calculator"] * 60_000, texts(60_000)),
    Bound("lastTemperature", 2, 2.0001),
    Bound("lastTemperature", 0, -0.0001),
    Bound("lastTemperature", 1e-100, 1e-101),
    Bound("lastTemperature", 1.5, 1e308),
]


@pytest.mark.parametrize("bound", SESSION_BOUNDS, ids=str)
async def test_members_of_a_session(tables: Platform, bound: Bound) -> None:
    path = f"/sessions/{uuid4()}/metadata"
    accepted = await tables.app.put(path, json={bound.member: bound.good})
    assert accepted.status_code == bound.accepted, accepted.text[:500]
    assert_refused(await tables.app.put(path, json={bound.member: bound.bad}), bound.named)


async def test_equal_tool_ids_count_once(tables: Platform, session_id: str) -> None:
    answer = await tables.app.put(f"/sessions/{session_id}/metadata", json={"enabledTools": ["a", "b", "a"] * 20_000})
    assert answer.json()["preferences"]["enabledTools"] == ["a", "b"]


TURN_BOUNDS = [
    text("message", 1_000_000),
    text("system_prompt", 1_000_000),
    text("model_id", 1_000),
    text("provider", 2_000),
    text("assistant_id", 1_000),
    Bound("enabled_tools", ["x" * 200], ["x" * 201], "body.enabled_tools.0"),
    Bound("enabled_tools", texts(200), texts(201)),
    Bound("enabled_tools", ["calculator"] * 60_000, texts(60_000)),
    Bound("files", small_files(20), small_files(21)),
    Bound("files", small_files(1), small_files(8_000)),
    Bound(
        "files",
        file_with(filename="x" * 1_996 + ".txt"),
        file_with(filename="x" * 1_997 + ".txt"),
        "body.files.0.filename",
    ),
    Bound(
        "files", file_with(content_type="x" * 2_000), file_with(content_type="x" * 2_001), "body.files.0.content_type"
    ),
    Bound("file_upload_ids", texts(5), texts(6)),
    Bound("file_upload_ids", ["x" * 1_000], ["x" * 1_001], "body.file_upload_ids.0"),
    Bound("temperature", 2, 2.0001),
    Bound("temperature", 0, -0.0001),
    Bound("temperature", 1e-100, 1e-101),
    Bound("temperature", 0.5, 1e308),
    Bound("max_tokens", 10**100, 10**101),
]


@pytest.mark.parametrize("bound", TURN_BOUNDS, ids=str)
async def test_members_of_a_turn(tables: Platform, session_id: str, bound: Bound) -> None:
    body = {"session_id": session_id, "message": "hi", "model_id": PRICED}
    assert_refused(await tables.inference.post("/invocations", json={**body, bound.member: bound.bad}), bound.named)
    accepted = await tables.inference.post("/invocations", json={**body, bound.member: bound.good})
    if bound.member == "assistant_id":
        assert (accepted.status_code, accepted.json()["message"]) == (404, "Assistant not found")
        return
    assert accepted.status_code == 200, accepted.text[:500]
    assert accepted.text.endswith("event: done\ndata: {}\n\n")


@pytest.mark.parametrize("count", [20, 21])
async def test_ids_of_a_bulk_deletion(tables: Platform, count: int) -> None:
    answer = await tables.app.post("/sessions/bulk-delete", json={"sessionIds": texts(count)})
    if count <= 20:
        assert answer.status_code == 200
    else:
        assert_refused(answer, "body.sessionIds")


@pytest.mark.parametrize("length", [1_000, 1_001])
async def test_an_id_of_a_bulk_deletion(tables: Platform, length: int) -> None:
    answer = await tables.app.post("/sessions/bulk-delete", json={"sessionIds": ["x" * length]})
    if length <= 1_000:
        assert answer.json()["results"][0]["error"] == "Session not found"
    else:
        assert_refused(answer, "body.sessionIds.0")


@pytest.mark.parametrize("length", [2_048, 2_049, 20_000])
async def test_an_id_in_a_path(platform: Platform, length: int) -> None:
    path = f"/sessions/{'x' * length}"
    for method, place in (("GET", "/metadata"), ("DELETE", "")):
        answer = await platform.app.request(method, path + place)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert len(answer.text) < 5_000
    assert_refused(await platform.app.put(f"{path}/metadata", json={"title": "x"}), "path.session_id")
    assert (await platform.app.get(f"{path}/messages")).json() == {"messages": []}


def nested_token(depth: int) -> str:
    return base64.b64encode(b"[" * depth + b"]" * depth).decode()


@pytest.mark.parametrize("path", ["/sessions", "/sessions/s1/messages"])
async def test_a_page_token(platform: Platform, path: str) -> None:
    for token in ("x" * 8 * KIB, nested_token(3_000)):
        answer = await platform.app.get(path, params={"next_token": token})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    for token in ("x" * (8 * KIB + 1), nested_token(15_000)):
        assert_refused(await platform.app.get(path, params={"next_token": token}), "query.next_token")


def nested(levels: int) -> str:
    """An object is the first level."""
    return '{"x": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


ACCEPTED_JSON = {
    "nesting": nested(64),
    "entries": json.dumps({"x": [0] * 99_999}),
    "empty containers": json.dumps({"x": [[]] * 99_999}),
    "members": json.dumps({f"m{number}": {} for number in range(100_000)}),
    # More than an item of the store holds.
    "structure in a text": json.dumps({"customPromptText": '[{",\\' * 100_000}),
    "blanks": "{" + " " * MIB + "}",
}
REFUSED_JSON = {
    "nesting": nested(65),
    "deep nesting": nested(100_000),
    "nesting of objects": '{"x":' * 65 + "0" + "}" * 65,
    "entries": json.dumps({"x": [0] * 100_000}),
    "empty containers": json.dumps({"x": [[]] * 100_000}),
    "members": json.dumps({f"m{number}": {} for number in range(100_001)}),
    "half a character": '{"title": "\\ud800"}',
    "half a character as a name": '{"\\udfff": 1}',
    "a number of 5,000 digits": '{"x": ' + "9" * 5_000 + "}",
    "quotes": '"' * MIB,
    "openings": "[" * MIB,
    "endings": "]" * MIB,
}


@pytest.mark.parametrize("case", ACCEPTED_JSON)
async def test_json_that_is_read(tables: Platform, session_id: str, case: str) -> None:
    answer = await put_text(tables, session_id, ACCEPTED_JSON[case].encode())
    assert answer.status_code == (400 if case == "structure in a text" else 200), answer.text[:500]


@pytest.mark.parametrize("case", REFUSED_JSON)
async def test_json_that_is_not(tables: Platform, session_id: str, case: str) -> None:
    assert_refused(await put_text(tables, session_id, REFUSED_JSON[case].encode()), "body")


async def test_half_of_a_surrogate_pair_as_bytes(tables: Platform, session_id: str) -> None:
    assert_refused(await put_text(tables, session_id, b'{"title": "\xed\xa0\x80"}'), "body")
    whole = await put_text(tables, session_id, b'{"title": "\\ud83d\\ude00 \xf0\x9f\x98\x80"}')
    assert whole.json()["title"] == "\U0001f600 \U0001f600"


@pytest.mark.parametrize("half", ["%ED%A0%80", "%ed%bf%bf"])
async def test_half_of_a_surrogate_pair_in_a_query(tables: Platform, half: str) -> None:
    assert_refused(await tables.app.get(f"/sessions?next_token={half}"), "query")
    stranger = await tables.app_api.http.get(f"/sessions?next_token={half}")
    assert stranger.status_code == 401
    whole = await tables.app.get("/sessions?next_token=%F0%9F%98%80")
    assert whole.status_code == 400


async def test_a_refusal_of_thousands_of_faults_is_short(tables: Platform, session_id: str) -> None:
    bodies: list[dict[str, list[Any]]] = [{"tags": [0] * 90_000}, {"enabledTools": [0] * 90_000}, {"tags": [[]] * 900}]
    for body in bodies:
        answer = await put_text(tables, session_id, json.dumps(body).encode())
        assert answer.status_code == 422
        assert len(answer.content) < 2_000
        assert answer.elapsed.total_seconds() < 2


@pytest.mark.parametrize("size", [2 * MIB, 2 * MIB + 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_body_of_the_app_api(tables: Platform, session_id: str, size: int, chunked: bool) -> None:
    body = padded({"title": "x"}, size)
    answer = await put_text(tables, session_id, pieces(body) if chunked else body)
    assert (answer.status_code, answer.json().get("code")) == ((200, None) if size <= 2 * MIB else (400, "bad_request"))


@pytest.mark.parametrize("size", [40 * MIB, 40 * MIB + 1])
async def test_the_body_of_the_inference_api(tables: Platform, session_id: str, size: int) -> None:
    body = padded({"session_id": session_id, "message": "hi", "model_id": PRICED}, size)
    answer = await tables.inference.post("/invocations", content=body)
    assert answer.status_code == (200 if size <= 40 * MIB else 400)


@pytest.mark.parametrize("credentials", [{}, {"Authorization": "Bearer x.y.z"}], ids=["none", "bad"])
@pytest.mark.parametrize(
    ("size", "status"), [(64 * KIB, 422), (64 * KIB + 1, 401), (3 * MIB, 401)], ids=["small", "larger", "too large"]
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_before_the_credentials_are_good_little_is_read(
    tables: Platform, size: int, status: int, chunked: bool, credentials: dict[str, str]
) -> None:
    """What is no JSON would answer 422 as soon as it is parsed."""
    for service, method, path in (
        (tables.app_api, "PUT", "/sessions/s1/metadata"),
        (tables.app_api, "POST", "/sessions/bulk-delete"),
        (tables.inference_api, "POST", "/invocations"),
    ):
        body = b"{" * size
        answer = await service.http.request(
            method, path, content=pieces(body) if chunked else body, headers=credentials
        )
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_with_good_credentials_a_large_body_is_parsed(tables: Platform, session_id: str) -> None:
    assert_refused(await put_text(tables, session_id, b"{" * (64 * KIB + 1)), "body")


@pytest.mark.parametrize(("size", "status"), [(16 * KIB - 4, 200), (16 * KIB + 8, 401), (60 * KIB, 401)])
async def test_a_bearer_token(tables: Platform, size: int, status: int) -> None:
    """The token is good but for its length."""
    short = tables.provider.token("Staff", padding="")
    token = tables.provider.token("Staff", padding="x" * ((size - len(short)) * 3 // 4))
    assert abs(len(token) - size) <= 4
    answer = await tables.app_api.http.get("/sessions", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status


async def test_several_authorization_headers(tables: Platform) -> None:
    one = ("Authorization", f"Bearer {tables.user.token}")
    for headers in ([one, one], [one, ("authorization", "Basic x")], [("Authorization", ""), one]):
        for service, method, path in (
            (tables.app_api, "GET", "/sessions"),
            (tables.inference_api, "POST", "/invocations"),
        ):
            answer = await service.http.request(method, path, headers=headers, json={"message": "x", "session_id": "x"})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/sessions/", "/sessions/bulk-delete/", "/sessions/s1/metadata/"])
async def test_the_other_spelling_of_a_path_is_named_without_a_host(tables: Platform, path: str) -> None:
    answer = await tables.app_api.http.get(f"{path}?limit=5&x=%2F", headers={"Host": "evil.example"})
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{path[:-1]}?limit=5&x=%2F"


@pytest.mark.parametrize("path", ["//evil.example/sessions/", "/nowhere/", "/%2F/evil.example/", "/health%0a"])
async def test_what_has_no_other_spelling(tables: Platform, path: str) -> None:
    answer = await tables.app_api.http.get(tables.app_api.process.base_url + path)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def assert_refused(answer: httpx.Response, field: str) -> None:
    assert answer.status_code == 422, answer.text[:500]
    assert (answer.json()["code"], answer.json()["field"]) == ("validation_error", field)
    assert len(answer.content) < 3_000


async def put_text(platform: Platform, session_id: str, body: bytes | AsyncIterator[bytes]) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await platform.app.put(f"/sessions/{session_id}/metadata", content=body, headers=headers)


def padded(members: dict[str, str], size: int) -> bytes:
    return json.dumps(members).encode().ljust(size)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


@pytest.fixture
def session_id() -> str:
    return str(uuid4())
