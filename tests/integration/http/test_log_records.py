"""What an operator reads on the standard error of a service: one JSON object per record."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from devstack.services import Service, running_service

WRITTEN_FOR_ONE_REQUEST = ["Nobody waits for this.", "Only a counter.", "in a callback", "in a thread"]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_service("tests.integration.http.service:app", {}, health_path="/health") as running:
        yield running


async def test_records_of_a_request_carry_its_id(service: Service) -> None:
    ids = ["request-0001", "request-0002"]
    async with httpx.AsyncClient(base_url=service.base_url, trust_env=False) as client:
        await asyncio.gather(*(client.get("/suppressing", headers={"X-Request-ID": one}) for one in ids))

    async with asyncio.timeout(5):
        while not all(texts(service, one) == WRITTEN_FOR_ONE_REQUEST for one in ids):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
    assert "at the start" in texts(service, None)


def texts(service: Service, request_id: str | None) -> list[str]:
    written: list[dict[str, Any]] = [json.loads(one) for one in service.output().splitlines() if one.startswith("{")]
    own = [record for record in written if record.get("request_id") == request_id]
    return sorted(record.get("reason") or record["message"] for record in own)
