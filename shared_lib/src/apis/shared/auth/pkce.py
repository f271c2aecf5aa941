"""Proof key for code exchange (RFC 7636), method S256."""

import base64
import hashlib


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
