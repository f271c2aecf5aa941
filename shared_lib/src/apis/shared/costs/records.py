"""Cost records in the sessions table: one item per assistant message."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from apis.shared.aws.dynamodb import Item, Table, plain
from apis.shared.costs.models import CostRecord
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success

RECORD_TTL_SECONDS = 365 * 24 * 60 * 60
INDEX_PREFIX = "C#"
"""How the lookup index of a session begins its sort key for a cost record."""

_NOT_THE_BODY = frozenset(
    {"PK", "SK", "GSI1PK", "GSI1SK", "GSI_PK", "GSI_SK", "ttl", "userId", "sessionId", "messageId", "timestamp"}
)


def read_cost(item: Item) -> Result[tuple[int, Mapping[str, Any]], ErrorDetail]:
    """Message index and body of a stored record; the body is free-form and passes through as it is."""
    index = item["messageId"]
    if not isinstance(index, int):
        return Failure(internal_error(None, entity="cost record", key=f"{item.get('PK')} / {item.get('SK')}"))
    return Success((index, {name: plain(value) for name, value in item.items() if name not in _NOT_THE_BODY}))


class CostRecords:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]:
        owner = record.attribution
        user, session = f"USER#{owner.user_id}", f"SESSION#{owner.session_id}"
        keys: Item = {
            "PK": user,
            "SK": f"{INDEX_PREFIX}{owner.timestamp}#{uuid.uuid4()}",
            "GSI1PK": user,
            "GSI1SK": owner.timestamp,
            "GSI_PK": session,
            "GSI_SK": f"{INDEX_PREFIX}{owner.timestamp}",
            "sessionId": owner.session_id,
            "userId": owner.user_id,
            "timestamp": owner.timestamp,
            "messageId": message_index,
            "ttl": int(time.time()) + RECORD_TTL_SECONDS,
        }
        return await self._table.put({**keys, **record.stored()})
