"""The HTTP adapter, seen by a client of a small service."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field, create_model

from apis.shared.errors import ErrorCode, ErrorDetail, not_found, unauthorized
from apis.shared.http import Bearer, BearerDependency, Depends, ResultRouter, create_service, note_user
from apis.shared.result import Failure, Result, Success, railway, require
from tests.support.conformance import conforming_client
from tests.support.serving import serving


def _no_shouting(title: str) -> str:
    if title.isupper():
        msg = "a title must not shout"
        raise ValueError(msg)
    return title


class Note(BaseModel):
    title: Annotated[str, Field(min_length=1), AfterValidator(_no_shouting)]
    stars: int = 0


@BearerDependency
@railway
async def caller(bearer: Bearer) -> Result[str, ErrorDetail]:
    token = require(bearer.unwrap(), unauthorized("Please sign in.")).unwrap()
    note_user(token)
    return Success(token)


NO_NOTE = not_found("Note not found")
Caller = Annotated[str, Depends(caller)]
router = ResultRouter(errors=(ErrorCode.UNAUTHORIZED,))


@router.post("/notes/{note_id}", errors=(NO_NOTE,))
async def save(
    user: Caller, note_id: str, note: Note, limit: Annotated[int, Query(ge=1)] = 1
) -> Result[Note, ErrorDetail]:
    if note_id == "absent":
        return Failure(NO_NOTE.caused_by(KeyError("pk"), entity="Note"))
    return Success(note)


Many = create_model("Many", further=(dict[str, int], {}), **{f"n{number}": (int, 0) for number in range(30)})  # type: ignore[call-overload]  # made-up members


@router.post("/many")
async def save_many(many: Many) -> Result[None, ErrorDetail]:
    return Success(None)


@router.delete("/notes/{note_id}")
async def remove(note_id: str) -> Result[None, ErrorDetail]:
    return Success(None)


@router.get("/busy", errors=(ErrorCode.SERVICE_UNAVAILABLE,))
async def busy() -> Result[Note, ErrorDetail]:
    error = ErrorDetail(code=ErrorCode.SERVICE_UNAVAILABLE, message="Busy")
    return Failure(error.with_recovery(recoverable=True, retry_after=7))


@router.get("/bug", errors=(ErrorCode.INTERNAL_ERROR,))
async def bug() -> Result[Note, ErrorDetail]:
    msg = "secret table name"
    raise RuntimeError(msg)


@router.head("/busy")
async def is_busy() -> Result[None, ErrorDetail]:
    return Success(None)


@router.get("/notes", errors=(ErrorCode.INTERNAL_ERROR,))
async def nonsense() -> Result[Note, ErrorDetail]:
    return Success(Note.model_construct(title=5))  # type: ignore[arg-type]  # what a corrupt record could hold


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_service(
        title="t",
        description="d",
        version="1",
        tags=[],
        routers=[router],
        origins=["http://web.example"],
        max_body_bytes=1000,
        open_routes={
            ("DELETE", "/notes/{note_id}"),
            ("POST", "/many"),
            ("GET", "/busy"),
            ("HEAD", "/busy"),
            ("GET", "/bug"),
            ("GET", "/notes"),
        },
    )
    async with serving(app) as url, await conforming_client(url, headers={"Authorization": "bearer ada"}) as client:
        yield client


NOTE = {"title": "x"}


async def test_success_and_no_content(client: httpx.AsyncClient) -> None:
    saved = await client.post("/notes/1", json=NOTE)
    assert (saved.status_code, saved.json()) == (200, {"title": "x", "stars": 0})
    removed = await client.delete("/notes/1")
    assert (removed.status_code, removed.content) == (204, b"")
    assert not {"content-type", "content-length"} & removed.headers.keys()


async def test_a_failure_is_rendered_once_and_logged_once(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="apis.requests"):
        answer = await client.post("/notes/absent", json=NOTE, headers={"X-Request-ID": "trace-0001"})
    assert answer.status_code == 404
    assert answer.json() == {
        "code": "not_found",
        "message": "Note not found",
        "detail": "Note not found",
        "metadata": {"request_id": "trace-0001"},
    }
    (record,) = [record for record in caplog.records if record.name == "apis.requests"]
    logged = record.__dict__
    assert {
        name: logged[name] for name in ("code", "status", "method", "route", "request_id", "user_id", "entity")
    } == {
        "code": "not_found",
        "status": 404,
        "method": "POST",
        "route": "/notes/{note_id}",
        "request_id": "trace-0001",
        "user_id": "ada",
        "entity": "Note",
    }
    assert logged["causes"] == ["KeyError: 'pk'"]


@pytest.mark.parametrize("sent", ["short", "x" * 200, "bad id with blanks", "<script>"])
async def test_an_ill_formed_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.delete("/notes/1", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] != sent


@pytest.mark.parametrize(
    ("request_options", "field"),
    [
        ({"json": {}}, "body.title"),
        ({"json": {"title": ""}}, "body.title"),
        ({"json": {"title": "x", "stars": "many"}}, "body.stars"),
        ({"json": NOTE, "params": {"limit": 0}}, "query.limit"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "body"),
    ],
)
async def test_a_validation_error_names_its_field(
    client: httpx.AsyncClient, request_options: dict[str, object], field: str
) -> None:
    answer = await client.post("/notes/1", **request_options)  # type: ignore[arg-type]  # a table of keyword arguments
    body = answer.json()
    assert (answer.status_code, body["code"], body["field"]) == (422, "validation_error", field)
    assert [error["field"] for error in body["metadata"]["errors"]] == [field]


async def test_several_fields_are_listed(client: httpx.AsyncClient) -> None:
    body = (await client.post("/notes/1", json={"stars": "x"})).json()
    assert "field" not in body
    assert {error["field"] for error in body["metadata"]["errors"]} == {"body.title", "body.stars"}


async def test_of_many_faults_twenty_are_named(client: httpx.AsyncClient) -> None:
    for faults, named in ((20, 20), (21, 20), (30, 20)):
        answer = await client.post("/many", json={f"n{number}": "secret" for number in range(faults)})
        errors = answer.json()["metadata"]["errors"]
        assert [error["field"] for error in errors[:20]] == [f"body.n{number}" for number in range(named)]
        assert errors[20:] == (
            []
            if faults == 20
            else [{"field": "body", "message": f"and {faults - 20} more faults", "type": "too_many_faults"}]
        )
        assert "secret" not in answer.text


async def test_the_name_of_a_fault_is_bounded(client: httpx.AsyncClient) -> None:
    """It is the client's own where a member maps names to values."""
    answer = await client.post("/many", json={"further": {"x" * 900: "no number"}})
    assert len(answer.json()["metadata"]["errors"][0]["field"]) == 500


