"""A client that holds every answer against the service's own OpenAPI document."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

ErrorBody = Mapping[str, Any]


class Conformance:
    """An httpx response hook: an error that is no ErrorDetail, or that its route does not declare, fails the test."""

    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self._routes = [
            (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + r"\Z"), operations)
            for path, operations in openapi["paths"].items()
        ]

    async def __call__(self, response: httpx.Response) -> None:
        await response.aread() if not _is_stream(response) else None
        assert response.headers["x-request-id"]
        if response.status_code < 400:
            return
        assert_error_detail(response)
        operation = self._operation(response.request.method, response.request.url.path)
        if operation is not None:
            assert str(response.status_code) in operation["responses"], f"undeclared status {response.status_code}"
            assert response.json()["code"] in operation["x-error-codes"], f"undeclared code {response.json()['code']}"

    def _operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        for pattern, operations in self._routes:
            if pattern.match(path) and method.lower() in operations:
                operation: Mapping[str, Any] = operations[method.lower()]
                return operation
        return None


# What stands beside an ErrorDetail for clients that look for it there.
FURTHER = {"quota_exceeded": {"error", "currentUsage", "maxAllowed", "requiredSpace"}}


def assert_error_detail(response: httpx.Response) -> None:
    body = response.json()
    assert (
        {"code", "message", "detail", "metadata"}
        <= body.keys() - FURTHER.get(body["code"], set())
        <= {"code", "message", "detail", "field", "metadata"}
    )
    assert all(isinstance(body[member], str) and body[member] for member in ("code", "message", "detail"))
    assert body["metadata"]["request_id"] == response.headers["x-request-id"]


async def conforming_client(base_url: str, **options: Any) -> httpx.AsyncClient:
    """A client for a running service whose every answer is checked."""
    async with httpx.AsyncClient(base_url=base_url) as probe:
        openapi = (await probe.get("/openapi.json")).json()
    return httpx.AsyncClient(base_url=base_url, event_hooks={"response": [Conformance(openapi)]}, **options)


def _is_stream(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type")).startswith("text/event-stream")
