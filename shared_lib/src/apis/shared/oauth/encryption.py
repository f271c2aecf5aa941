"""How tokens are stored.

With a key: the base64 of what KMS makes of the token. A token that is too long for KMS is encrypted here, with a key of
its own, and KMS encrypts that key; such a value begins with `ENV1:`. Without a key, for developers only: `DEV:` and the
base64 of the token. What was stored in the one way is not read in the other.
"""

import binascii
import os

from apis.shared.aws.kms import MAX_PLAINTEXT_BYTES, KmsKey
from apis.shared.errors import ErrorDetail, internal_error, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

_DEVELOPMENT = "DEV:"
_ENVELOPE = "ENV1:"
_KEY_BYTES, _NONCE_BYTES = 32, 12

NO_KEY = service_unavailable(None, reason="not set: OAUTH_TOKEN_ENCRYPTION_KEY_ARN")


class TokenCipher:
    """Fails as KMS does. A value that cannot be read is `internal_error`; nothing of it is logged."""

    def __init__(self, key: KmsKey | None, *, is_development: bool) -> None:
        self._key = key
        self._is_development = is_development

    def usable(self) -> Result[None, ErrorDetail]:
        """`service_unavailable` where tokens would be stored as anybody can read them."""
        return Success(None) if self._key is not None or self._is_development else Failure(NO_KEY)

    async def encrypt(self, token: str) -> Result[str, ErrorDetail]:
        plaintext = token.encode()
        if self._key is None:
            return self.usable().map(lambda _: f"{_DEVELOPMENT}{_base64(plaintext)}")
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            return await self._seal(self._key, plaintext)
        return (await self._key.encrypt(plaintext)).map(_base64)

    @railway
    async def decrypt(self, stored: str) -> Result[str, ErrorDetail]:
        if self._key is None:
            if not stored.startswith(_DEVELOPMENT):
                return Failure(internal_error(None, reason="an encrypted token, but no key is configured"))
            return _bytes(stored.removeprefix(_DEVELOPMENT)).bind(_text)
        if stored.startswith(_DEVELOPMENT):
            return Failure(internal_error(None, reason="a token that is not encrypted, but a key is configured"))
        if stored.startswith(_ENVELOPE):
            return await self._open(self._key, stored.removeprefix(_ENVELOPE))
        return (await self._key.decrypt(_bytes(stored).unwrap())).bind(_text)

    @staticmethod
    async def _seal(key: KmsKey, plaintext: bytes) -> Result[str, ErrorDetail]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - lazy: stays out of the start

        own, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(own).encrypt(nonce, plaintext, None)
        return (await key.encrypt(own)).map(lambda wrapped: f"{_ENVELOPE}{_base64(wrapped)}.{_base64(sealed)}")

    @staticmethod
    @railway
    async def _open(key: KmsKey, stored: str) -> Result[str, ErrorDetail]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - lazy: stays out of the start
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - lazy: as above

        wrapped, _, sealed = stored.partition(".")
        content = _bytes(sealed).unwrap()
        own = (await key.decrypt(_bytes(wrapped).unwrap())).unwrap()
        damaged = ErrorTable.of((InvalidTag, _unreadable), (ValueError, _unreadable))
        return attempt(
            lambda: AESGCM(own).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], None), errors=damaged
        ).bind(_text)


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode()


def _bytes(text: str) -> Result[bytes, ErrorDetail]:
    return attempt(lambda: binascii.a2b_base64(text.encode(), strict_mode=True), errors=_DAMAGED).alt(_silent)


def _text(content: bytes) -> Result[str, ErrorDetail]:
    return attempt(content.decode, errors=_DAMAGED).alt(_silent)


def _unreadable(_: Exception) -> ErrorDetail:
    return internal_error(None, reason="a stored token cannot be read")


def _silent(error: ErrorDetail) -> ErrorDetail:
    # The exception of a decoder holds the content.
    return error.without_cause()


_DAMAGED = ErrorTable.of((ValueError, _unreadable))
