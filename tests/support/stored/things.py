"""What a store can hold, of whatever feature."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

MOMENT: Final = "2025-01-15T10:30:45.123456+00:00"
LATE_TTL: Final = 4_000_000_000


class _LeftOut:
    def __repr__(self) -> str:
        """The same in every process: workers name tests by it."""
        return "LEFT_OUT"


LEFT_OUT: Final = _LeftOut()

type Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """An item of the table whose name is in the environment variable `table`."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation: an event of AgentCore Memory, or a local file."""

    user_id: str
    session_id: str
    index: int
    message: Mapping[str, Any]
    at: datetime

    @property
    def role(self) -> str:
        return str(self.message["role"])

    def entry(self, *, message_id: int = 0) -> dict[str, Any]:
        """The JSON that is stored; only local files number their messages."""
        return {
            "message": _without_bytes(self.message),
            "message_id": message_id,
            "redact_message": None,
            "created_at": self.at.isoformat(),
            "updated_at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket whose name is in the environment variable `bucket`, or that is named so."""

    bucket: str
    key: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector of the one index."""

    key: str
    numbers: Sequence[float]
    metadata: Mapping[str, Any]


type Thing = Row | StoredMessage | StoredObject | StoredVector


def row_of(table: str, item: Mapping[str, Any], attributes: Mapping[str, Any]) -> Row:
    return Row(table, {name: value for name, value in {**item, **attributes}.items() if value is not LEFT_OUT})


def _without_bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"__bytes_encoded__": True, "data": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {name: _without_bytes(member) for name, member in value.items()}
    return [_without_bytes(member) for member in value] if isinstance(value, list) else value
