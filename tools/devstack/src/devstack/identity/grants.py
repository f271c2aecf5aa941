"""Codes and refresh tokens: each is good once, for the application that it was given to (RFC 6749, RFC 7636)."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from devstack.identity.people import Person
from devstack.identity.tokens import LIFETIME_SECONDS, Signer

CODE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What somebody has agreed to. `challenge` is the S256 one of PKCE, None without."""

    person: Person
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    expires: float = float("inf")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the token endpoint."""

    status: int
    body: Mapping[str, Any]


def refused(error: str, status: int = 400) -> Reply:
    return Reply(status, {"error": error, "error_description": "The local identity provider refused this request."})


class Grants:
    """All that is pending, in memory."""

    def __init__(self, application: Application, signer: Signer, *, clock: Callable[[], float] = time.time) -> None:
        self._application = application
        self._signer = signer
        self._clock = clock
        self._codes: dict[str, Authorization] = {}
        self._refresh_tokens: dict[str, Authorization] = {}

    def code_for(self, authorization: Authorization) -> str:
        code = secrets.token_urlsafe()
        self._codes[code] = replace(authorization, expires=self._clock() + CODE_SECONDS)
        return code

    def revoke(self, form: Mapping[str, str]) -> Reply:
        """Unknown tokens are revoked already (RFC 7009)."""
        self._refresh_tokens.pop(form.get("token", ""), None)
        return Reply(200, {})

    def answer(self, form: Mapping[str, str]) -> Reply:
        """What the token endpoint says to a form."""
        secret = form.get("client_secret")
        if form.get("client_id") != self._application.client_id or not _same(secret, self._application.client_secret):
            return refused("invalid_client", 401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                known = self._refresh_tokens.pop(form.get("refresh_token", ""), None)
                return refused("invalid_grant") if known is None else self._issue(replace(known, nonce=None))
            case _:
                return refused("unsupported_grant_type")

    def _redeem(self, form: Mapping[str, str]) -> Reply:
        known = self._codes.pop(form.get("code", ""), None)
        if known is None or self._clock() > known.expires or form.get("redirect_uri") != known.redirect_uri:
            return refused("invalid_grant")
        if known.challenge is not None and not _same(challenge_of(form.get("code_verifier", "")), known.challenge):
            return refused("invalid_grant")
        return self._issue(known)

    def _issue(self, known: Authorization) -> Reply:
        scopes = known.scope.split()
        issued: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": known.scope,
            "expires_in": LIFETIME_SECONDS,
            "access_token": self._signer.access_token(known.person, known.client_id, known.scope),
        }
        if "offline_access" in scopes:
            issued["refresh_token"] = secrets.token_urlsafe()
            self._refresh_tokens[issued["refresh_token"]] = known
        if "openid" in scopes:
            issued["id_token"] = self._signer.id_token(known.person, known.client_id, known.nonce)
        return Reply(200, issued)


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _same(given: str | None, expected: str) -> bool:
    return given is not None and secrets.compare_digest(given.encode(), expected.encode())
