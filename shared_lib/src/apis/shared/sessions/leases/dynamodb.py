"""Leases in the sessions table: an item beside the claim on the session's id.

It stays when it is released, so that the next turn sees when that was, and is left to the table's expiry a day later.
"""

import time

from apis.shared.aws.dynamodb import F, Key, Table, assigned
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.sessions.leases.repository import EXPIRY_SECONDS, RECENT_SECONDS, Held, Taken, process_of

_DAY_SECONDS = 24 * 60 * 60
_OWNER, _EXPIRES, _ABORTED, _RELEASED = F("owner"), F("expiresAt"), F("aborted"), F("releasedAt")


class DynamoLeases:
    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def take(self, user_id: str, session_id: str, owner: str) -> Result[Taken | Held, ErrorDetail]:
        now = time.time()
        expires = int(now) + EXPIRY_SECONDS
        key = _key(user_id, session_id)
        item = (
            await self._table.update_if_and_get(
                key,
                assigned({"owner": owner, "expiresAt": expires, "ttl": expires + _DAY_SECONDS}) & _ABORTED.remove(),
                condition=_OWNER.does_not_exist() | _EXPIRES.lt(int(now)) | _OWNER.begins_with(process_of(owner)),
            )
        ).unwrap()
        if item is None:
            held = (await self._table.get(key, consistent=True)).unwrap()
            return Success(Held(is_aborted=held is None or "owner" not in held or held.get("aborted") is True))
        released = item.get("releasedAt", 0)
        if item.get("owner") != owner or not isinstance(released, int):
            return Failure(internal_error(None, entity="turn lease", key=f"{key['PK']} / {key['SK']}"))
        return Success(Taken(is_recent=released > now - RECENT_SECONDS))

    async def abort(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:
        aborted = await self._table.update_if(
            _key(user_id, session_id), _ABORTED.set(True), condition=_OWNER.equals(owner)
        )
        return aborted.map(lambda _: None)

    async def release(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:
        released = await self._table.update_if(
            _key(user_id, session_id),
            _RELEASED.set(int(time.time()) + 1) & _OWNER.remove() & _EXPIRES.remove() & _ABORTED.remove(),
            condition=_OWNER.equals(owner),
        )
        return released.map(lambda _: None)


def _key(user_id: str, session_id: str) -> Key:
    return {"PK": f"CLAIM#{session_id}", "SK": f"TURN_LEASE#{user_id}"}
