"""The errors that OpenAPI shows for a route: with their real texts, and only those that can be."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Header, Path, Query
from pydantic import BaseModel, Field

from apis.shared.errors import ErrorCode, ErrorDetail, conflict, not_found
from apis.shared.http import Depends, ResultRouter, create_service
from apis.shared.result import Result, Success
from tests.support.serving import serving


class Note(BaseModel):
    title: str | None = None


class Titled(BaseModel):
    title: Annotated[str, Field(min_length=1)]


async def page(limit: Annotated[int, Query(le=10)] = 5) -> int:
    return limit


router = ResultRouter()


@router.get("/search")
async def search(q: str) -> Result[str, ErrorDetail]:
    return Success(q)


@router.get("/by-header")
async def by_header(x_tenant: Annotated[str, Header()]) -> Result[str, ErrorDetail]:
    return Success(x_tenant)


@router.get("/pages")
async def pages(limit: Annotated[int, Depends(page)]) -> Result[int, ErrorDetail]:
    return Success(limit)


@router.get("/numbers/{number}")
async def number(number: Annotated[int, Path()]) -> Result[int, ErrorDetail]:
    return Success(number)


@router.post("/notes")
async def note(note: Note) -> Result[Note, ErrorDetail]:
    return Success(note)


@router.post("/titled")
async def titled(note: Titled) -> Result[Titled, ErrorDetail]:
    return Success(note)


@router.get("/texts/{text}", errors=(not_found("No such text."), conflict("Busy."), conflict("Changed.")))
async def text(text: str) -> Result[str, ErrorDetail]:
    return Success(text)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_service(
        title="t",
        description="",
        version="1",
        tags=[],
        routers=[router],
        origins=[],
        max_body_bytes=1000,
        open_routes={(method, route.path) for route in router.routes for method in route.methods},  # type: ignore[attr-defined]  # they are APIRoutes
    )
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as connected:
        yield connected


async def published(client: httpx.AsyncClient, method: str, path: str) -> dict[str, Any]:
    operation = (await client.get("/openapi.json")).json()["paths"][path][method.lower()]
    assert isinstance(operation, dict)
    return operation


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "/search", {}),
        ("GET", "/by-header", {}),
        ("GET", "/pages", {"params": {"limit": "text"}}),
        ("GET", "/numbers/text", {}),
        ("POST", "/notes", {"json": "text"}),
        ("POST", "/titled", {"json": {}}),
    ],
)
async def test_an_invalid_request_is_told_what_is_published(
    client: httpx.AsyncClient, method: str, path: str, sent: dict[str, Any]
) -> None:
    operation = await published(client, method, path.replace("/text", "/{number}"))
    shown = operation["responses"]["422"]["content"]["application/json"]["examples"]["validation_error"]["value"]

    answer = (await client.request(method, path, **sent)).json()
    for error in (answer, shown):
        del error["metadata"]["request_id"]
    assert answer == shown
    assert "validation_error" in operation["x-error-codes"]


async def test_a_route_that_can_refuse_no_input_does_not_say_so(client: httpx.AsyncClient) -> None:
    operation = await published(client, "GET", "/texts/{text}")
    assert operation["responses"].keys() == {"200", "404", "409"}
    assert operation["x-error-codes"] == ["conflict", "not_found"]


async def test_each_failure_that_is_declared_is_shown(client: httpx.AsyncClient) -> None:
    operation = await published(client, "GET", "/texts/{text}")
    examples = operation["responses"]["409"]["content"]["application/json"]["examples"]
    assert {name: one["value"]["message"] for name, one in examples.items()} == {
        "conflict": "Busy.",
        "conflict_2": "Changed.",
    }


def test_a_text_that_only_the_route_knows_has_to_be_declared() -> None:
    with pytest.raises(ValueError, match="the text of not_found is the route's own"):
        ResultRouter().get("/x", errors=(ErrorCode.NOT_FOUND,))(text)
