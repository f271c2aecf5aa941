"""Mirrors who signs in into the users table, behind the requests."""

import asyncio
from collections.abc import Mapping, Sequence

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.lifecycle import background
from apis.shared.moments import zulu_form
from apis.shared.result import Failure, Result, Success, best_effort, railway
from apis.shared.users.models import ACTIVE, SignedIn, UserProfile, domain_of
from apis.shared.users.repository import UserRepository, get_user_repository
from apis.shared.wiring import once

type Synced = tuple[UserProfile | None, bool]
"""The person as stored, None if nothing was written, and whether they are new."""

AT_ONCE = 4
"""Writes. A table that hangs must leave the connections to the requests."""
PAUSE_SECONDS = 0.1
"""Before a write: the answer goes first, and what a page asks for at once is one write."""
MOST_PEOPLE = 1_000
"""Whose writes are under way or wait: what they hold stays in memory until the table answers."""

_SKIPPED: Synced = (None, False)


class UserSyncService:
    """Writes what a token says of somebody. Without a table, an id or an e-mail nothing is written, and that is no
    failure."""

    def __init__(self, users: UserRepository) -> None:
        self._users = users

    @property
    def enabled(self) -> bool:
        return self._users.enabled

    async def sync_from_jwt(self, claims: Mapping[str, object]) -> Result[Synced, ErrorDetail]:
        """From the claims `sub`, `email`, `name`, `roles` and `picture`; one of another type counts as absent."""
        roles = claims.get("roles")
        return await self.sync_from_user(
            _text(claims, "sub"),
            _text(claims, "email"),
            _text(claims, "name"),
            [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else None,
            _text(claims, "picture") or None,
        )

    async def sync_user_from_jwt(self, user: SignedIn) -> Result[Synced, ErrorDetail]:
        return await self.sync_from_user(user.user_id, user.email, user.name, user.roles, user.picture)

    @railway
    async def sync_from_user(
        self,
        user_id: str,
        email: str,
        name: str = "",
        roles: Sequence[str] | None = None,
        picture: str | None = None,
    ) -> Result[Synced, ErrorDetail]:
        address = email.strip().lower()
        if not (self.enabled and user_id and address):
            return Success(_SKIPPED)
        now = zulu_form()
        profile = UserProfile(
            user_id=user_id,
            email=address,
            name=name,
            status=ACTIVE,
            email_domain=domain_of(address),
            roles=list(roles or ()),
            picture=picture,
            created_at=now,
            last_login_at=now,
        )
        return (await self._users.upsert_user(profile)).map(lambda written: written)


class UserMirror:
    """Starts a write shortly after each authenticated request, and goes on without those that fail.

    A burst of requests of one person has at most one write under way and one waiting, which is that of the last
    request. No answer waits for a write, and no shutdown does.
    """

    def __init__(self, sync: UserSyncService, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._sync = sync
        self._pause_seconds = pause_seconds
        # By user id what is to be written; None while the last that is known is being written.
        self._latest: dict[str, SignedIn | None] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def note(self, user: SignedIn) -> None:
        """To be called on the event loop."""
        if not self._sync.enabled or not user.email:
            return
        if user.user_id in self._latest:
            self._latest[user.user_id] = user
        elif len(self._latest) < MOST_PEOPLE:
            self._latest[user.user_id] = user
            background.spawn(self._write(user.user_id), name="mirror a user", awaited_at_stop=False)
        else:
            best_effort(
                Failure(service_unavailable(None, reason="too many people wait to be mirrored")),
                reason="The mirror is no part of any answer, and the next request of the same user repeats the write.",
                default=None,
            )

    async def _write(self, user_id: str) -> None:
        try:
            while self._latest[user_id] is not None:
                await asyncio.sleep(self._pause_seconds)
                await self._write_latest(user_id)
        finally:
            del self._latest[user_id]

    async def _write_latest(self, user_id: str) -> None:
        async with self._slots:
            user, self._latest[user_id] = self._latest[user_id], None
            if user is not None:
                await best_effort(
                    self._sync.sync_user_from_jwt(user),
                    reason="The mirror is no part of any answer, and the next request of the same user repeats it.",
                    default=None,
                )


@once
def get_user_sync_service() -> UserSyncService:
    return UserSyncService(get_user_repository())


@once
def get_user_mirror() -> UserMirror:
    return UserMirror(get_user_sync_service())


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
