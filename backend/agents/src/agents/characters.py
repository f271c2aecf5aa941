"""Half characters: one half of a surrogate pair without the other.

JSON can carry them, UTF-8 cannot: one that is stored or sent makes whatever comes after it unreadable. They are
removed from everything that models and tools say; halves that belong together become the character that they are.
"""

import math
import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
# The escapes of JSON text: a pair, a half, any other complete one.
_ESCAPE = re.compile(
    r"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|u[0-9a-fA-F]{4}|[^u])",
    re.DOTALL,
)
_BEGUN = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")


def whole_text(text: str) -> str:
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def whole(value: Any) -> Any:
    """A JSON value that every store and provider can hold: without half characters, and numbers that are none."""
    match value:
        case str():
            return whole_text(value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {whole_text(str(name)): whole(member) for name, member in value.items()}
        case list() | tuple():
            return [whole(member) for member in value]
        case _:
            return value


class Pieces:
    """Text that comes in pieces: a pair may be divided between two of them."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held, text = text[-1], text[:-1]
        return whole_text(text)


class JsonPieces:
    """JSON text that comes in pieces: there, halves are also written as escapes."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + self._pieces.feed(piece)
        self._held = ""
        if "\\" not in text:
            return text
        escapes = list(_ESCAPE.finditer(text))
        end = escapes[-1].end() if escapes else 0
        begun = text.find("\\", end)
        if begun < 0 or not _BEGUN.fullmatch(text, begun):
            begun = len(text)
        if escapes and escapes[-1]["half"] and end == begun:
            # The other half may be what comes next.
            begun = escapes[-1].start()
        self._held = text[begun:]
        return _ESCAPE.sub(_kept, text[:begun])

    def rest(self) -> str:
        """What was held back in vain."""
        rest, self._held = self._held, ""
        return _ESCAPE.sub(_kept, rest)


def _kept(escape: re.Match[str]) -> str:
    return "" if escape["half"] else escape[0]
