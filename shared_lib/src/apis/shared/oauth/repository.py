"""The tables of providers and of connections."""

import asyncio
from collections.abc import Sequence
from typing import Any

from apis.shared.aws.dynamodb import (
    PK_EXISTS,
    SORT_KEY_BYTES,
    Condition,
    ConditionCheck,
    F,
    HashKey,
    Item,
    Put,
    Query,
    RangeKey,
    Table,
    UpdateExpression,
    assigned,
    is_key,
    is_lost_condition,
    parse_as,
    transact,
)
from apis.shared.errors import ErrorDetail
from apis.shared.moments import zulu_form
from apis.shared.oauth.models import Connection, OAuthProvider, provider_not_found
from apis.shared.result import Failure, Result, Success, all_done, collect, railway

_CONFIG = "CONFIG"
_DELETED_AT_ONCE = 16


class ProviderRepository:
    """A provider that cannot be read is `internal_error`, also in a list. Without a table there are none."""

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @property
    def is_configured(self) -> bool:
        return self._table is not None

    @railway
    async def find(self, provider_id: str, *, consistent: bool = False) -> Result[OAuthProvider | None, ErrorDetail]:
        if self._table is None or not _can_exist(provider_id):
            return Success(None)
        item = (await self._table.get(_provider_key(provider_id), consistent=consistent)).unwrap()
        return Success(None) if item is None else parse_as(OAuthProvider, item)

    async def enabled(self) -> Result[list[OAuthProvider], ErrorDetail]:
        """In no order."""
        if self._table is None:
            return Success([])
        query = Query(HashKey("GSI1PK", _enabled_key(is_enabled=True)), index="EnabledProvidersIndex")
        return (await self._table.query_all(query)).bind(_providers)

    async def every(self) -> Result[list[OAuthProvider], ErrorDetail]:
        """In no order. For administrators."""
        if self._table is None:
            return Success([])
        return (await self._table.scan_all("PROVIDER#", only=F("SK").equals(_CONFIG))).bind(_providers)

    async def create(self, provider: OAuthProvider) -> Result[bool, ErrorDetail]:
        """False when the id is taken."""
        return await _of(self._table).put_if_absent({**_provider_key(provider.provider_id), **_attributes(provider)})

    async def update(self, provider: OAuthProvider) -> Result[None, ErrorDetail]:
        """`not_found` when it was deleted meanwhile."""
        return await _of(self._table).update(
            _provider_key(provider.provider_id),
            assigned(_attributes(provider)),
            condition=PK_EXISTS,
            lost=provider_not_found(provider.provider_id),
        )

    async def delete(self, provider_id: str) -> Result[None, ErrorDetail]:
        return (await _of(self._table).delete(_provider_key(provider_id))).map(lambda _: None)

    def still_there(self, provider_id: str) -> ConditionCheck:
        return ConditionCheck(_of(self._table).name, dict(_provider_key(provider_id)), PK_EXISTS)


