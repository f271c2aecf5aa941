"""What may enter a log record: a little of any text, and how much there was."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

TEXT_LENGTH = 500
MEMBERS = 20
DEPTH = 4
RECORD_LENGTH = 20_000
_LARGEST_NUMBER = 10**30
_COUNT_LENGTH = 40  # what is cut already is not cut again, and keeps its count

type Loggable = Any  # Any: what JSON knows


def bounded(value: object) -> Loggable:
    """`value` for a log record: texts, lists and objects cut and counted, so that neither a client nor a provider
    decides how large a record becomes."""
    return _Room().bounded(value, DEPTH)


def bounded_text(text: str, length: int = TEXT_LENGTH) -> str:
    """The beginning of a long text and the number of its characters."""
    return text if len(text) <= length + _COUNT_LENGTH else f"{text[:length]}... ({len(text)} characters)"


class _Room:
    """One record's worth of characters."""

    def __init__(self) -> None:
        self._left = RECORD_LENGTH

    def bounded(self, value: object, depth: int) -> Loggable:  # noqa: PLR0911 - one kind, one return
        match value:
            case None | bool() | float():
                return value
            case int():
                return value if abs(value) < _LARGEST_NUMBER else f"({value.bit_length()} bits)"
            case str():
                return self._text(value)
            case bytes() | bytearray() | memoryview():
                return f"({len(value)} bytes)"
            case Mapping() | list() | tuple() | set() | frozenset() if depth == 0:
                return f"({len(value)} members)"
            case Mapping():
                shown = MEMBERS if len(value) > MEMBERS + 1 else MEMBERS + 1
                kept = {self._text(str(name)): self.bounded(value[name], depth - 1) for name in islice(value, shown)}
                return kept | ({"...": f"{len(value) - shown} more"} if len(value) > shown else {})
            case list() | tuple() | set() | frozenset():
                return self._members(value, len(value), depth)
            case _:
                return self._text(f"{type(value).__qualname__}: {value}")

    def _members(self, members: Iterable[object], count: int, depth: int) -> list[Loggable]:
        shown = MEMBERS if count > MEMBERS + 1 else MEMBERS + 1
        kept = [self.bounded(member, depth - 1) for member in islice(members, shown)]
        return [*kept, f"... and {count - shown} more"] if count > shown else kept

    def _text(self, text: str) -> str:
        shown = bounded_text(text, min(TEXT_LENGTH, self._left))
        self._left = max(0, self._left - len(shown))
        return shown
