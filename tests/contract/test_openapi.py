import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.openapi import SERVICES, render, snapshot_of


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
