"""A cache that expires, is bounded, reads once for all who ask, and never keeps what an invalidation has overtaken."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass

from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Result, Success


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How many entries there are, and how many of these have expired and only wait to be removed."""

    entries: int
    expired: int


class TtlCache[K: Hashable, V]:
    """Least recently stored entries leave first. A time-to-live of 0 keeps nothing and shares no read."""

    def __init__(
        self, ttl_seconds: float, *, max_size: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_size = max_size
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        # What is being read and may be kept: an invalidation takes it out, the read goes on for those who wait.
        self._reads: dict[K, asyncio.Task[Result[V, ErrorDetail]]] = {}

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None or self._clock() >= entry[0]:
            return None
        return entry[1]

    async def get_or_read(
        self, key: K, read: Callable[[], Awaitable[Result[V, ErrorDetail]]]
    ) -> Result[V, ErrorDetail]:
        """The kept value, else what `read` gives, which is kept unless it is a Failure, None, or was overtaken by an
        invalidation. Who asks for a key that is being read waits for that read, which no cancellation of theirs ends.
        """
        known = self.get(key)
        if known is not None:
            return Success(known)
        if self._ttl_seconds <= 0:
            return await read()
        reading = self._reads.get(key)
        if reading is None:
            reading = self._reads[key] = background.start(self._read(key, read), name="read for a cache")
        return await asyncio.shield(reading)

    def put(self, key: K, value: V) -> None:
        """Keep `value`; what is being read for the key meanwhile is not kept, because it may be older."""
        self._reads.pop(key, None)
        self._keep(key, value)

    def invalidate(self) -> None:
        self._reads.clear()
        self._entries.clear()

    def invalidate_keys(self, keys: Iterable[K]) -> None:
        """Only these go."""
        for key in keys:
            self._reads.pop(key, None)
            self._entries.pop(key, None)

    def invalidate_where(self, is_meant: Callable[[K], bool]) -> None:
        """Only these go; looks at all keys."""
        self.invalidate_keys([key for key in (*self._entries, *self._reads) if is_meant(key)])

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

    async def _read(self, key: K, read: Callable[[], Awaitable[Result[V, ErrorDetail]]]) -> Result[V, ErrorDetail]:
        is_current = False
        try:
            result = await read()
        finally:
            if self._reads.get(key) is asyncio.current_task():
                del self._reads[key]
                is_current = True
        return result.map(lambda value: self._keep(key, value)) if is_current else result

    def _keep(self, key: K, value: V) -> V:
        if value is not None:
            self.remove_expired()
            self._entries[key] = (self._clock() + self._ttl_seconds, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_size:
                self._entries.popitem(last=False)
        return value
