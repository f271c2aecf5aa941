"""Two signed-in users of the App API, in both storage modes."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.platform import Platform

ADA, BOB = "000000001", "000000002"


@pytest.fixture
async def ada(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(ADA) as client:
        yield client


@pytest.fixture
async def bob(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(BOB) as client:
        yield client
