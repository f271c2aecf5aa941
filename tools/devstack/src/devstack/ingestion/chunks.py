"""A text in pieces that are short enough to quote, and long enough to mean something."""

import re
from collections.abc import Iterator
from typing import Final

SIZE: Final = 900
"""Characters at most. Five passages have to fit into what a model is shown."""
# Ideographic full stop, exclamation and question mark have no blank behind them.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")


def chunks(text: str) -> Iterator[str]:
    """Whole paragraphs as long as they fit together; a longer one is parted between sentences, or else words."""
    gathered = ""
    for piece in _pieces(text):
        joined = f"{gathered}\n{piece}" if gathered else piece
        if len(joined) <= SIZE:
            gathered = joined
            continue
        if gathered:
            yield gathered
        gathered = piece
    if gathered:
        yield gathered


def _pieces(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if paragraph := line.strip():
            yield from _parted(paragraph)


def _parted(paragraph: str) -> Iterator[str]:
    if len(paragraph) <= SIZE:
        yield paragraph
        return
    gathered = ""
    for sentence in _SENTENCE_END.split(paragraph):
        for part in _cut(sentence):
            if gathered and len(gathered) + 1 + len(part) > SIZE:
                yield gathered
                gathered = part
            else:
                gathered = f"{gathered} {part}" if gathered else part
    if gathered:
        yield gathered


def _cut(sentence: str) -> Iterator[str]:
    rest = sentence
    while len(rest) > SIZE:
        # Some languages have no blanks, and some texts.
        end = rest.rfind(" ", 1, SIZE + 1)
        end = SIZE if end < 0 else end
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest
