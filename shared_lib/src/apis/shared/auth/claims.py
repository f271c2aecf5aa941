"""From the claims of a token to a `User`."""

import re
from collections.abc import Mapping
from typing import TypeGuard

from apis.shared.auth.models import User
from apis.shared.emails import normal_email
from apis.shared.errors import ErrorDetail, forbidden, unauthorized
from apis.shared.result import Failure, Result, Success
from apis.shared.settings import InstitutionSettings

type Claims = Mapping[str, object]

_EMPLOYEE_NUMBER = re.compile(r"[0-9]{9}")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_NO_USER = unauthorized("The access token does not identify a user.").caused_by(None, check="employee number")
_NO_BASE_ROLE = forbidden("User does not have required role.")


def user_from(claims: Claims, institution: InstitutionSettings) -> Result[User, ErrorDetail]:
    """The user; `unauthorized` without a valid employee number (nine ASCII digits in a string, never a number)."""
    number = claims.get(institution.employee_number_claim)
    if not isinstance(number, str) or not _EMPLOYEE_NUMBER.fullmatch(number):
        return Failure(_NO_USER)
    return Success(
        User(
            email=normal_email(_text(claims, "email") or _text(claims, "preferred_username")),
            user_id=number,
            name=_text(claims, "name") or f"{_text(claims, 'given_name')} {_text(claims, 'family_name')}".strip(),
            roles=_roles(claims),
            picture=_text(claims, "picture") or None,
        )
    )


def with_base_role(user: User, institution: InstitutionSettings) -> Result[User, ErrorDetail]:
    """The same user; `forbidden` without one of the roles that let somebody in at all."""
    if any(role in institution.base_roles for role in user.roles):
        return Success(user)
    return Failure(_NO_BASE_ROLE.caused_by(None, user_id=user.user_id))


def _text(claims: Claims, name: str) -> str:
    """Blank or no text at all counts as absent."""
    value = claims.get(name)
    return value if _is_text(value) and value.strip() else ""


def _roles(claims: Claims) -> list[str]:
    value = claims.get("roles")
    if not isinstance(value, list):
        return []
    roles = [role for role in value if _is_text(role)]
    return roles if len(roles) == len(value) else []


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it can be stored and sent: half of a surrogate pair cannot."""
    return isinstance(value, str) and (value.isascii() or not _HALF_CHARACTER.search(value))
