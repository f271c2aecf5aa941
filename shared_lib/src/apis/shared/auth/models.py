"""Who a request comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user.

    `user_id` is the nine-digit employee number, never `sub` or `oid`. `email` is lower case; it and `name` may be
    empty. `roles` are the roles of the token, not AppRoles.
    """

    email: str
    user_id: str
    name: str
    roles: list[str]
    picture: str | None = None
