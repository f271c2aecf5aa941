"""A service that a test can steer: `uvicorn tests.support.steered:app`, with the product's app in `STEERED_APP`.

`POST /steer/forget` makes it forget its getters, settings and caches, as if the process had just started. `POST
/steer/settle?ID` answers when all that the request ID has started is done: its log records are written then. `POST
/steer/rest` answers when no background work is left, of whatever origin. Nothing else differs from the product.
"""

import asyncio
import importlib
import os
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from apis.shared.http import context
from apis.shared.lifecycle import background
from apis.shared.wiring import forget_all

SETTLE_SECONDS = 12.0
"""More than any deadline of the product."""
REST_SECONDS = 27.0
"""What a process loads after its start may take that long where many others run."""


async def _forget(_: str) -> list[str]:
    forget_all()
    return []


async def _settle(request_id: str) -> list[str]:
    """The names of what still runs after all."""
    return await _left_of(
        [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and _belongs(task, request_id)]
    )


async def _rest(_: str) -> list[str]:
    # Not `drain`, which leaves out what no stop waits for.
    return await _left_of(list(background._tasks), REST_SECONDS)


async def _left_of(tasks: list[asyncio.Task[Any]], seconds: float = SETTLE_SECONDS) -> list[str]:
    _, running = await asyncio.wait(tasks, timeout=seconds) if tasks else ([], [])
    return [task.get_name() for task in running]


def _belongs(task: asyncio.Task[Any], request_id: str) -> bool:
    return task.get_context().copy().run(context.current).request_id == request_id


_ORDERS = {"/steer/forget": _forget, "/steer/settle": _settle, "/steer/rest": _rest}


def steered(product: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        order = _ORDERS.get(scope["path"]) if scope["type"] == "http" else None
        if order is None:
            await product(scope, receive, send)
            return
        left = await order(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 500 if left else 204, "headers": []})
        await send({"type": "http.response.body", "body": ", ".join(left).encode()})

    return serve


app = steered(importlib.import_module(os.environ["STEERED_APP"]).app)
