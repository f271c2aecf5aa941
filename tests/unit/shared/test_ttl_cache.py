import asyncio
from dataclasses import dataclass

import pytest

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success
from apis.shared.ttl_cache import CacheSize, TtlCache


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> TtlCache[str, int]:
    return TtlCache(60, max_size=3, clock=clock)


async def read[V](cache: TtlCache[str, V], key: str, value: V) -> None:
    """The store holds `value`, and the cache is asked."""

    async def store() -> Result[V, ErrorDetail]:
        return Success(value)

    assert isinstance(await cache.get_or_read(key, store), Success)


async def test_an_entry_is_gone_at_the_moment_it_expires(cache: TtlCache[str, int], clock: Clock) -> None:
    await read(cache, "a", 1)
    clock.now += 59.9
    assert cache.get("a") == 1
    clock.now += 0.1
    assert cache.get("a") is None


async def test_a_kept_value_is_not_read_again_until_it_expires(cache: TtlCache[str, int], clock: Clock) -> None:
    await read(cache, "a", 1)
    await read(cache, "a", 2)
    assert cache.get("a") == 1
    clock.now += 60
    await read(cache, "a", 2)
    clock.now += 59
    assert cache.get("a") == 2


async def test_an_empty_value_is_an_entry(clock: Clock) -> None:
    cache: TtlCache[str, list[str]] = TtlCache(60, clock=clock)
    await read(cache, "a", [])
    assert cache.get("a") == []


async def test_what_is_not_there_is_not_kept(clock: Clock) -> None:
    cache: TtlCache[str, int | None] = TtlCache(60, clock=clock)
    await read(cache, "a", None)
    await read(cache, "a", 1)
    assert cache.get("a") == 1


async def test_a_failure_is_handed_on_and_not_kept(cache: TtlCache[str, int]) -> None:
    async def broken() -> Result[int, ErrorDetail]:
        return Failure(service_unavailable())

    assert await cache.get_or_read("a", broken) == Failure(service_unavailable())
    assert cache.get("a") is None


@pytest.mark.parametrize("seconds", [0, -1])
async def test_without_a_time_to_live_nothing_is_kept(clock: Clock, seconds: float) -> None:
    cache: TtlCache[str, int] = TtlCache(seconds, clock=clock)
    await read(cache, "a", 1)
    assert cache.get("a") is None


async def test_the_least_recently_stored_entry_leaves_first(cache: TtlCache[str, int], clock: Clock) -> None:
    for name, value in (("a", 1), ("b", 2), ("c", 3)):
        await read(cache, name, value)
    clock.now += 60
    for name, value in (("a", 4), ("d", 5)):
        await read(cache, name, value)
    assert [cache.get(name) for name in "abcd"] == [4, None, None, 5]
    await read(cache, "e", 6)
    await read(cache, "f", 7)
    assert [cache.get(name) for name in "adef"] == [None, 5, 6, 7]


async def test_what_was_read_before_an_invalidation_is_not_kept_after_it(cache: TtlCache[str, int]) -> None:
    released = asyncio.Event()

    async def slow() -> Result[int, ErrorDetail]:
        await released.wait()
        return Success(2)

    await read(cache, "kept", 1)
    overtaken = asyncio.create_task(cache.get_or_read("overtaken", slow))
    await asyncio.sleep(0)
    cache.invalidate()
    released.set()
    assert await overtaken == Success(2)
    await read(cache, "fresh", 3)
    assert [cache.get(name) for name in ("kept", "overtaken", "fresh")] == [None, None, 3]


async def test_only_the_named_entries_are_invalidated(cache: TtlCache[str, int]) -> None:
    for name in "abc":
        await read(cache, name, 1)
    cache.invalidate_keys(["a", "c", "never there"])
    assert [cache.get(name) for name in "abc"] == [None, 1, None]


