"""What the provider signs, and the keys to check it with."""

import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from apis.shared.settings import InstitutionSettings
from devstack.identity.people import Person

ALGORITHM = "RS256"
LIFETIME_SECONDS = 3600


class Signer:
    """Signs with a key of this process: restarting the provider signs everybody out."""

    def __init__(self, issuer: str, tenant_id: str, institution: InstitutionSettings) -> None:
        self._issuer = issuer
        self._tenant_id = tenant_id
        self._institution = institution
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)

    def published(self) -> dict[str, Any]:
        return dict(KeySet([self._key]).as_dict(private=False))

    def access_token(self, person: Person, client_id: str, scope: str) -> str:
        own = f"api://{client_id}/"
        allowed = [word.removeprefix(own) for word in scope.split() if word.startswith(own)]
        return self._sign(person, aud=own.rstrip("/"), scp=" ".join(allowed), azp=client_id)

    def id_token(self, person: Person, client_id: str, nonce: str | None) -> str:
        return self._sign(person, aud=client_id, **({"nonce": nonce} if nonce else {}))

    def _sign(self, person: Person, **claims: str) -> str:
        now = int(time.time())
        return jwt.encode(
            {"alg": ALGORITHM, "kid": self._key.kid},
            {
                "iss": self._issuer,
                "tid": self._tenant_id,
                "ver": "2.0",
                "jti": uuid.uuid4().hex,
                "iat": now,
                "nbf": now,
                "exp": now + LIFETIME_SECONDS,
                **person.claims(self._institution),
                **claims,
            },
            self._key,
        )
