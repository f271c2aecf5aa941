import json
from collections.abc import Iterator
from typing import Any

import pytest

from apis.shared.errors import ErrorCode, ErrorDetail, status_of
from tests.contract.openapi import SERVICES, render, snapshot_of
from tests.contract.test_transcripts import TRANSCRIPTS, varied


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("service", SERVICES)
def test_the_published_api_changes_only_on_purpose(service: str) -> None:
    assert render(service) == snapshot_of(service).read_text(encoding="utf-8"), (
        "the API has changed; if that is meant: uv run python -m tests.contract.openapi"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_documented(service: str) -> None:
    document = json.loads(render(service))
    tagged = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tagged, name
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorDetail"}, f"{name} {status}"


@pytest.mark.parametrize("service", SERVICES)
def test_guarded_operations_declare_it(service: str) -> None:
    for name, operation in operations(json.loads(render(service))):
        if operation.get("security"):
            assert {"unauthorized", "forbidden", "internal_error"} <= set(operation["x-error-codes"]), name


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_sent_or_taken_is_described(service: str) -> None:
    document = json.loads(render(service))
    undescribed = [
        *(f"{name} {one['name']}" for name, operation in operations(document) for one in parameters(operation)),
        *(f"{name} {header}" for name, header, described in headers(document) if not described),
        *(f"{name}.{member}" for name, member, described in members(document) if not described),
    ]
    assert undescribed == []
    assert {"X-Request-ID", "Retry-After", "WWW-Authenticate", "Allow"} <= document["components"]["headers"].keys()
    assert document["servers"]
    assert document["info"]["license"]["name"] == "MIT"
    assert document["info"]["contact"]["name"]


def parameters(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in operation.get("parameters", ()) if not one.get("description")]


def headers(document: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    shared = document["components"]["headers"]
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], f"{name} {status}"
            for header, described in response["headers"].items():
                yield f"{name} {status}", header, {**shared.get(header, {}), **described}.get("description")


def members(document: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        yield name, "", schema.get("description") or schema.get("enum")
        for member, described in schema.get("properties", {}).items():
            referred = schemas.get(str(described.get("$ref", "")).rpartition("/")[2], {})
            yield name, member, described.get("description") or referred.get("description")


@pytest.mark.parametrize("service", SERVICES)
def test_error_examples_are_what_is_sent(service: str) -> None:
    for name, operation in operations(json.loads(render(service))):
        shown: set[str] = set()
        for status, response in operation["responses"].items():
            if not status.startswith(("4", "5")):
                continue
            for example in response["content"]["application/json"]["examples"].values():
                error = example["value"]
                assert status_of(ErrorCode(error["code"])) == int(status), name
                assert error.keys() >= {"code", "message", "detail", "metadata"}, name
                if error["code"] == "validation_error":
                    assert error["metadata"]["errors"], name
                shown.add(error["code"])
        assert shown == set(operation["x-error-codes"]), name


def test_the_published_error_is_the_error() -> None:
    """The schema is written for readers of the document, by hand."""
    for service in SERVICES:
        schemas = json.loads(render(service))["components"]["schemas"]
        assert schemas["ErrorDetail"]["properties"].keys() == ErrorDetail.model_fields.keys()
        assert schemas["ErrorCode"]["enum"] == [code.value for code in ErrorCode]


def test_a_stream_declares_nothing_but_the_stream() -> None:
    (operation,) = (one for name, one in operations(json.loads(render("inference"))) if name == "POST /invocations")
    assert operation["responses"]["200"]["content"].keys() == {"text/event-stream"}
    example = operation["responses"]["200"]["content"]["text/event-stream"]["example"]
    assert varied(example, "<session>") == (TRANSCRIPTS / "tool.sse").read_text(encoding="utf-8")
    for status, response in operation["responses"].items():
        if status != "200":
            assert response["content"].keys() == {"application/json"}
