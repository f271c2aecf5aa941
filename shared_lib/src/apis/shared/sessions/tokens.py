"""Pagination tokens. What a client sends back is checked: it is only ever a place in the caller's own list."""

import base64
import binascii
import json
from collections.abc import Mapping

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway

_BAD_TOKEN = bad_request("The next_token is not valid. Please reload the list.", field="query.next_token")
_UNREADABLE = ErrorTable.of((binascii.Error, lambda _: _BAD_TOKEN), (ValueError, lambda _: _BAD_TOKEN))


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
    ):
        return Success(key)
    return Failure(_BAD_TOKEN)


def encode_index_token(index: int) -> str:
    """base64 of the decimal start index."""
    return encode_text(str(index))


@railway
def decode_index_token(token: str) -> Result[int, ErrorDetail]:
    text = decode_text(token).unwrap()
    return Success(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else Failure(_BAD_TOKEN)


def encode_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def decode_text(token: str) -> Result[str, ErrorDetail]:
    return attempt(lambda: base64.b64decode(token, validate=True).decode(), errors=_UNREADABLE)
