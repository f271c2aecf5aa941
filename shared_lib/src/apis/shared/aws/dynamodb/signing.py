"""Signature version 4 for this one service: the same headers, the same signature as botocore's.

The signer of the library that the expressions come from signs the host without its port and leaves the session token
unsigned, so a service behind a port that checks signatures would refuse it.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

CONTENT_TYPE = "application/x-amz-json-1.0"
_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "dynamodb"
_API_VERSION = "DynamoDB_20120810"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials at one moment."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)


class Signer:
    """For one endpoint: `host` with the port where it is not the scheme's own, `path` as it is sent."""

    def __init__(self, *, region: str, host: str, path: str) -> None:
        self._region = region
        self._host = host
        self._canonical_path = quote(path, safe="/~")
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def headers(self, operation: str, body: bytes, keys: Keys, now: float) -> Mapping[str, str]:
        """All headers that the service needs; `now` in seconds since 1970."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        target = f"{_API_VERSION}.{operation}"
        # In the order of their names, as they are signed.
        signed = {"content-type": CONTENT_TYPE, "host": self._host, "x-amz-date": moment}
        if keys.token:
            signed["x-amz-security-token"] = keys.token
        signed["x-amz-target"] = target
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"POST\n{self._canonical_path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/{_SERVICE}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(self._key(moment[:8], keys.secret_key), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _key(self, day: str, secret: str) -> bytes:
        known_day, known_secret, key = self._derived
        if known_day != day or known_secret != secret:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (day, secret, key)
        return key
