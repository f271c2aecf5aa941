"""A cache that expires, is bounded, and never keeps what was read before an invalidation."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How many entries there are, and how many of these have expired and only wait to be removed."""

    entries: int
    expired: int


class TtlCache[K: Hashable, V]:
    """Least recently stored entries leave first. A time-to-live of 0 keeps nothing."""

    def __init__(
        self, ttl_seconds: float, *, max_size: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_size = max_size
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._generation = 0

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None or self._clock() >= entry[0]:
            return None
        return entry[1]

    async def get_or_read(
        self, key: K, read: Callable[[], Awaitable[Result[V, ErrorDetail]]]
    ) -> Result[V, ErrorDetail]:
        """The kept value, else what `read` gives, which is kept unless it is a Failure, None, or was overtaken by an
        invalidation."""
        known = self.get(key)
        if known is not None:
            return Success(known)
        generation = self._generation
        return (await read()).map(lambda value: self._keep(key, value, generation))

    def put(self, key: K, value: V) -> None:
        """Keep `value`; of what is being read meanwhile nothing is kept, because it may be older."""
        self._generation += 1
        self._keep(key, value, self._generation)

    def invalidate(self) -> None:
        self._generation += 1
        self._entries.clear()

    def invalidate_keys(self, keys: Iterable[K]) -> None:
        """Only these go; of what is being read meanwhile nothing is kept, whatever its key."""
        self._generation += 1
        for key in keys:
            self._entries.pop(key, None)

    def invalidate_where(self, concerns: Callable[[K], bool]) -> None:
        """`invalidate_keys` for the keys that `concerns` is true for."""
        self.invalidate_keys([key for key in self._entries if concerns(key)])

    def size(self) -> CacheSize:
        now = self._clock()
        return CacheSize(len(self._entries), sum(now >= expiry for expiry, _ in self._entries.values()))

    def remove_expired(self) -> int:
        """How many were removed. Storing an entry does it too."""
        before = len(self._entries)
        now = self._clock()
        # The first to be stored is the first to expire.
        while self._entries and now >= next(iter(self._entries.values()))[0]:
            self._entries.popitem(last=False)
        return before - len(self._entries)

    def _keep(self, key: K, value: V, generation: int) -> V:
        if generation == self._generation and self._ttl_seconds > 0 and value is not None:
            self.remove_expired()
            self._entries[key] = (self._clock() + self._ttl_seconds, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_size:
                self._entries.popitem(last=False)
        return value
