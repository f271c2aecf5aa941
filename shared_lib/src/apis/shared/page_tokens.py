"""Pagination tokens. What a client sends back is checked: it is only ever a place in the caller's own list."""

import base64
import binascii
import json
import sys
from collections.abc import Mapping
from datetime import datetime

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

_LONGEST_SORT_KEY = 1024  # bytes; the service refuses a longer one
_LONGEST_INDEX = 18  # digits; no conversation is longer
_BAD_TOKEN = bad_request("The next_token is not valid. Please reload the list.", field="query.next_token")
_UNREADABLE = ErrorTable.of(
    (binascii.Error, lambda _: _BAD_TOKEN),
    (ValueError, lambda _: _BAD_TOKEN),
    # Brackets in brackets in brackets.
    (RecursionError, lambda _: _BAD_TOKEN),
)


def encode_key_token(key: Mapping[str, str]) -> str:
    """base64 of the JSON of the last key: {"PK": ..., "SK": ...}."""
    return encode_text(json.dumps({"PK": key["PK"], "SK": key["SK"]}))


@railway
def decode_key_token(token: str, *, partition: str, prefix: str) -> Result[dict[str, str], ErrorDetail]:
    key = attempt(json.loads, decode_text(token).unwrap(), errors=_UNREADABLE).unwrap()
    if (
        isinstance(key, dict)
        and key.keys() == {"PK", "SK"}
        and key["PK"] == partition
        and isinstance(key["SK"], str)
        and key["SK"].startswith(prefix)
        and len(attempt(key["SK"].encode, errors=_UNREADABLE).unwrap()) <= _LONGEST_SORT_KEY
    ):
        return Success(key)
    return Failure(_BAD_TOKEN)


def encode_moment_token(moment: str, session_id: str) -> str:
    """base64 of the time of the last entry, with its id for entries of the same time."""
    return encode_text(f"{moment}#{session_id}")


@railway
def decode_moment_token(token: str) -> Result[tuple[str, str], ErrorDetail]:
    """Time and session id; tokens of the previous system hold the time alone."""
    moment, _, session_id = decode_text(token).unwrap().partition("#")
    attempt(datetime.fromisoformat, moment, errors=_UNREADABLE).unwrap()
    return Success((moment, session_id))


def encode_index_token(index: int) -> str:
    """base64 of the decimal start index."""
    return encode_text(str(index))


@railway
def decode_index_token(token: str) -> Result[int, ErrorDetail]:
    text = decode_text(token).unwrap()
    if not (text.isascii() and text.isdigit()):
        return Failure(_BAD_TOKEN)
    return Success(int(text) if len(text) <= _LONGEST_INDEX else sys.maxsize)


def encode_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def decode_text(token: str) -> Result[str, ErrorDetail]:
    return attempt(lambda: base64.b64decode(token, validate=True).decode(), errors=_UNREADABLE)
