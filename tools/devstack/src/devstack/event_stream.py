"""One message of `application/vnd.amazon.eventstream`, in which Bedrock streams; the SDK only reads them."""

import binascii
import struct
from collections.abc import Mapping
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_TEXT = 7


def frame(headers: Mapping[str, str], body: bytes) -> bytes:
    """Length, length of the headers, checksum, headers, body, checksum. `body` is JSON."""
    head = b"".join(_header(name, text) for name, text in {**headers, ":content-type": "application/json"}.items())
    prelude = struct.pack("!II", 12 + len(head) + len(body) + 4, len(head))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + head + body
    return message + struct.pack("!I", binascii.crc32(message))


def _header(name: str, text: str) -> bytes:
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _TEXT, len(text)) + text.encode()
