"""The cache of permissions: expiry, bound, and reads that an invalidation overtakes."""

from dataclasses import dataclass

import pytest

from apis.shared.ttl_cache import TtlCache


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_entry_is_expired_when_its_time_is_reached(clock: Clock) -> None:
    cache: TtlCache[str, int] = TtlCache(60, clock=clock)
    cache.put("a", 1, generation=cache.generation)
    clock.now += 59.9
    assert cache.get("a") == 1
    clock.now = 160.0
    assert cache.get("a") is None


@pytest.mark.parametrize("ttl", [0, -1])
def test_no_time_to_live_keeps_nothing(clock: Clock, ttl: float) -> None:
    cache: TtlCache[str, int] = TtlCache(ttl, clock=clock)
    cache.put("a", 1, generation=cache.generation)
    assert cache.get("a") is None


def test_a_read_that_began_before_an_invalidation_is_not_kept(clock: Clock) -> None:
    cache: TtlCache[str, int] = TtlCache(60, clock=clock)
    cache.put("a", 1, generation=cache.generation)
    began = cache.generation
    cache.invalidate()
    cache.put("a", 2, generation=began)
    assert cache.get("a") is None
    cache.put("a", 3, generation=cache.generation)
    assert cache.get("a") == 3


def test_it_does_not_grow_without_bound(clock: Clock) -> None:
    cache: TtlCache[int, int] = TtlCache(60, max_size=3, clock=clock)
    for number in (1, 2, 3, 1, 4):
        cache.put(number, number, generation=cache.generation)
    assert [cache.get(number) for number in (1, 2, 3, 4)] == [1, None, 3, 4]


def test_an_empty_value_is_a_value(clock: Clock) -> None:
    cache: TtlCache[str, list[str]] = TtlCache(60, clock=clock)
    cache.put("a", [], generation=cache.generation)
    assert cache.get("a") == []
