"""People in the users table: one item each."""

from dataclasses import dataclass
from typing import Self

from apis.shared.aws.dynamodb import (
    PK_EXISTS,
    F,
    HashKey,
    Item,
    Key,
    Query,
    Table,
    UpdateExpression,
    Value,
    assigned,
    assigned_once,
    is_key,
    parse_as,
)
from apis.shared.errors import ErrorDetail, internal_error, not_found, service_unavailable
from apis.shared.page_tokens import decode_cursor, encode_cursor
from apis.shared.result import Failure, Result, Success, collect, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.users.models import UserListing, UserProfile
from apis.shared.wiring import once

type Listed = tuple[list[UserListing], dict[str, str] | None]
"""A page and the key of its last item; None at the end."""

_DOMAIN, _STATUS = "DOMAIN#", "STATUS#"


def user_not_found(user_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id can be."""
    return not_found(f"User {user_id} not found" if is_key(_partition(user_id)) else "User not found")


@dataclass(frozen=True, slots=True)
class UserList:
    """People in one partition of an index."""

    index: str
    keys: str
    partition: str

    @classmethod
    def of_status(cls, status: str) -> Self:
        return cls("StatusLoginIndex", "GSI3", f"{_STATUS}{status}")

    @classmethod
    def of_domain(cls, domain: str) -> Self:
        """`domain` in any case; whatever the status of the people is."""
        return cls("EmailDomainIndex", "GSI2", f"{_DOMAIN}{domain.lower()}")

    def cursor(self, last_evaluated_key: Key) -> str:
        return encode_cursor(last_evaluated_key, self.keys)

    def place(self, cursor: str) -> Result[dict[str, str], ErrorDetail]:
        """Fails with `bad_request` for a cursor of another list."""
        return decode_cursor(cursor, index=self.keys, partition=self.partition, owner=_partition(""))


class UserRepository:
    """Without a table there is nobody: reads are empty, and writes fail with `service_unavailable`.

    What is longer than a key can be is nobody's. A stored record that does not fit is `internal_error`, also in a list.
    """

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @property
    def enabled(self) -> bool:
        return self._table is not None

    @railway
    async def get_user(self, user_id: str) -> Result[UserProfile | None, ErrorDetail]:
        if self._table is None or not is_key(_partition(user_id)):
            return Success(None)
        item = (await self._table.get(_key(user_id))).unwrap()
        return Success(None) if item is None else parse_as(UserProfile, item)

    @railway
    async def get_user_by_user_id(self, user_id: str) -> Result[UserProfile | None, ErrorDetail]:
        """The same person through the index, which may lag behind."""
        found = (await self._profiles(Query(HashKey("userId", user_id), index="UserIdIndex"), user_id)).unwrap()
        return Success(found[0] if found else None)

    @railway
    async def get_user_by_email(self, email: str) -> Result[UserProfile | None, ErrorDetail]:
        """Of several people with this address the one who was seen last."""
        found = (await self.get_users_by_email(email)).unwrap()
        return Success(max(found, key=lambda profile: profile.last_seen, default=None))

    async def get_users_by_email(self, email: str) -> Result[list[UserProfile], ErrorDetail]:
        """Everybody with this address, whatever their status: an address may be given to a new person. `email` is in
        lower case, as it is stored."""
        return await self._profiles(Query(HashKey("email", email), index="EmailIndex"), email)

    @railway
    async def list_users(
        self, listed: UserList, limit: int = 25, last_evaluated_key: Key | None = None
    ) -> Result[Listed, ErrorDetail]:
        """The one who was seen last comes first."""
        if self._table is None or not is_key(listed.partition):
            return Success(([], None))
        key = HashKey(f"{listed.keys}PK", listed.partition)
        query = Query(key, index=listed.index, ascending=False, limit=limit)
        page = (await self._table.query_page(query, last_evaluated_key)).unwrap()
        listings = collect(parse_as(UserListing, _complete(item)) for item in page.items).unwrap()
        return Success((listings, page.next_key))

    async def list_users_by_status(
        self, status: str, limit: int = 25, last_evaluated_key: Key | None = None
    ) -> Result[Listed, ErrorDetail]:
        return await self.list_users(UserList.of_status(status), limit, last_evaluated_key)

    async def list_users_by_domain(
        self, domain: str, limit: int = 25, last_evaluated_key: Key | None = None
    ) -> Result[Listed, ErrorDetail]:
        """Whatever their status."""
        return await self.list_users(UserList.of_domain(domain), limit, last_evaluated_key)

    @railway
    async def create_user(self, profile: UserProfile) -> Result[bool, ErrorDetail]:
        """False when the person is known already; nothing is changed then."""
        table = self._to_write(profile).unwrap()
        return await table.put_if_absent(
            {**_key(profile.user_id), **_known_once(profile), **_seen(profile), **_picture(profile)}
        )

    @railway
    async def update_user(self, profile: UserProfile) -> Result[None, ErrorDetail]:
        """Everything but `created_at`, the status included. Fails with `not_found`."""
        table = self._to_write(profile).unwrap()
        return await table.update(
            _key(profile.user_id),
            _change(profile) & assigned(_standing(profile)),
            condition=PK_EXISTS,
            lost=user_not_found(profile.user_id),
        )

    @railway
    async def upsert_user(self, profile: UserProfile) -> Result[tuple[UserProfile, bool], ErrorDetail]:
        """The person as stored, and whether they are new, in one call.

        Whoever is known keeps `created_at` and status: a request must not make somebody active again who was suspended.
        """
        table = self._to_write(profile).unwrap()
        change = _change(profile) & assigned_once(_known_once(profile))
        item = (await table.update_and_get(_key(profile.user_id), change)).unwrap()
        written = parse_as(UserProfile, item).unwrap()
        return Success((written, written.created_at == profile.created_at))

    def _to_write(self, profile: UserProfile) -> Result[Table, ErrorDetail]:
        keys = (_partition(profile.user_id), profile.email, f"{_DOMAIN}{profile.email_domain}")
        if not all(map(is_key, keys)):
            return Failure(internal_error(None, reason="the e-mail is longer than a key can be"))
        return require(self._table, service_unavailable(None, reason="DYNAMODB_USERS_TABLE_NAME is not set"))

    @railway
    async def _profiles(self, query: Query, key: str) -> Result[list[UserProfile], ErrorDetail]:
        if self._table is None or not is_key(key):
            return Success([])
        items = (await self._table.query_all(query)).unwrap()
        return collect(parse_as(UserProfile, item) for item in items)


@once
def get_user_repository() -> UserRepository:
    name = settings(StorageSettings).dynamodb_users_table_name
    return UserRepository(Table(name) if name else None)


def _partition(user_id: str) -> str:
    return f"USER#{user_id}"


def _key(user_id: str) -> Key:
    return {"PK": _partition(user_id), "SK": "PROFILE"}


def _seen(profile: UserProfile) -> Item:
    """What the last contact tells."""
    return {
        "userId": profile.user_id,
        "email": profile.email,
        "name": profile.name,
        "roles": profile.roles,
        "emailDomain": profile.email_domain,
        "lastLoginAt": profile.last_login_at,
        "GSI2PK": f"{_DOMAIN}{profile.email_domain}",
        "GSI2SK": profile.last_login_at,
        "GSI3SK": profile.last_login_at,
    }


def _picture(profile: UserProfile) -> Item:
    return {} if profile.picture is None else {"picture": profile.picture}


def _change(profile: UserProfile) -> UpdateExpression:
    picture = _picture(profile)
    return assigned({**_seen(profile), **picture}) if picture else assigned(_seen(profile)) & F("picture").remove()


def _standing(profile: UserProfile) -> Item:
    return {"status": profile.status, "GSI3PK": f"{_STATUS}{profile.status}"}


def _known_once(profile: UserProfile) -> Item:
    return {"createdAt": profile.created_at, **_standing(profile)}


def _complete(item: Item) -> Item:
    """With what the index does not project, from its keys."""
    known: Item = {"status": _behind(_STATUS, item.get("GSI3PK")), "emailDomain": _behind(_DOMAIN, item.get("GSI2PK"))}
    known |= {name: value for name, value in item.items() if value is not None}
    seen = next((item[name] for name in ("lastLoginAt", "GSI3SK", "GSI2SK", "createdAt") if item.get(name)), "")
    return {**known, "lastLoginAt": seen}


def _behind(prefix: str, key: Value) -> Value:
    return key.removeprefix(prefix) if isinstance(key, str) else None
