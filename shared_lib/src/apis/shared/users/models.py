"""People as the users table mirrors them from their tokens."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field

from apis.shared.moments import read_moment
from apis.shared.records import Record, Texts

type UserStatus = Literal["active", "inactive", "suspended"]

ACTIVE: UserStatus = "active"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class SignedIn(Protocol):
    """Who has signed in, as far as the mirror looks: a `User` is one."""

    @property
    def user_id(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def roles(self) -> Sequence[str]: ...
    @property
    def picture(self) -> str | None: ...


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class UserListing(Record):
    """What lists show of somebody. An index knows no more, and not all of this under its own name.

    `last_login_at` is the time of the last authenticated request, not of the last sign-in.
    """

    user_id: str
    email: str
    name: str = ""
    status: Annotated[UserStatus, BeforeValidator(_lower)]
    email_domain: str | None = None
    last_login_at: str = ""

    @property
    def last_seen(self) -> datetime:
        """`last_login_at` as a time: of two texts the later time may sort first. Long ago when it is none."""
        return read_moment(self.last_login_at).value_or(_LONG_AGO)


class UserProfile(UserListing):
    """One person. `roles` are those of the token at the last contact."""

    email_domain: str = ""
    roles: Texts = Field(default_factory=list)
    picture: str | None = None
    created_at: str = ""


def domain_of(email: str) -> str:
    """Lower case, the text after the first `@` up to a second one; empty without any."""
    _, _, rest = email.lower().partition("@")
    return rest.partition("@")[0]
