"""The threads in which AWS is called."""

import asyncio
import threading
from typing import Any

import pytest

from apis.shared.aws.client import POOL_SIZE, ServiceClient, agentcore, code_runs, memory_records
from apis.shared.aws.memory import Memory
from apis.shared.memory.repository import MemoryRecords
from apis.shared.result import Success


def test_a_search_that_hangs_takes_no_thread_from_the_messages() -> None:
    """L9: each client has its own, and a turn can do without what it remembers, not without what was said."""
    assert Memory("m").client is agentcore
    assert MemoryRecords("m")._client is memory_records
    assert len({id(agentcore), id(memory_records), id(code_runs)}) == 3


async def test_what_nobody_waits_for_any_more_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServiceClient, "_connected", lambda _: None)
    client: ServiceClient[Any] = ServiceClient("s3")
    ended = threading.Event()
    begun: list[str] = []
    hanging = [asyncio.create_task(client.call(lambda _: ended.wait())) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0)
    left = asyncio.create_task(client.call(lambda _: begun.append("left")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait((left,))
    ended.set()
    assert all(isinstance(one, Success) for one in await asyncio.gather(*hanging))
    assert (await client.call(lambda _: "next")).unwrap() == "next"
    assert left.cancelled()
    assert begun == []
