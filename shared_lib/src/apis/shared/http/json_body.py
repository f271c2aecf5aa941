"""Request bodies are JSON as the standard defines it: what Python's parser lets through beyond that is refused here,
because stores and responses could not hold it."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response


class StrictJsonRequest(Request):
    async def json(self) -> Any:
        body = await self.body()
        value = json.loads(body, parse_constant=_refuse_constant)
        if b"\\u" in body:
            _refuse_half_characters(value)
        return value


class StrictJsonRoute(APIRoute):
    """A route whose unreadable bodies answer 422 with `field` `body`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictJsonRequest(request.scope, request.receive))

        return handle_strictly


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError("NaN and Infinity are not JSON", name, 0)


def _refuse_half_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as broken:
        raise json.JSONDecodeError("half of a surrogate pair is no character", "", 0) from broken
