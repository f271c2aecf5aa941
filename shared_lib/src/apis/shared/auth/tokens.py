"""What makes an access token valid."""

import asyncio
import functools
import importlib
import math
import re
import sys
import time
from dataclasses import dataclass
from typing import TypeGuard

from apis.shared.auth.claims import Claims, user_from, with_base_role
from apis.shared.auth.jwks import ALGORITHM, SigningKeys
from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, unauthorized
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway
from apis.shared.settings import InstitutionSettings

CLOCK_SKEW_SECONDS = 60
REQUIRED_SCOPE = "Read"

# The decoder of base64 passes over what is not of its alphabet: one token could be written in many ways.
_COMPACT_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)

# None of these texts tells what would have been expected; the log says which check failed.
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
        self._audiences = frozenset({f"api://{client_id}", client_id})
        self._keys = keys
        self._institution = institution

    @railway
    async def validate(self, token: str) -> Result[User, ErrorDetail]:
        parsed = (await _parse(token)).unwrap()
        (await self._check_signature(parsed)).unwrap()
        claims = parsed.claims
        if claims.get("iss") != self._issuer:
            return Failure(_refused(_INVALID, "issuer"))
        _check_times(claims, time.time()).unwrap()
        if not isinstance(claims.get("sub", ""), str):
            return Failure(_refused(_INVALID, "subject"))
        if self._audiences.isdisjoint(_audiences(claims.get("aud"))):
            return Failure(_refused(_WRONG_AUDIENCE, "audience"))
        if REQUIRED_SCOPE not in _words(claims.get("scp")):
            return Failure(_refused(_NO_SCOPE, "scope"))
        user = user_from(claims, self._institution).unwrap()
        return with_base_role(user, self._institution)

    @railway
    async def _check_signature(self, token: "_ParsedToken") -> Result[None, ErrorDetail]:
        # Before a key is looked for: that may ask the provider, which costs more than any other check.
        if token.header.get("alg") != ALGORITHM:
            return Failure(_refused(_INVALID, "algorithm"))
        key_id = token.header.get("kid")
        if not isinstance(key_id, str):
            return Failure(_refused(_INVALID, "key id"))
        key = (await self._keys.get(key_id)).unwrap()
        # PyJWT's `decode` would read the token a second time, which costs more than the verification itself.
        if not key.Algorithm.verify(token.signed, key.key, token.signature):
            return Failure(_refused(_INVALID, "signature"))
        return Success(None)


@railway
async def trusted_user(token: str, institution: InstitutionSettings) -> Result[User, ErrorDetail]:
    """The user of a token that the hosting runtime has already verified: nothing but the user id is checked here."""
    return user_from((await _parse(token)).unwrap().claims, institution)


async def unverified_claims(token: str) -> Result[Claims, ErrorDetail]:
    """What a token says that comes from the provider itself. `unauthorized` when it is no JWT."""
    return (await _parse(token)).map(lambda parsed: parsed.claims)


@dataclass(frozen=True, slots=True)
class _ParsedToken:
    header: Claims
    claims: Claims
    signed: bytes
    signature: bytes


async def _parse(token: str) -> Result[_ParsedToken, ErrorDetail]:
    """The token's parts, unverified. `unauthorized` when it is no JWT."""
    if not _COMPACT_FORM.fullmatch(token):
        return Failure(_refused(_INVALID, "form"))
    if "jwt.api_jwt" not in sys.modules:
        # It brings cryptography along, which takes a tenth of a second: not on the event loop.
        await asyncio.to_thread(importlib.import_module, "jwt")
    return attempt(_decode, token, errors=_malformed())


def _decode(token: str) -> _ParsedToken:
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    parts = jwt.decode_complete(token, options={"verify_signature": False})
    signed = token.rpartition(".")[0].encode()
    return _ParsedToken(parts["header"], parts["payload"], signed, parts["signature"])


@functools.cache
def _malformed() -> ErrorTable:
    import jwt  # noqa: PLC0415 - lazy: cryptography stays out of the start

    return ErrorTable.of((jwt.PyJWTError, lambda _: _refused(_INVALID, "form")))


def _check_times(claims: Claims, now: float) -> Result[None, ErrorDetail]:
    expiry = claims.get("exp")
    if not _is_time(expiry):
        return Failure(_refused(_INVALID, "expiry"))
    if expiry <= now - CLOCK_SKEW_SECONDS:
        return Failure(_refused(_EXPIRED, "expiry"))
    for name in ("nbf", "iat"):
        start = claims.get(name, 0)
        if not _is_time(start) or start > now + CLOCK_SKEW_SECONDS:
            return Failure(_refused(_INVALID, name))
    return Success(None)


def _is_time(value: object) -> TypeGuard[int | float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _audiences(value: object) -> list[str]:
    """None of a list that holds something else beside names."""
    audiences = value if isinstance(value, list) else [value]
    names = [item for item in audiences if isinstance(item, str)]
    return names if len(names) == len(audiences) else []


def _words(value: object) -> list[str]:
    return value.split(" ") if isinstance(value, str) else []


def _refused(error: ErrorDetail, check: str) -> ErrorDetail:
    return error.caused_by(None, check=check)
