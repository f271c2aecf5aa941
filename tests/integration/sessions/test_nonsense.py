"""Requests that make no sense are the caller's mistake, never a bug of ours."""

import uuid
from typing import Any

import httpx
import pytest


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"title": 5}',
        b'{"lastTemperature": NaN}',
        b'{"lastTemperature": 1e999}',
        b'{"lastTemperature": 1e200}',
        b'{"lastTemperature": -1e-200}',
        b'{"lastTemperature": "warm"}',
        b'{"title": "\\ud800"}',
        b'{"tags": "x"}',
        b'{"tags": [null]}',
        b'{"enabledTools": {"a": 1}}',
        b'{"starred": "maybe"}',
    ],
)
async def test_bodies(ada: httpx.AsyncClient, body: bytes) -> None:
    answer = await ada.put(
        f"/sessions/{uuid.uuid4()}/metadata", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_error"


@pytest.mark.parametrize(
    "body",
    [
        {"title": "x" * 10_000, "customPromptText": "x" * 500_000},
        {"tags": ["x" * 1_000] * 1_000},
        {"title": "\u0000\u202e\U0001f600"},
        {"unknown": {"deeply": [1, 2, {"x": None}]}},
        {"title": None, "status": None},
    ],
)
async def test_odd_but_legal_bodies(ada: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await ada.put(f"/sessions/{uuid.uuid4()}/metadata", json=body)
    assert answer.status_code in {200, 400}, answer.text


@pytest.mark.parametrize(
    "path", ["/sessions/%00/metadata", "/sessions/%F0%9F%98%80/metadata", "/sessions/a%2Fb/metadata"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_paths(ada: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await ada.request(method, path, json={"title": "x"})
    assert answer.status_code in {404, 422}, answer.text


async def test_a_body_without_a_content_type(ada: httpx.AsyncClient) -> None:
    answer = await ada.put(f"/sessions/{uuid.uuid4()}/metadata", content=b"title=x")
    assert answer.status_code == 422
