"""Session records in the sessions table.

The sort key holds the time of the last message, so a record moves with every turn: old key deleted and new key put in
one transaction, with all attributes that were read. A session is created together with a claim on its id, because two
creators write different sort keys and would not see each other. A move writes the claim too: older records have none,
and for a moment the index may show a moved record neither at its old nor at its new place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    AttributeType,
    Condition,
    Delete,
    F,
    HashKey,
    Item,
    Key,
    Operation,
    Put,
    Query,
    RangeKey,
    Table,
    assigned,
    parse_as,
    plain,
    transact,
)
from apis.shared.costs.records import INDEX_PREFIX, read_cost
from apis.shared.errors import ErrorDetail
from apis.shared.page_tokens import decode_key_token, encode_key_token
from apis.shared.result import Failure, Result, Success, collect, error_of, railway
from apis.shared.sessions.models import SessionLookup, SessionPage, SessionPatch, SessionRecord
from apis.shared.sessions.repository import SESSION_CHANGED, Annotations, session_not_found

# On a claim whose session has no record yet, because its first turn is running.
_RESERVED = "reserved"
ACTIVE, DELETED = "S#ACTIVE#", "S#DELETED#"
_INDEX = "SessionLookupIndex"
_GUARDED = ("messageCount", "title", "status", "starred", "tags", "preferences", "compaction")
_LONGEST_INDEX_KEY = 2048  # bytes; the service refuses to look for a longer one


class DynamoSessions:
    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def list_page(self, user_id: str, limit: int | None, token: str | None) -> Result[SessionPage, ErrorDetail]:
        start = decode_key_token(token, partition=_user(user_id), prefix=ACTIVE).unwrap() if token is not None else None
        query = Query(
            HashKey("PK", _user(user_id)) & RangeKey("SK").begins_with(ACTIVE),
            ascending=False,
            limit=limit,
        )
        page = (await self._table.query_page(query, start)).unwrap()
        records = collect(_read(item) for item in page.items).unwrap()
        # A record that was created twice in one moment shows once, as its newest.
        unique = {record.session_id: record for record in reversed(records)}
        newest_first = [record for record in records if unique.pop(record.session_id, None) is not None]
        return Success(SessionPage(newest_first, encode_key_token(page.next_key) if page.next_key else None))

    @railway
    async def find(self, user_id: str, session_id: str) -> Result[SessionLookup, ErrorDetail]:
        if len(_index_key(session_id).encode()) > _LONGEST_INDEX_KEY:
            return Success(SessionLookup(None))
        items = (await self._table.query_all(_lookup(session_id, meta_only=True))).unwrap()
        return _choose(user_id, items)

    @railway
    async def annotations(self, user_id: str, session_id: str) -> Result[Annotations, ErrorDetail]:
        items = (await self._table.query_all(_lookup(session_id, meta_only=False))).unwrap()
        lookup = _choose(user_id, [item for item in items if item.get("GSI_SK") == "META"]).unwrap()
        own = [item for item in items if item.get("userId") == user_id and "messageId" in item]
        costs = collect(
            read_cost(item) for item in own if str(item.get("GSI_SK", "")).startswith(INDEX_PREFIX)
        ).unwrap()
        # Oldest first, so that of several records of one message the latest wins.
        return Success(Annotations(lookup, dict(costs)))

    @railway
    async def reserve(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        claim = _claim(user_id, session_id)
        if (await self._table.put_if_absent({**claim, _RESERVED: True})).unwrap():
            return Success(None)
        return await self._refuse_foreign(user_id, session_id)

    @railway
    async def create(self, record: SessionRecord) -> Result[str, ErrorDetail]:
        sort_key = _active_key(record)
        session: Item = {**_keys(record.user_id, record.session_id, sort_key), **record.stored()}
        unclaimed = PK_ABSENT | (F("userId").equals(record.user_id) & F(_RESERVED).exists())
        operations = [self._put(_claim_of(record), unclaimed), self._put(session, PK_ABSENT)]
        created = await transact(operations, lost=SESSION_CHANGED)
        if error_of(created) == SESSION_CHANGED:
            (await self._refuse_foreign(record.user_id, record.session_id)).unwrap()
        return created.map(lambda _: sort_key)

    @railway
    async def _refuse_foreign(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        claim = (await self._table.get(_claim_key(session_id), consistent=True)).unwrap()
        is_foreign = claim is not None and claim.get("userId") != user_id
        return Failure(session_not_found(session_id)) if is_foreign else Success(None)

    @railway
    async def patch(self, record: SessionRecord, patch: SessionPatch) -> Result[SessionRecord, ErrorDetail]:
        change, condition = assigned(patch.attributes), PK_EXISTS
        preferences = F("preferences")
        if patch.preferences and record.preferences is not None:
            for name, value in patch.preferences.items():
                change &= F("preferences", name).set(value)
            condition &= preferences.attribute_type(AttributeType.map)
        elif patch.preferences:
            change &= preferences.set(dict(patch.preferences))
            condition &= preferences.does_not_exist() | preferences.attribute_type(AttributeType.null)
        for name, text in patch.expected.items():
            condition &= F(name).equals(text) if text else _is_empty(F(name))
        changed = await self._table.update_and_get(_key(record), change, condition=condition, lost=SESSION_CHANGED)
        return _read(changed.unwrap())

    @railway
    async def advance(
        self, record: SessionRecord, last_message_at: str, *, turns: int, preferences: Mapping[str, Any]
    ) -> Result[str, ErrorDetail]:
        item = (await self._table.get(_key(record), consistent=True)).unwrap()
        if item is None:
            return Failure(SESSION_CHANGED)
        count = _read(item).unwrap().message_count + turns
        changes: Item = {"lastMessageAt": last_message_at, "messageCount": count}
        if preferences:
            current = item.get("preferences")
            changes["preferences"] = {**(current if isinstance(current, Mapping) else {}), **preferences}
        sort_key = f"{ACTIVE}{last_message_at}#{record.session_id}"
        if sort_key == record.sort_key:
            written = await self._table.update(
                _key(record), assigned(changes), condition=_unchanged(item), lost=SESSION_CHANGED
            )
            return written.map(lambda _: sort_key)
        operations = [
            self._delete(record, _unchanged(item)),
            self._put({**item, **changes, "SK": sort_key}, PK_ABSENT),
            self._put(_claim_of(record)),
        ]
        return (await transact(operations, lost=SESSION_CHANGED)).map(lambda _: sort_key)

    async def keep_compaction(
        self, user_id: str, sort_key: str, checkpoint: int, attribute: Mapping[str, Any]
    ) -> Result[bool, ErrorDetail]:
        known = F("compaction", "checkpoint")
        return await self._table.update_if(
            {"PK": _user(user_id), "SK": sort_key},
            assigned({"compaction": dict(attribute)}),
            condition=PK_EXISTS & (known.does_not_exist() | known.lte(checkpoint)),
        )

    @railway
    async def soft_delete(
        self, record: SessionRecord, deleted_at: str, duplicates: Sequence[SessionRecord] = ()
    ) -> Result[None, ErrorDetail]:
        item = (await self._table.get(_key(record), consistent=True)).unwrap()
        if item is None:
            return Failure(SESSION_CHANGED)
        _read(item).unwrap()
        preferences = item.get("preferences")
        kept: Item = {name: value for name, value in item.items() if value is not None}
        if isinstance(preferences, Mapping):
            kept["preferences"] = {name: value for name, value in preferences.items() if value is not None}
        deleted: Item = {
            **kept,
            "SK": f"{DELETED}{deleted_at}#{record.session_id}",
            "status": "deleted",
            "deleted": True,
            "deletedAt": deleted_at,
        }
        # What the index shows of a duplicate may be old: one that is gone already is no reason to fail.
        operations = [
            self._delete(record, PK_EXISTS),
            *(self._delete(duplicate) for duplicate in duplicates),
            self._put(deleted),
            self._put(_claim_of(record)),
        ]
        return await transact(operations, lost=SESSION_CHANGED)

    def _put(self, item: Item, condition: Condition | None = None) -> Operation:
        return Put(self._table.name, item, condition)

    def _delete(self, record: SessionRecord, condition: Condition | None = None) -> Operation:
        return Delete(self._table.name, _key(record), condition)


def _user(user_id: str) -> str:
    return f"USER#{user_id}"


def _active_key(record: SessionRecord) -> str:
    return f"{ACTIVE}{record.last_message_at}#{record.session_id}"


def _key(record: SessionRecord) -> dict[str, str]:
    return {"PK": _user(record.user_id), "SK": record.sort_key}


def _claim_key(session_id: str) -> Key:
    return {"PK": f"CLAIM#{session_id}", "SK": "SESSION_CLAIM"}


def _claim(user_id: str, session_id: str) -> Item:
    return {**_claim_key(session_id), "userId": user_id}


def _claim_of(record: SessionRecord) -> Item:
    return _claim(record.user_id, record.session_id)


def _keys(user_id: str, session_id: str, sort_key: str) -> Item:
    return {"PK": _user(user_id), "SK": sort_key, "GSI_PK": _index_key(session_id), "GSI_SK": "META"}


def _index_key(session_id: str) -> str:
    return f"SESSION#{session_id}"


def _lookup(session_id: str, *, meta_only: bool) -> Query:
    session = HashKey("GSI_PK", _index_key(session_id))
    return Query(session & RangeKey("GSI_SK").equals("META") if meta_only else session, index=_INDEX)


def _choose(user_id: str, items: Sequence[Item]) -> Result[SessionLookup, ErrorDetail]:
    """Of several records of the caller an active one wins, then the one with the latest message."""
    own = [item for item in items if item.get("userId") == user_id or item.get("PK") == _user(user_id)]
    if not own:
        return Success(SessionLookup(None, is_foreign=bool(items)))
    return collect(_read(item) for item in own).map(
        lambda records: _first_of(
            sorted(records, key=lambda record: (not record.deleted, record.last_message_at), reverse=True),
            is_foreign=len(own) < len(items),
        )
    )


def _first_of(records: Sequence[SessionRecord], *, is_foreign: bool) -> SessionLookup:
    return SessionLookup(records[0], tuple(records[1:]), is_foreign)


def _read(item: Item) -> Result[SessionRecord, ErrorDetail]:
    """The record with the defaults of an incomplete one; without a session id there is none."""
    sort_key = str(item.get("SK", ""))
    given: Item = {name: value for name, value in item.items() if value is not None}
    given["sortKey"] = sort_key
    if sort_key.startswith(DELETED):
        given["deleted"] = True
        given.setdefault("status", "deleted")
    if "userId" not in given:
        given["userId"] = str(item.get("PK", "")).removeprefix("USER#")
    if "lastMessageAt" not in given:
        moment = sort_key.removeprefix(DELETED).removeprefix(ACTIVE)
        given["lastMessageAt"] = moment.removesuffix(f"#{item.get('sessionId')}")
    if "createdAt" not in given:
        given["createdAt"] = given["lastMessageAt"]
    preferences = given.get("preferences")
    if isinstance(preferences, Mapping):
        # Unknown members pass through to the wire, where a number is no decimal.
        given["preferences"] = {name: plain(value) for name, value in preferences.items() if value is not None}
    return parse_as(SessionRecord, given)


def _is_empty(attribute: F) -> Condition:
    return attribute.does_not_exist() | attribute.equals("") | attribute.attribute_type(AttributeType.null)


def _unchanged(item: Item) -> Condition:
    condition = PK_EXISTS
    for name in _GUARDED:
        condition &= F(name).equals(item[name]) if name in item else F(name).does_not_exist()
    return condition