class ConnectionRepository:
    """A connection that cannot be read is `internal_error`. Without a table there are none."""

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @property
    def is_configured(self) -> bool:
        return self._table is not None

    @railway
    async def find(self, user_id: str, provider_id: str) -> Result[Connection | None, ErrorDetail]:
        """As it is now: of what another process has just stored, nothing is missed."""
        if self._table is None or not _can_exist(provider_id):
            return Success(None)
        item = (await self._table.get(_connection_key(user_id, provider_id), consistent=True)).unwrap()
        return Success(None) if item is None else parse_as(Connection, item)

    async def of_user(self, user_id: str) -> Result[list[Connection], ErrorDetail]:
        if self._table is None:
            return Success([])
        key = HashKey("PK", f"USER#{user_id}") & RangeKey("SK").begins_with("PROVIDER#")
        items = await self._table.query_all(Query(key, consistent=True))
        return items.bind(lambda found: collect(parse_as(Connection, item) for item in found))

    async def count(self, provider_id: str) -> Result[int, ErrorDetail]:
        """How many users are connected there, as the index knows it."""
        if self._table is None or not _can_exist(provider_id):
            return Success(0)
        return await self._table.count(_of_provider(provider_id))

    async def replace(self, connection: Connection, *, only_if: ConditionCheck) -> Result[bool, ErrorDetail]:
        """Store the whole row, whatever was there; False when `only_if` does not hold."""
        item = {**_connection_key(connection.user_id, connection.provider_id), **_row(connection)}
        stored: Result[bool, ErrorDetail] = (await transact([Put(_of(self._table).name, item), only_if])).map(
            lambda _: True
        )
        return stored.lash(lambda error: Success(False) if is_lost_condition(error) else Failure(error))

    async def claim(self, known: Connection, owner: str, now: float, until: float) -> Result[bool, ErrorDetail]:
        """Whether `owner` alone may renew the tokens until then: not when another one may, or they were replaced."""
        until_then = F("refreshClaimedUntil")
        free = until_then.does_not_exist() | until_then.lt(int(now)) | F("refreshClaimedBy").equals(owner)
        return await _of(self._table).update_if(
            _key_of(known),
            assigned({"refreshClaimedBy": owner, "refreshClaimedUntil": int(until)}),
            condition=_same_tokens(known) & free,
        )

    async def release(self, known: Connection, owner: str) -> Result[bool, ErrorDetail]:
        """As if it had not been claimed; False when it is not `owner`'s claim any more."""
        return await _of(self._table).update_if(
            _key_of(known), _UNCLAIMED, condition=F("refreshClaimedBy").equals(owner)
        )

    async def renew(self, known: Connection, renewed: Connection) -> Result[bool, ErrorDetail]:
        """Store the renewed tokens. False when those of `known` are not the stored ones any more; a status that was
        changed meanwhile does not matter."""
        changed = {
            "accessTokenEncrypted": renewed.access_token_encrypted,
            "status": renewed.status,
            "updatedAt": renewed.updated_at,
        }
        if renewed.refresh_token_encrypted is not None:
            changed["refreshTokenEncrypted"] = renewed.refresh_token_encrypted
        change = assigned(changed) & _UNCLAIMED
        if renewed.expires_at is None:
            change &= F("expiresAt").remove()
        else:
            change &= assigned({"expiresAt": renewed.expires_at})
        return await _of(self._table).update_if(_key_of(known), change, condition=_same_tokens(known))

    async def mark_expired(self, known: Connection) -> Result[bool, ErrorDetail]:
        """False when the tokens of `known` are not the stored ones any more."""
        change = assigned({"status": "expired", "updatedAt": zulu_form()}) & _UNCLAIMED
        return await _of(self._table).update_if(_key_of(known), change, condition=_same_tokens(known))

    async def delete(self, user_id: str, provider_id: str) -> Result[None, ErrorDetail]:
        return (await _of(self._table).delete(_connection_key(user_id, provider_id))).map(lambda _: None)

    @railway
    async def delete_all(self, provider_id: str) -> Result[None, ErrorDetail]:
        """Of all users. What could not be deleted is found again the next time."""
        if self._table is None or not _can_exist(provider_id):
            return Success(None)
        query = _of_provider(provider_id, attributes=("PK", "SK"))
        async for page in self._table.query_pages(query):
            items = page.unwrap().items
            for start in range(0, len(items), _DELETED_AT_ONCE):
                (await self._delete_some(self._table, items[start : start + _DELETED_AT_ONCE])).unwrap()
        return Success(None)

    @staticmethod
    async def _delete_some(table: Table, items: Sequence[Item]) -> Result[None, ErrorDetail]:
        gone = await asyncio.gather(*(table.delete({"PK": str(i["PK"]), "SK": str(i["SK"])}) for i in items))
        return all_done(gone, what="connections of a provider")


def _of(table: Table | None) -> Table:
    assert table is not None, "the caller has looked whether there is a table"  # noqa: S101 - says what callers owe
    return table


def _can_exist(provider_id: str) -> bool:
    return is_key(f"PROVIDER#{provider_id}", SORT_KEY_BYTES)


def _providers(items: Sequence[Item]) -> Result[list[OAuthProvider], ErrorDetail]:
    return collect(parse_as(OAuthProvider, item) for item in items)


def _provider_key(provider_id: str) -> dict[str, str]:
    return {"PK": f"PROVIDER#{provider_id}", "SK": _CONFIG}


def _enabled_key(*, is_enabled: bool) -> str:
    return f"ENABLED#{'true' if is_enabled else 'false'}"


def _attributes(provider: OAuthProvider) -> dict[str, Any]:  # Any: each attribute has its own type
    return {
        "GSI1PK": _enabled_key(is_enabled=provider.enabled),
        "GSI1SK": f"PROVIDER#{provider.provider_id}",
        **provider.model_dump(by_alias=True),
        "scopesHash": provider.scopes_hash,
    }


def _connection_key(user_id: str, provider_id: str) -> dict[str, str]:
    return {"PK": f"USER#{user_id}", "SK": f"PROVIDER#{provider_id}"}


def _key_of(connection: Connection) -> dict[str, str]:
    return _connection_key(connection.user_id, connection.provider_id)


def _row(connection: Connection) -> dict[str, Any]:  # Any: each attribute has its own type
    unclaimed = connection.model_dump(
        by_alias=True, exclude_none=True, exclude={"refresh_claimed_by", "refresh_claimed_until"}
    )
    return {"GSI1PK": f"PROVIDER#{connection.provider_id}", "GSI1SK": f"USER#{connection.user_id}", **unclaimed}


def _of_provider(provider_id: str, attributes: Sequence[str] = ()) -> Query:
    return Query(HashKey("GSI1PK", f"PROVIDER#{provider_id}"), index="ProviderUsersIndex", attributes=attributes)


def _same_tokens(known: Connection) -> Condition:
    refresh = F("refreshTokenEncrypted")
    same = F("accessTokenEncrypted").equals(known.access_token_encrypted)
    if known.refresh_token_encrypted is None:
        return same & refresh.does_not_exist()
    return same & refresh.equals(known.refresh_token_encrypted)


_UNCLAIMED: UpdateExpression = F("refreshClaimedBy").remove() & F("refreshClaimedUntil").remove()
