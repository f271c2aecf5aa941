"""Server-sent events as they come, a part at a time."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`data` is None for an event without any. `retry_ms` is how long to wait before asking again."""

    data: bytes | None
    event_id: str | None
    retry_ms: int | None


class EventReader:
    """Takes the bytes of a response; what is incomplete at its end is no event."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._id: str | None = None
        self._retry: int | None = None

    @property
    def held(self) -> int:
        """Bytes that are kept for an event which is not complete."""
        return len(self._rest) + self._data_bytes

    def feed(self, part: bytes) -> Iterator[ServerEvent]:
        self._rest += part
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            self._searched = 0
            if line:
                self._take(line)
            elif event := self._finished():
                yield event
        self._searched = len(self._rest)

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                # Also of a line that holds none.
                self._data_bytes += len(line) + 1
            case b"id" if b"\x00" not in value:
                self._id = value.decode("latin-1")
            case b"retry" if value.isdigit() and len(value) < 8:
                self._retry = int(value)

    def _finished(self) -> ServerEvent | None:
        if not self._data and self._id is None and self._retry is None:
            return None
        event = ServerEvent(b"\n".join(self._data) if self._data else None, self._id, self._retry)
        self._data, self._data_bytes, self._id, self._retry = [], 0, None, None
        return event