async def test_the_guard_comes_before_validation_but_not_before_unreadable_json(client: httpx.AsyncClient) -> None:
    refused = await client.post("/notes/1", json={}, headers={"Authorization": ""})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    unreadable = await client.post(
        "/notes/1", content=b"{", headers={"Authorization": "", "content-type": "application/json"}
    )
    assert unreadable.status_code == 422


async def test_a_known_wait_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_bug_is_generic_outside_and_complete_in_the_log_and_passes_cors(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await client.get("/bug", headers={"Origin": "http://web.example"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "http://web.example"
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError


async def test_what_no_route_serves(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/nowhere")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    method = await client.put("/busy")
    assert (method.status_code, method.json()["code"], method.headers["allow"]) == (405, "bad_request", "GET, HEAD")


async def test_405_names_the_methods_of_all_routes_of_the_path(client: httpx.AsyncClient) -> None:
    answer = await client.put("/notes/1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, POST")
    assert (await client.post("/docs/assets/swagger-ui.css")).headers["allow"] == "GET, HEAD"


async def test_head_is_answered_without_a_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/busy")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("content_type", [None, "", "application/json", "application/merge-patch+json"])
async def test_a_json_body_needs_no_content_type(client: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await client.post("/notes/1", content=b'{"title": "x"}', headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"title": "x", "stars": 0})
    unreadable = await client.post("/notes/1", content=b"{", headers=headers)
    assert (unreadable.status_code, unreadable.json()["field"]) == (422, "body")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_a_body_of_another_type_is_refused(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/notes/1", content=b'{"title": "x"}', headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["field"]) == (422, "body")


async def test_a_rule_of_ours_reads_like_one_of_the_schema(client: httpx.AsyncClient) -> None:
    body = (await client.post("/notes/1", json={"title": "LOUD"})).json()
    assert body["detail"] == "body.title: a title must not shout"
    assert body["metadata"]["errors"] == [
        {"field": "body.title", "message": "a title must not shout", "type": "value_error"}
    ]


async def test_a_value_that_does_not_fit_its_model_is_a_bug_and_is_not_quoted(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await client.get("/notes")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "Note" in record.__dict__["reason"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_body_is_bounded(client: httpx.AsyncClient, chunked: bool) -> None:
    body = json.dumps({"title": "x" * 2000}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:900]
        yield body[900:]

    answer = await client.post(
        "/notes/1", content=chunks() if chunked else body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_headers_are_bounded_whatever_the_server(client: httpx.AsyncClient) -> None:
    """Here it is uvicorn as it comes."""
    kib = 1024
    for headers, status in (
        ({"x": "y" * (32 * kib - 1)}, 200),
        ({"x": "y" * 32 * kib}, 400),
        (dict.fromkeys(("a", "b", "c"), "y" * 20 * kib), 200),
        (dict.fromkeys(("a", "b", "c"), "y" * 22 * kib), 400),
        ({"Authorization": "bearer " + "y" * 40 * kib}, 401),
    ):
        answer = await client.post("/notes/1", json=NOTE, headers=headers)
        assert answer.status_code == status


async def test_the_bounds_grow_with_the_credentials(client: httpx.AsyncClient) -> None:
    """An open route has none, so nobody sends it a large body."""
    answer = await client.post("/many", content=b" " * (64 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_errors_are_documented_with_their_codes(client: httpx.AsyncClient) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/notes/{note_id}"]["post"]
    assert operation["x-error-codes"] == ["bad_request", "not_found", "unauthorized", "validation_error"]
    assert operation["responses"]["404"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ErrorDetail"
    }
    assert operation["security"] == [{"HTTPBearer": []}]
