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


@pytest.fixture
def cache(clock: Clock) -> TtlCache[str, int]:
    return TtlCache(60, max_size=3, clock=clock)


def test_an_entry_is_gone_at_the_moment_it_expires(cache: TtlCache[str, int], clock: Clock) -> None:
    cache.put("a", 1, generation=cache.generation)
    clock.now += 59.9
    assert cache.get("a") == 1
    clock.now += 0.1
    assert cache.get("a") is None


def test_storing_again_renews_an_entry(cache: TtlCache[str, int], clock: Clock) -> None:
    cache.put("a", 1, generation=cache.generation)
    clock.now += 59
    cache.put("a", 2, generation=cache.generation)
    clock.now += 59
    assert cache.get("a") == 2


def test_an_empty_value_is_an_entry(clock: Clock) -> None:
    cache: TtlCache[str, list[str]] = TtlCache(60, clock=clock)
    cache.put("a", [], generation=cache.generation)
    assert cache.get("a") == []


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_a_time_to_live_nothing_is_kept(clock: Clock, seconds: float) -> None:
    cache: TtlCache[str, int] = TtlCache(seconds, clock=clock)
    cache.put("a", 1, generation=cache.generation)
    assert cache.get("a") is None


def test_the_least_recently_stored_entry_leaves_first(cache: TtlCache[str, int]) -> None:
    for name, value in (("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5)):
        cache.put(name, value, generation=cache.generation)
    assert [cache.get(name) for name in "abcd"] == [4, None, 3, 5]


def test_what_was_read_before_an_invalidation_is_not_kept_after_it(cache: TtlCache[str, int]) -> None:
    cache.put("kept", 1, generation=cache.generation)
    before = cache.generation
    cache.invalidate()
    cache.put("overtaken", 2, generation=before)
    cache.put("fresh", 3, generation=cache.generation)
    assert [cache.get(name) for name in ("kept", "overtaken", "fresh")] == [None, None, 3]
