"""What an image is by its own bytes, and whether a model takes it."""

import struct
from collections.abc import Iterator

MAX_BYTES = int(3.75 * 1024 * 1024)
MAX_SIDE = 8_000


def image_format(data: bytes) -> str | None:
    """`png`, `jpeg`, `gif` or `webp`, whatever its label says; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return None


def is_too_large(data: bytes) -> bool:
    """For a model: in bytes, or in pixels of a side, as far as these are known."""
    return len(data) > MAX_BYTES or any(side > MAX_SIDE for side in _sides(data))


def _sides(data: bytes) -> Iterator[int]:
    match image_format(data):
        case "png" if len(data) >= 24:
            yield from struct.unpack(">II", data[16:24])
        case "gif" if len(data) >= 10:
            yield from struct.unpack("<HH", data[6:10])
        case "jpeg":
            yield from _sides_of_jpeg(data)
        case "webp" if data[12:16] == b"VP8X" and len(data) >= 30:
            yield from (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))


def _sides_of_jpeg(data: bytes) -> Iterator[int]:
    """Of its first frame."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            yield from struct.unpack(">HH", data[at + 5 : at + 9])
            return
        at += 2 + max(length, 2)