async def test_entries_of_which_something_is_true_are_invalidated(cache: TtlCache[str, int]) -> None:
    for name in ("aa", "ab", "b"):
        await read(cache, name, 1)
    cache.invalidate_where(lambda key: key.startswith("a"))
    assert [cache.get(name) for name in ("aa", "ab", "b")] == [None, None, 1]


class Store:
    """Answers all reads when it is let."""

    def __init__(self) -> None:
        self.reads = 0
        self.opened = asyncio.Event()

    async def __call__(self) -> Result[int, ErrorDetail]:
        self.reads += 1
        number = self.reads
        await self.opened.wait()
        return Success(number)


async def waiting(cache: TtlCache[str, int], store: Store, *keys: str) -> list[asyncio.Task[Result[int, ErrorDetail]]]:
    tasks = [asyncio.create_task(cache.get_or_read(key, store)) for key in keys]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_of_those_who_ask_at_once_one_reads(cache: TtlCache[str, int]) -> None:
    store = Store()
    asking = await waiting(cache, store, *"aaab")
    store.opened.set()
    assert [result.unwrap() for result in await asyncio.gather(*asking)] == [1, 1, 1, 2]
    assert (store.reads, cache.get("a"), cache.get("b")) == (2, 1, 2)


async def test_who_leaves_takes_the_read_from_nobody(cache: TtlCache[str, int]) -> None:
    store = Store()
    first, second = await waiting(cache, store, "a", "a")
    first.cancel()
    await asyncio.wait((first,))
    store.opened.set()
    assert await second == Success(1)
    assert (first.cancelled(), cache.get("a")) == (True, 1)


async def test_a_failure_is_told_to_all_who_wait_and_the_next_one_reads(cache: TtlCache[str, int]) -> None:
    opened = asyncio.Event()
    reads = 0

    async def broken() -> Result[int, ErrorDetail]:
        nonlocal reads
        reads += 1
        await opened.wait()
        return Failure(service_unavailable())

    asking = [asyncio.create_task(cache.get_or_read("a", broken)) for _ in range(3)]
    await asyncio.sleep(0)
    opened.set()
    assert [result.failure().code.value for result in await asyncio.gather(*asking)] == ["service_unavailable"] * 3
    assert reads == 1
    await read(cache, "a", 7)
    assert cache.get("a") == 7


async def test_a_bug_reaches_all_who_wait_and_is_not_kept(cache: TtlCache[str, int]) -> None:
    async def bug() -> Result[int, ErrorDetail]:
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await cache.get_or_read("a", bug)


@pytest.mark.parametrize("invalidated", [["a"], ["b"], None], ids=["its own", "another", "all"])
async def test_an_invalidation_overtakes_only_what_it_names(
    cache: TtlCache[str, int], invalidated: list[str] | None
) -> None:
    store = Store()
    before = await waiting(cache, store, "a")
    if invalidated is None:
        cache.invalidate()
    else:
        cache.invalidate_keys(invalidated)
    after = await waiting(cache, store, "a")
    store.opened.set()
    overtakes = invalidated != ["b"]
    assert await before[0] == Success(1), "who asked before it gets what was read then"
    assert await after[0] == Success(2 if overtakes else 1)
    assert cache.get("a") == (2 if overtakes else 1)


async def test_nothing_is_left_of_a_read(cache: TtlCache[str, int]) -> None:
    for number in range(50):
        await read(cache, str(number), number)
        cache.invalidate_keys([str(number)])
    assert (cache.size(), len(cache._reads)) == (CacheSize(0, 0), 0)


async def test_expired_entries_count_until_they_are_removed(cache: TtlCache[str, int], clock: Clock) -> None:
    await read(cache, "a", 1)
    clock.now += 30
    await read(cache, "b", 1)
    assert cache.size() == CacheSize(2, 0)
    clock.now += 30
    assert cache.size() == CacheSize(2, 1)
    assert cache.remove_expired() == 1
    assert cache.size() == CacheSize(1, 0)
    clock.now += 30
    await read(cache, "c", 1)
    assert cache.size() == CacheSize(1, 0), "storing an entry removes what has expired"
