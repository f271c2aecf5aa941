"""The body of an answer as it comes, a part at a time: however small it was made, no part of it is large."""

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import Failure, Result, Success

PART_BYTES = 64 * 1024
UNREADABLE = bad_request("The answer is encoded in a way that cannot be read.")

_DEFLATED = frozenset({"gzip", "x-gzip", "deflate"})


def body_of(response: httpx.Response) -> "Result[AsyncIterator[bytes], ErrorDetail]":
    """Decoded, in parts of at most `PART_BYTES`. Fails for more than one encoding, and for one that is not known;
    reading raises `zlib.error` for what is not encoded as it says."""
    named = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    match [name for name in named if name not in {"", "identity"}]:
        case []:
            return Success(response.aiter_raw(PART_BYTES))
        case [encoding] if encoding in _DEFLATED:
            return Success(_inflated(response))
        case _:
            return Failure(UNREADABLE)


async def _inflated(response: httpx.Response) -> AsyncIterator[bytes]:
    stream = zlib.decompressobj(32 + zlib.MAX_WBITS)
    async for raw in response.aiter_raw():
        for part in _parts(stream, raw):
            yield part


def _parts(stream: "zlib._Decompress", raw: bytes) -> Iterator[bytes]:
    while raw:
        if part := stream.decompress(raw, PART_BYTES):
            yield part
        raw = stream.unconsumed_tail
