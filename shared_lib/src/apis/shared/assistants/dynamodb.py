"""Assistants and their shares in their table."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from apis.shared.assistants.models import (
    Assistant,
    AssistantChange,
    AssistantStatus,
    OwnPage,
    Share,
    as_stored,
    assistant_not_found,
    document_of,
)
from apis.shared.assistants.repository import Known
from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    SORT_KEY_BYTES,
    Condition,
    F,
    HashKey,
    Item,
    Key,
    KeyCondition,
    Query,
    RangeKey,
    Table,
    assigned,
    delete_many,
    get_many,
    is_key,
    parse_as,
)
from apis.shared.errors import ErrorDetail
from apis.shared.moments import zulu_form
from apis.shared.page_tokens import decode_owner_token, encode_owner_token
from apis.shared.result import Failure, Result, Success, all_done, collect, error_of, railway

METADATA: Final = "METADATA"
_SHARE = "SHARE#"
# In the order of the index.
_STATUSES: Sequence[AssistantStatus] = ("ARCHIVED", "COMPLETE", "DRAFT")
_AFTER_EVERY_KEY = "~"


class DynamoAssistants:
    """`vector_index` is what an assistant gets that does not say which index it has."""

    def __init__(self, table: Table, vector_index: str) -> None:
        self._table = table
        self._vector_index = vector_index

    @railway
    async def find(self, assistant_id: str, email: str = "") -> Result[Known | None, ErrorDetail]:
        if not is_key(_partition(assistant_id)):
            return Success(None)
        share = _share_key(assistant_id, email)
        keys = [_key(assistant_id), *([share] if email and is_key(share["SK"], SORT_KEY_BYTES) else [])]
        items = (await get_many(self._table, keys, consistent=True)).unwrap()
        found = {item["SK"]: item for item in items}
        if METADATA not in found:
            return Success(None)
        assistant = self._read(found[METADATA]).unwrap()
        return Success(Known(assistant, has_share=share["SK"] in found))

    @railway
    async def own(
        self, owner_id: str, statuses: Collection[AssistantStatus], *, limit: int | None, token: str | None
    ) -> Result[OwnPage, ErrorDetail]:
        """By status, then the newest first, as the index has them. `statuses` are neighbours there."""
        partition = f"OWNER#{owner_id}"
        start = None if token is None else decode_owner_token(token, partition=partition).unwrap()
        wanted = [_by_status(status) for status in _STATUSES if status in statuses]
        lowest, highest = wanted[0], wanted[-1] + _AFTER_EVERY_KEY
        # A place among others than are wanted now, which the service refuses to start from.
        if start is not None and start["GSI_SK"] < lowest:
            return Success(OwnPage([]))
        if start is not None and start["GSI_SK"] > highest:
            start = None
        between = RangeKey("GSI_SK").between(lowest, highest)
        query = Query(HashKey("GSI_PK", partition) & between, index="OwnerStatusIndex", ascending=False)
        items = (await self._items(query, start, limit)).unwrap()
        shown = items if limit is None else items[:limit]
        assistants = collect(map(self._read, shown)).unwrap()
        return Success(OwnPage(assistants, encode_owner_token(shown[-1]) if len(shown) < len(items) else None))

    @railway
    async def shared_with(self, email: str) -> Result[list[tuple[Share, Assistant]], ErrorDetail]:
        if not is_key(f"{_SHARE}{email}", SORT_KEY_BYTES):
            return Success([])
        query = Query(HashKey("GSI3_PK", f"{_SHARE}{email}"), index="SharedWithIndex")
        rows = (await self._table.query_all(query)).unwrap()
        shares = collect(parse_as(Share, row) for row in rows).unwrap()
        items = (await get_many(self._table, [_key(share.assistant_id) for share in shares], consistent=True)).unwrap()
        assistants = {one.assistant_id: one for one in collect(map(self._read, items)).unwrap()}
        return Success([(one, assistants[one.assistant_id]) for one in shares if one.assistant_id in assistants])

    async def add(self, assistant: Assistant) -> Result[None, ErrorDetail]:
        by_status = f"{_by_status(assistant.status)}{assistant.created_at}"
        index = {
            "GSI_PK": f"OWNER#{assistant.owner_id}",
            "GSI_SK": by_status,
            "GSI2_PK": _by_visibility(assistant.visibility),
            "GSI2_SK": by_status,
        }
        item = {**document_of(assistant), **_key(assistant.assistant_id), **index}
        return await self._table.put(item, condition=PK_ABSENT)

    @railway
    async def change(self, owner_id: str, assistant_id: str, change: AssistantChange) -> Result[Assistant, ErrorDetail]:
        """The keys of the indexes go by the status, the visibility and the moment of creation, which never changes:
        each is written with what it goes by, so that two changes at once cannot part them."""
        lost = assistant_not_found(assistant_id)
        if not is_key(_partition(assistant_id)):
            return Failure(lost)
        values = as_stored(change)
        if "status" in change:
            known = (await self.find(assistant_id)).unwrap()
            if known is None or known.assistant.owner_id != owner_id:
                return Failure(lost)
            by_status = f"{_by_status(change['status'])}{known.assistant.created_at}"
            values |= {"GSI_SK": by_status, "GSI2_SK": by_status}
        if "visibility" in change:
            values["GSI2_PK"] = _by_visibility(change["visibility"])
        changed = await self._table.update_and_get(
            _key(assistant_id), assigned(values), condition=_is_of(owner_id), lost=lost
        )
        return changed.bind(self._read)

    async def remove(self, owner_id: str, assistant_id: str) -> Result[None, ErrorDetail]:
        lost = assistant_not_found(assistant_id)
        return (await self._table.delete(_key(assistant_id), condition=_is_of(owner_id), lost=lost)).map(lambda _: None)

    @railway
    async def shares(self, assistant_id: str) -> Result[list[Share], ErrorDetail]:
        if not is_key(_partition(assistant_id)):
            return Success([])
        rows = (await self._table.query_all(Query(_shares_of(assistant_id), consistent=True))).unwrap()
        shares = collect(parse_as(Share, row) for row in rows).unwrap()
        return Success(sorted(shares, key=lambda share: share.email))

    async def share(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:
        # One by one, because a batch knows no conditions.
        outcomes = await asyncio.gather(*(self._share(assistant_id, email) for email in emails))
        unwritten = [email for email, outcome in zip(emails, outcomes, strict=True) if error_of(outcome) is not None]
        return all_done(outcomes, what="shares of an assistant").alt(
            lambda error: error.model_copy(update={"metadata": {"notShared": unwritten}})
        )

    async def unshare(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:
        return await delete_many(self._table, [_share_key(assistant_id, email) for email in emails])

    @railway
    async def remove_shares(self, assistant_id: str) -> Result[None, ErrorDetail]:
        query = Query(_shares_of(assistant_id), consistent=True, attributes=("PK", "SK"))
        rows = (await self._table.query_all(query)).unwrap()
        return await delete_many(self._table, [{"PK": str(row["PK"]), "SK": str(row["SK"])} for row in rows])

    async def mark_opened(self, assistant_id: str, email: str) -> Result[None, ErrorDetail]:
        key = _share_key(assistant_id, email)
        if not (email and is_key(key["PK"]) and is_key(key["SK"], SORT_KEY_BYTES)):
            return Success(None)
        marked = await self._table.update_if(key, F("firstInteracted").set(True), condition=PK_EXISTS)
        return marked.map(lambda _: None)

    async def _share(self, assistant_id: str, email: str) -> Result[None, ErrorDetail]:
        key = _share_key(assistant_id, email)
        item: Item = {
            **key,
            "GSI3_PK": key["SK"],
            "GSI3_SK": key["PK"],
            "assistantId": assistant_id,
            "email": email,
            "createdAt": zulu_form(),
            "firstInteracted": False,
        }
        return (await self._table.put_if_absent(item)).map(lambda _: None)

    @railway
    async def _items(self, query: Query, start: Key | None, limit: int | None) -> Result[list[Item], ErrorDetail]:
        """All that there are, or one more than `limit`, which tells that there are more."""
        items: list[Item] = []
        while True:
            some = query if limit is None else replace(query, limit=limit + 1 - len(items))
            page = (await self._table.query_page(some, start)).unwrap()
            items += page.items
            start = page.next_key
            if start is None or (limit is not None and len(items) > limit):
                return Success(items)

    def _read(self, item: Item) -> Result[Assistant, ErrorDetail]:
        return parse_as(Assistant, {"vectorIndexId": self._vector_index, **item})


def _partition(assistant_id: str) -> str:
    return f"AST#{assistant_id}"


def _key(assistant_id: str) -> dict[str, str]:
    return {"PK": _partition(assistant_id), "SK": METADATA}


def _share_key(assistant_id: str, email: str) -> dict[str, str]:
    return {"PK": _partition(assistant_id), "SK": f"{_SHARE}{email}"}


def _shares_of(assistant_id: str) -> KeyCondition:
    return HashKey("PK", _partition(assistant_id)) & RangeKey("SK").begins_with(_SHARE)


def _by_status(status: str) -> str:
    return f"STATUS#{status}#CREATED#"


def _by_visibility(visibility: str) -> str:
    return f"VISIBILITY#{visibility}"


def _is_of(owner_id: str) -> Condition:
    return PK_EXISTS & F("ownerId").equals(owner_id)
