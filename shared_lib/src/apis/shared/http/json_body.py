"""Request bodies: who may send how much of them, and JSON as the standard defines it. What Python's parser lets through
beyond that is refused here, because stores and responses could not hold it."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from apis.shared.errors import bad_request, validation_error
from apis.shared.http.bounds import JSON_ENTRIES, JSON_ESCAPES, JSON_NESTING, JSON_NUMBER, UNKNOWN_CALLER_BYTES
from apis.shared.http.dependencies import bearers_of
from apis.shared.http.documentation import BODY_TOO_LARGE
from apis.shared.http.failures import FailureRaised
from apis.shared.wiring import once

# A decoder would put replacement characters in their place.
_HALF_CHARACTER_IN_A_QUERY = re.compile(rb"%ed%[ab][0-9a-f]%[89ab][0-9a-f]", re.IGNORECASE)
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKET = re.compile(r"[\[\]{}]")
# The interpreter is not shared while it counts or searches: pieces keep that short.
_PIECE = 1024 * 1024
_BROKEN_OFF = bad_request("The request body could not be read.")
_HALF_CHARACTER_REFUSED = validation_error("Half of a surrogate pair is no character.", field="query")


class StrictJsonRequest(Request):
    """A request whose body `read` has read."""

    _read: bytearray

    async def read(self, admit: Callable[[], Coroutine[Any, Any, None]], *, at_most: int) -> None:
        """The body; `admit` is asked before more of it is read than anybody may send."""
        announced = self.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else 0
        admitted = size > UNKNOWN_CALLER_BYTES
        if admitted:
            await admit()
        body = bytearray()
        if size <= at_most:
            async for piece in self.stream():
                body += piece
                if not admitted and len(body) > UNKNOWN_CALLER_BYTES:
                    await admit()
                    admitted = True
                if len(body) > at_most:
                    break
        if max(size, len(body)) > at_most:
            raise FailureRaised(BODY_TOO_LARGE)
        self._read = body

    async def body(self) -> bytes:
        """Whether there is one: FastAPI keeps what this answers until the end of the request, and looks no further."""
        return bytes(self._read[:1])

    async def json(self) -> Any:
        body, self._read = self._read, bytearray()
        if len(body) <= UNKNOWN_CALLER_BYTES:
            return _parsed(body)
        return await asyncio.get_running_loop().run_in_executor(_large_bodies(), _parsed, body)


class StrictJsonRoute(APIRoute):
    """A route whose unreadable bodies answer 422 with `field` `body`, and that reads no large body of a stranger."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The patterns of paths end in `$`, which lets a line feed follow: a path with one is another path."""
        if scope["path"].endswith("\n") and not self.path.endswith("}"):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            strict = StrictJsonRequest(request.scope, request.receive)

            async def admit() -> None:
                for bearer in bearers_of(self.dependant):
                    await bearer(strict)

            async def admit_large() -> None:
                await admit()
                if not bearers_of(self.dependant):
                    raise FailureRaised(BODY_TOO_LARGE)

            if self.dependant.query_params and _HALF_CHARACTER_IN_A_QUERY.search(request.scope["query_string"]):
                await admit()
                raise FailureRaised(_HALF_CHARACTER_REFUSED)
            if self.body_field is not None:
                try:
                    await strict.read(admit_large, at_most=request.app.state.max_body_bytes)
                except ClientDisconnect as gone:
                    raise FailureRaised(_BROKEN_OFF) from gone
            return await handle(strict)

        return handle_strictly


@once
def _large_bodies() -> ThreadPoolExecutor:
    """One at a time: two would only take the interpreter from each other, and from the event loop."""
    return ThreadPoolExecutor(1, thread_name_prefix="large-bodies")


def _parsed(body: bytearray) -> Any:
    """Takes the body away from the caller: a large one is not kept beside the text that it holds."""
    try:
        return _read(body)
    except ValueError:
        body.clear()
    # Out of reach of the exception, whose traceback would keep the text.
    raise json.JSONDecodeError("the body is not JSON, or holds too much", "", 0)


def _read(body: bytearray) -> Any:
    text = body.decode(json.detect_encoding(body))
    body.clear()
    _check_size(text)
    value = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float)
    if "\\u" in text and _HALF_CHARACTER.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _integer(digits: str) -> int:
    return int(_short(digits))


def _float(digits: str) -> float:
    return float(_short(digits))


def _short(digits: str) -> str:
    if len(digits) > JSON_NUMBER:
        raise ValueError
    return digits


def _refuse_constant(_: str) -> NoReturn:
    msg = "NaN and Infinity are not JSON"
    raise ValueError(msg)


def _check_size(text: str) -> None:
    """Raises ValueError for more nesting, members or elements than a body may have: parsing takes time for each."""
    if _count(text, "\\", up_to=JSON_ESCAPES) > JSON_ESCAPES:
        raise ValueError
    # Most texts show at a glance that they cannot, even if all of this stood outside of strings.
    if _count(text, "[{", up_to=JSON_NESTING) <= JSON_NESTING and (
        len(text) <= JSON_ENTRIES or _count(text, ",[{", up_to=JSON_ENTRIES) <= JSON_ENTRIES
    ):
        return
    outside = _outside_of_strings(text)
    openings = _count(outside, "[{", up_to=JSON_ENTRIES + 1)
    # What has more than these is refused, or no JSON.
    if openings > JSON_ENTRIES + 1 or _count(outside, "]}", up_to=openings) > openings:
        raise ValueError
    # A container that is not empty has one entry more than commas.
    filled = openings - _empty_containers(outside)
    if filled + _count(outside, ",", up_to=JSON_ENTRIES) > JSON_ENTRIES:
        raise ValueError


def _outside_of_strings(text: str) -> str:
    """The text with a 0 in the place of every string."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    # A member has two strings and an element one; more of them are no JSON.
    if _count(text, '"', up_to=4 * JSON_ENTRIES) > 4 * JSON_ENTRIES:
        raise ValueError
    return "0".join(text.split('"')[::2])


def _empty_containers(text: str) -> int:
    """How many there are. Raises ValueError for nesting that is too deep."""
    depth = empty = 0
    opened: int | None = None
    for start in range(0, len(text), _PIECE):
        for bracket in _BRACKET.finditer(text, start, start + _PIECE):
            if bracket[0] in "[{":
                depth += 1
                opened = bracket.end()
                if depth > JSON_NESTING:
                    raise ValueError
            else:
                depth -= 1
                empty += opened is not None and not text[opened : bracket.start()].strip()
                opened = None
    return empty


def _count(text: str, characters: str, *, up_to: int) -> int:
    """How often they occur; not much further than `up_to`."""
    total = 0
    for start in range(0, len(text), _PIECE):
        total += sum(text.count(one, start, start + _PIECE) for one in characters)
        if total > up_to:
            break
    return total
