"""Server-sent events, as far as model servers use them: bytes in, data out."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    name: str
    data: str


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Lines without their ends. Only of bytes: as text, characters within JSON would count as ends of lines too."""
    begun: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        for line in others:
            yield b"".join(begun).removesuffix(b"\r")
            begun = [line]
    if rest := b"".join(begun):
        yield rest


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[ServerEvent]:
    """Comments and fields other than `event` and `data` are left out. An event ends with a blank line."""
    name, data = "", list[str]()
    async with aclosing(lines_of(chunks)) as lines:
        async for line in lines:
            field, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            if not line and data:
                yield ServerEvent(name, "\n".join(data))
            match field:
                case "":
                    name, data = ("", []) if not line else (name, data)
                case "event":
                    name = value
                case "data":
                    data.append(value)
    if data:
        yield ServerEvent(name, "\n".join(data))
