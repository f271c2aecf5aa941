"""Looks people up: for whoever wants to share something, and for administrators."""

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success, railway, require
from apis.shared.users.models import ACTIVE, UserListing, UserProfile
from apis.shared.users.repository import UserList, UserRepository, get_user_repository, user_not_found
from apis.shared.wiring import once

PAGE_SIZE = 100
MOST_PAGES = 10

_DOTTED = re.compile("i\u0307+")


@dataclass(frozen=True, slots=True)
class UserPage:
    users: Sequence[UserListing]
    next_cursor: str | None = None


class UserDirectory:
    """Without a users table there is nobody."""

    def __init__(self, users: UserRepository) -> None:
        self._users = users

    @railway
    async def search(self, query: str, limit: int) -> Result[list[UserListing], ErrorDetail]:
        """Active people whose name or e-mail contains `query`: whose e-mail it is first, then by name.

        Case and composition of letters make no difference. Everybody with exactly this e-mail is found; of the others
        the 1,000 who were seen last are looked at.
        """
        wanted = folded(query.strip())
        if not wanted:
            return Success([])
        exact, page = await asyncio.gather(
            self._users.get_users_by_email(query.strip().lower()),
            self._users.list_users_by_status(ACTIVE, PAGE_SIZE),
        )
        found: dict[str, UserListing] = {one.user_id: one for one in exact.unwrap() if one.status == ACTIVE}
        pages = 1
        while len(found) < limit:
            listings, last = page.unwrap()
            matching = (one for one in listings if one.user_id not in found and _matches(one, wanted))
            found |= {one.user_id: one for one in islice(matching, limit - len(found))}
            if last is None or len(found) >= limit or pages == MOST_PAGES:
                break
            page = await self._users.list_users_by_status(ACTIVE, PAGE_SIZE, last)
            pages += 1
        return Success(sorted(found.values(), key=lambda one: (folded(one.email) != wanted, one.name.lower()))[:limit])

    @railway
    async def page(self, listed: UserList, limit: int, cursor: str | None) -> Result[UserPage, ErrorDetail]:
        """The one who was seen last comes first. Fails with `bad_request` for a cursor of another list."""
        start = listed.place(cursor).unwrap() if cursor is not None else None
        users, last = (await self._users.list_users(listed, limit, start)).unwrap()
        return Success(UserPage(users, listed.cursor(last) if last is not None else None))

    async def find_by_email(self, email: str) -> Result[UserProfile | None, ErrorDetail]:
        """Of several people with this address the one who was seen last, whatever their status."""
        return await self._users.get_user_by_email(email.strip().lower())

    @railway
    async def profile(self, user_id: str) -> Result[UserProfile, ErrorDetail]:
        """Fails with `not_found`, and with `service_unavailable` without a users table."""
        if not self._users.enabled:
            return Failure(service_unavailable(None, reason="DYNAMODB_USERS_TABLE_NAME is not set"))
        return require((await self._users.get_user(user_id)).unwrap(), user_not_found(user_id))


def folded(text: str) -> str:
    """What is the same for a reader is the same text."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFC", text).casefold()
    # Case folding keeps the dot of a capital dotted I, which no small i has.
    return unicodedata.normalize("NFC", _DOTTED.sub("i", letters))


def _matches(listing: UserListing, wanted: str) -> bool:
    return wanted in folded(listing.name) or wanted in folded(listing.email)


@once
def get_user_directory() -> UserDirectory:
    return UserDirectory(get_user_repository())
