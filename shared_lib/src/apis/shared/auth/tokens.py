"""What makes an access token valid."""

import asyncio
import functools
import importlib
import sys
from collections.abc import Mapping
from typing import Any

from apis.shared.auth.claims import Claims, user_from, with_base_role
from apis.shared.auth.jwks import ALGORITHM, SigningKeys
from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, unauthorized
from apis.shared.result import ErrorTable, Failure, Result, attempt, railway
from apis.shared.settings import InstitutionSettings

CLOCK_SKEW_SECONDS = 60
REQUIRED_SCOPE = "Read"

# None of these texts tells what would have been expected.
_INVALID = unauthorized("The access token is not valid.")
_EXPIRED = unauthorized("The access token has expired.")
_WRONG_AUDIENCE = unauthorized("The access token was not issued for this application.")
_NO_SCOPE = unauthorized("The access token does not allow using this application.")


class TokenValidator:
    """The checks of an access token, in the order in which their failures win.

    All are `unauthorized`, except `forbidden` without a base role, and `service_unavailable` or `timeout` while the
    provider's keys cannot be had.
    """

    def __init__(self, *, issuer: str, client_id: str, keys: SigningKeys, institution: InstitutionSettings) -> None:
        self._issuer = issuer
        self._audiences = (f"api://{client_id}", client_id)
        self._keys = keys
        self._institution = institution

    @railway
    async def validate(self, token: str) -> Result[User, ErrorDetail]:
        header, claims = (await _parse(token)).unwrap()
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            return Failure(_INVALID)
        key = (await self._keys.get(key_id)).unwrap()
        _checked(token, key=key, algorithms=[ALGORITHM], issuer=self._issuer, options=_SIGNATURE_AND_ISSUER).unwrap()
        _checked(token, audience=self._audiences, leeway=CLOCK_SKEW_SECONDS, options=_TIMES_AND_AUDIENCE).unwrap()
        if REQUIRED_SCOPE not in _words(claims.get("scp")):
            return Failure(_NO_SCOPE)
        user = user_from(claims, self._institution).unwrap()
        return with_base_role(user, self._institution)


@railway
async def trusted_user(token: str, institution: InstitutionSettings) -> Result[User, ErrorDetail]:
    """The user of a token that the hosting runtime has already verified: nothing but the user id is checked here."""
    _, claims = (await _parse(token)).unwrap()
    return user_from(claims, institution)


_SIGNATURE_AND_ISSUER = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_sub": False,
    "verify_jti": False,
}
_TIMES_AND_AUDIENCE = {
    "verify_signature": False,  # done by then
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": True,
    "verify_aud": True,
    "verify_sub": True,
    "require": ["exp"],
}


async def _parse(token: str) -> Result[tuple[Claims, Claims], ErrorDetail]:
    """Header and claims, unverified."""
    if "jwt.api_jwt" not in sys.modules:
        # It brings cryptography along, which takes a tenth of a second: not on the event loop.
        await asyncio.to_thread(importlib.import_module, "jwt")
    decoded = _checked(token, options={"verify_signature": False})
    return decoded.map(lambda parts: (parts["header"], parts["payload"]))


def _checked(token: str, **checks: Any) -> Result[Mapping[str, Any], ErrorDetail]:  # Any: JSON, and PyJWT's options
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    return attempt(jwt.decode_complete, token, errors=_token_errors(), **checks)


@functools.cache
def _token_errors() -> ErrorTable:
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    return ErrorTable.of(
        (jwt.ExpiredSignatureError, lambda _: _EXPIRED),
        (jwt.InvalidAudienceError, lambda _: _WRONG_AUDIENCE),
        (jwt.PyJWTError, lambda _: _INVALID),
    )


def _words(value: object) -> list[str]:
    return value.split() if isinstance(value, str) else []
