"""From a bearer token to the `User` of the request, in the two ways that the services trust tokens."""

import functools
import logging

from apis.shared.auth.entra import EntraTenant, keys_http
from apis.shared.auth.jwks import SigningKeys, fetch_key_set
from apis.shared.auth.models import User
from apis.shared.auth.tokens import TokenValidator, trusted_user
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error, unauthorized
from apis.shared.result import Failure, Result, Success, railway, require
from apis.shared.settings import AuthSettings, InstitutionSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

_NO_TOKEN = unauthorized("Please sign in.")
_SWITCHED_OFF_OUTSIDE_DEVELOPMENT = ErrorDetail(
    code=ErrorCode.INTERNAL_ERROR,
    message="An internal error occurred. Please contact your administrator.",
    detail="Authentication service misconfigured.",
).caused_by(None, reason="ENABLE_AUTHENTICATION is off, and ENVIRONMENT is not a development environment")


@railway
async def authenticate(bearer: Result[str | None, ErrorDetail]) -> Result[User, ErrorDetail]:
    """The user of a token that this process verifies itself, or the development user, whatever was sent."""
    auth = settings(AuthSettings)
    if not auth.enable_authentication:
        return _development_user(auth)
    token = require(bearer.unwrap(), _NO_TOKEN).unwrap()
    tenant_id = require(auth.entra_tenant_id, _not_configured("ENTRA_TENANT_ID")).unwrap()
    client_id = require(auth.entra_client_id, _not_configured("ENTRA_CLIENT_ID")).unwrap()
    return await _validator(EntraTenant(auth.entra_authority, tenant_id), client_id).validate(token)


@railway
async def authenticate_trusted(bearer: Result[str | None, ErrorDetail]) -> Result[User, ErrorDetail]:
    """The user of a token that the hosting runtime has verified before the request came here.

    For the Inference API only: anybody who reaches the process directly is who they claim to be.
    """
    auth = settings(AuthSettings)
    if not auth.enable_authentication:
        return _development_user(auth)
    token = require(bearer.unwrap(), _NO_TOKEN).unwrap()
    return await trusted_user(token, settings(InstitutionSettings))


def _development_user(auth: AuthSettings) -> Result[User, ErrorDetail]:
    if not auth.is_development:
        return Failure(_SWITCHED_OFF_OUTSIDE_DEVELOPMENT)
    return Success(
        User(
            email="anonymous@local.dev",
            user_id="000000000",
            name="Anonymous User (Dev)",
            roles=list(auth.dev_user_roles),
        )
    )


def _not_configured(variable: str) -> ErrorDetail:
    return internal_error(None, reason=f"{variable} is not set")


def warn_of_tenant_name() -> None:
    """One warning at start when the tenant is given by a domain name: tokens name it by its id, so none is accepted."""
    if "." in (settings(AuthSettings).entra_tenant_id or ""):
        logger.warning(
            "the tenant must be given by its id, not by a domain name: no token will be accepted",
            extra={"variable": "ENTRA_TENANT_ID"},
        )


@once
def _validator(tenant: EntraTenant, client_id: str) -> TokenValidator:
    return TokenValidator(
        issuer=tenant.issuer,
        client_id=client_id,
        keys=SigningKeys(functools.partial(fetch_key_set, keys_http, tenant.key_set_url)),
        institution=settings(InstitutionSettings),
    )
