"""Pagination tokens. What a client sends back is checked: it is only ever a place in the caller's own list."""

import base64
import binascii
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apis.shared.aws.dynamodb import SORT_KEY_BYTES, is_key
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

_OWNER_KEY = ("PK", "SK", "GSI_PK", "GSI_SK")
_LONGEST_INDEX = 18  # digits; no conversation is longer
_BAD_TOKEN = bad_request("The next_token is not valid. Please reload the list.", field="query.next_token")
BAD_CURSOR = bad_request("The cursor is not valid. Please reload the list.", field="query.cursor")
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
    key = _read_key(token).unwrap()
    if (
        isinstance(key, dict)
        and key.keys() == {"PK", "SK"}
        and key["PK"] == partition
        and isinstance(key["SK"], str)
        and key["SK"].startswith(prefix)
        and is_key(key["SK"], SORT_KEY_BYTES)
    ):
        return Success(key)
    return Failure(_BAD_TOKEN)


def encode_owner_token(item: Mapping[str, Any]) -> str:
    """base64 of the JSON of an assistant's place among its owner's: {"owner_key": {"PK", "SK", "GSI_PK", "GSI_SK"}}."""
    return encode_text(json.dumps({"owner_key": {name: item[name] for name in _OWNER_KEY}}))


@railway
def decode_owner_token(token: str, *, partition: str) -> Result[dict[str, str], ErrorDetail]:
    """A place in the `partition` of the owner's index."""
    match _read_key(token).unwrap():
        case {"owner_key": {"PK": str(key), "SK": "METADATA", "GSI_PK": str(owner), "GSI_SK": str(place)}} if (
            owner == partition and key.startswith("AST#") and is_key(key) and is_key(place, SORT_KEY_BYTES)
        ):
            return Success({"PK": key, "SK": "METADATA", "GSI_PK": owner, "GSI_SK": place})
        case _:
            return Failure(_BAD_TOKEN)


def decode_key_cursor(cursor: str, *, partition: str, prefix: str) -> Result[dict[str, str], ErrorDetail]:
    """`decode_key_token` for a parameter that is called `cursor`."""
    return decode_key_token(cursor, partition=partition, prefix=prefix).alt(lambda _: BAD_CURSOR)


def encode_cursor(key: Mapping[str, str], index: str) -> str:
    """base64 of the JSON of the last key of an index, `GSI3` for instance: {"PK", "SK", "GSI3PK", "GSI3SK"}."""
    return encode_text(json.dumps({name: key[name] for name in _names(index)}))


@railway
def decode_cursor(cursor: str, *, index: str, partition: str, owner: str) -> Result[dict[str, str], ErrorDetail]:
    """A place in the `partition` of `index`; the items have keys that begin with `owner`."""
    key = _read_key(cursor).alt(lambda _: BAD_CURSOR).unwrap()
    names = _names(index)
    if (
        isinstance(key, dict)
        and key.keys() == set(names)
        and all(isinstance(value, str) for value in key.values())
        and key["PK"].startswith(owner)
        and key[f"{index}PK"] == partition
        and is_key(key["PK"])
        and all(is_key(key[name], SORT_KEY_BYTES) for name in ("SK", f"{index}SK"))
    ):
        return Success(key)
    return Failure(BAD_CURSOR)


def _names(index: str) -> tuple[str, ...]:
    return ("PK", "SK", f"{index}PK", f"{index}SK")


@railway
def _read_key(token: str) -> Result[Any, ErrorDetail]:
    return attempt(json.loads, decode_text(token).unwrap(), errors=_UNREADABLE)


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
