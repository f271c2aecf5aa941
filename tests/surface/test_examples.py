"""The examples of errors in the documents are what a client really gets."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.surface.conftest import Surface

EXAMPLE = "2f6c1c1e-5b0e-4a54-9f0a"
METADATA = "/sessions/{session_id}/metadata"


@pytest.mark.parametrize(
    ("name", "method", "path", "options"),
    [
        ("app", "GET", "/sessions", {"headers": {}}),
        ("app", "GET", "/sessions", {"params": {"limit": "0"}}),
        ("app", "GET", "/sessions", {"params": {"next_token": "?"}}),
        ("app", "GET", METADATA, {}),
        ("app", "DELETE", "/sessions/{session_id}", {}),
        ("app", "PUT", METADATA, {"json": "text"}),
        ("app", "PUT", METADATA, {"json": {"title": "x" * 3_000_000}}),
        ("app", "PUT", "/sessions/not%20an%20id/metadata", {"json": {"title": "x"}}),
        ("app", "POST", "/sessions/bulk-delete", {"json": {}}),
        ("app", "GET", "/sessions/{session_id}/messages", {"params": {"next_token": "?"}}),
        ("inference", "POST", "/invocations", {"headers": {}, "json": {"session_id": "s", "message": "x"}}),
        ("inference", "POST", "/invocations", {"json": {}}),
        ("inference", "POST", "/invocations", {"json": {"session_id": "s", "message": " "}}),
        (
            "inference",
            "POST",
            "/invocations",
            {"json": {"session_id": "s", "message": "x", "model_id": "gpt-forbidden"}},
        ),
    ],
)
async def test_the_answer_is_one_of_the_examples(
    surface: Surface, name: str, method: str, path: str, options: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(base_url=surface.url(name), trust_env=False, timeout=60) as client:
        request = {"headers": surface.headers, **options}
        # Not the session of the example itself: whoever tried it out has it.
        absent = str(uuid4())
        answer = await client.request(method, path.format(session_id=absent), **request)
    published = surface.document(name)["paths"][METADATA if "not%20" in path else path][method.lower()]
    examples = published["responses"][str(answer.status_code)]["content"]["application/json"]["examples"]

    answered = json.loads(answer.text.replace(absent, EXAMPLE))
    assert unnumbered(answered) in [unnumbered(example["value"]) for example in examples.values()]


def unnumbered(error: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in error["metadata"].items() if name != "request_id"}
    return {**error, "metadata": metadata}
