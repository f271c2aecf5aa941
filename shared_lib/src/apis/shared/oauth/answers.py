"""What the token endpoint of a provider answers, and what of it is used."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from apis.shared.errors import ErrorDetail, bad_request, internal_error, service_unavailable
from apis.shared.http_client import HttpResponse
from apis.shared.oauth.models import DEFAULT_TOKEN_TYPE
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, fold

logger = logging.getLogger(__name__)

LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600
"""A longer one is no expiry at all."""

GRANT_IS_GONE = frozenset(
    {"invalid_grant", "bad_refresh_token", "interaction_required", "consent_required", "login_required"}
)
"""Refusals that only the user can help with."""
_PASSES = frozenset({"temporarily_unavailable", "slow_down", "server_error"})
# What may be logged of a refusal beside these: the names that OAuth defines, and no text of the provider.
_KNOWN = frozenset(
    {
        "access_denied",
        "bad_verification_code",
        "invalid_client",
        "invalid_code",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        *GRANT_IS_GONE,
        *_PASSES,
    }
)
# RFC 6750: anything else could end the header that it is sent in.
_CLEAN = re.compile(r"[\x21-\x7e]+")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Granted:
    """The tokens of one answer. `lifetime_seconds` is None where no expiry is known; `lifetime_is_readable` tells a
    malformed one from none. `access_token` is None when there is no usable one."""

    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    token_type: str
    lifetime_seconds: int | None
    lifetime_is_readable: bool


def parse_answer(response: HttpResponse) -> Result[Granted, ErrorDetail]:
    """`bad_request` when the user's code or refresh token was refused, `internal_error` when it was our request,
    `service_unavailable` for an outage and for what is no answer of a token endpoint."""
    members = _members(response)
    refusal = _refusal(members)
    if refusal is not None:
        return Failure(_refused(refusal, response.status))
    if not 200 <= response.status < 300 or not members:
        return Failure(_unusable(response.status))
    return Success(_granted(members))


def is_refused_for_good(error: ErrorDetail) -> bool:
    """Whether only the user can help."""
    return error.context.get("provider_error") in GRANT_IS_GONE


def lifetime(value: object) -> Result[int | None, ErrorDetail]:
    """Whole seconds; None where there is no expiry. Fails for what is neither a number nor the text of one."""
    match value:
        case None:
            return Success(None)
        case str() if not value.strip():
            return Success(None)
        case bool():
            return Failure(_NO_NUMBER)
        case int() | float() | str():
            return attempt(_seconds, value, errors=_NOT_NUMERIC)
        case _:
            return Failure(_NO_NUMBER)


def _seconds(value: float | str) -> int | None:
    number = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    if number.is_nan() or (isinstance(value, str) and number.is_infinite()):
        raise InvalidOperation
    return int(number) if 1 <= number <= LONGEST_LIFETIME_SECONDS else None


def _members(response: HttpResponse) -> Mapping[str, Any]:
    """Nothing for what is neither a JSON object nor a form."""
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == _FORM:
        return dict(parse_qsl(response.body.decode(errors="replace"), keep_blank_values=True))
    parsed = attempt(json.loads, response.body, errors=_NO_JSON).value_or(None)
    return parsed if isinstance(parsed, dict) else {}


def _refusal(members: Mapping[str, Any]) -> str | None:
    said = members.get("error")
    if said is None or said == "":
        return None
    return said if isinstance(said, str) else "other"


def _refused(refusal: str, status: int) -> ErrorDetail:
    name = refusal if refusal in _KNOWN else "other"
    context = {"provider_error": name, "http_status": str(status)}
    if name in _PASSES or status == 429 or status >= 500:
        return service_unavailable(None, **context)
    if name in GRANT_IS_GONE:
        return bad_request("The provider refused the connection.").caused_by(None, **context)
    return internal_error(None, **context)


def _unusable(status: int) -> ErrorDetail:
    return service_unavailable(None, reason="no answer of a token endpoint", http_status=str(status))


def _granted(members: Mapping[str, Any]) -> Granted:
    nested = members.get("authed_user")
    if _clean(members.get("access_token")) is None and isinstance(nested, dict):
        members = nested
    seconds = lifetime(members.get("expires_in"))
    return Granted(
        access_token=_clean(members.get("access_token")),
        refresh_token=_text(members.get("refresh_token")),
        id_token=_text(members.get("id_token")),
        token_type=_text(members.get("token_type")) or DEFAULT_TOKEN_TYPE,
        lifetime_seconds=fold(seconds, success=lambda known: known, failure=lambda _: None),
        lifetime_is_readable=isinstance(seconds, Success),
    )


def _clean(value: object) -> str | None:
    return value if isinstance(value, str) and _CLEAN.fullmatch(value) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


_NO_NUMBER = service_unavailable(None, reason="the lifetime of the token is no number")
_NOT_NUMERIC = ErrorTable.of(
    (InvalidOperation, lambda _: _NO_NUMBER.caused_by(None)), (ValueError, lambda _: _NO_NUMBER.caused_by(None))
)
_NO_JSON = ErrorTable.of(
    (ValueError, lambda _: service_unavailable()), (RecursionError, lambda _: service_unavailable())
)
