"""The frame that both services share: logging, middleware, error handlers, start and stop."""

import asyncio
import logging
import logging.config
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from apis.shared.http.context import RequestIds
from apis.shared.http.docs import add_docs
from apis.shared.http.documentation import ERRORS_EXPLAINED, complete
from apis.shared.http.failures import install_handlers
from apis.shared.http.log_format import BoundedJson
from apis.shared.http.middleware import ErrorBoundary, RequestLog, WholeBodies
from apis.shared.http.open_routes import OPEN_ROUTES, Route
from apis.shared.http.redirects import redirect_relatively
from apis.shared.http.router import AdminRoute, ResultRouter, is_admin_path, is_guarded
from apis.shared.lifecycle import background, close_all, shutdown
from apis.shared.settings import InstitutionSettings, WebSettings, settings

EXPOSED_HEADERS = ("X-Request-ID", "X-Session-ID", "X-Error-Code", "Retry-After")
# How long a busy worker thread may keep the interpreter from the event loop; by default it is ten times as long.
SWITCH_SECONDS = 0.0005
DRAIN_SECONDS = 1.0


def create_service(
    *,
    title: str,
    description: str,
    version: str,
    tags: Sequence[dict[str, Any]],
    routers: Sequence[ResultRouter],
    origins: Sequence[str],
    max_body_bytes: int,
    compress: bool = False,
    on_start: Callable[[], None] | None = None,
    open_routes: Collection[Route] = OPEN_ROUTES,
) -> FastAPI:
    """A FastAPI application with the behaviour that both services have in common.

    `origins` are the allowed web origins; `compress` gzips bodies over 1000 bytes, never event streams; `on_start`
    runs before the first request. A route without a guard that is not one of `open_routes`, or one under `/admin` that
    does not stand on an `AdminRouter`, ends the start with a ValueError.
    """
    configure_logging(settings(WebSettings).log_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH_SECONDS)
        _announce_shutdown(asyncio.get_running_loop())
        if on_start is not None:
            on_start()
        yield
        shutdown.begin()
        await background.drain(DRAIN_SECONDS)
        await close_all()

    app = _Service(
        title=title,
        description=description + ERRORS_EXPLAINED,
        version=version,
        openapi_tags=list(tags),
        servers=[{"url": "/", "description": "This service."}],
        contact={"name": settings(InstitutionSettings).institution_name},
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_url=None,
        lifespan=lifespan,
    )
    for router in routers:
        _refuse_unguarded(router, open_routes)
        app.include_router(router)
    add_docs(app)
    install_handlers(app)
    redirect_relatively(app)
    app.state.max_body_bytes = max_body_bytes
    app.add_middleware(ErrorBoundary, shutdown=shutdown)
    if compress:
        app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(WholeBodies)
    app.add_middleware(RequestLog)
    return app


class _Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            complete(super().openapi())
        return super().openapi()


def _refuse_unguarded(router: ResultRouter, open_routes: Collection[Route]) -> None:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            msg = f"{route} is no route of a ResultRouter"
            raise TypeError(msg)
        for method in route.methods or ():
            name = f"{method} {route.path}"
            if not is_guarded(route) and (method, route.path) not in open_routes:
                msg = f"{name} has no guard and is not on the list of open routes"
                raise ValueError(msg)
            if is_admin_path(route.path) and not isinstance(route, AdminRoute):
                msg = f"{name} does not stand on an AdminRouter"
                raise ValueError(msg)


def configure_logging(level: str) -> None:
    """One JSON object per line on stderr.

    `level` is of our own loggers. Of libraries nothing below INFO is written, because what they say for debugging
    quotes whole requests.
    """
    libraries = max(level, "INFO", key=logging.getLevelNamesMapping().__getitem__)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": BoundedJson,
                    "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
                    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
                }
            },
            "filters": {"request_ids": {"()": RequestIds}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request_ids"]}},
            "root": {"handlers": ["stderr"], "level": libraries},
            "loggers": {
                "apis": {"level": level},
                "agents": {"level": level},
                "httpx": {"level": "WARNING"},
                "botocore": {"level": "WARNING"},
                # Its lines hold whole addresses, with what clients wrote into them.
                "uvicorn.access": {"level": "WARNING"},
            },
        }
    )


def _announce_shutdown(loop: asyncio.AbstractEventLoop) -> None:
    """Tell running streams at SIGTERM: the server itself waits for them before it ends the lifespan."""
    if threading.current_thread() is not threading.main_thread():
        return  # an embedded server: signals belong to its host
    previous = signal.getsignal(signal.SIGTERM)

    def announce(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(shutdown.begin)
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, announce)
