"""`/openapi.json`, and the pages `/docs` and `/redoc` that show it: all they load comes from this service."""

import asyncio
import functools
import importlib.util
import json
import uuid
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

FRESH_ID = "2f6c1c1e-5b0e-4a54-9f0a-0d6f8f2b7c11"
"""An id in an example. Each reader of `/openapi.json` gets another one: with one for all, the first who tries the
example would own the session and everybody else would not find it."""

_DOCUMENT, _ASSETS = "/openapi.json", "/docs/assets"
_REDOC = "redoc.standalone.js"
# The one thing that the packaged scripts would fetch from elsewhere, and an empty picture in its place.
_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_LOGO = "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def add_docs(app: FastAPI) -> None:
    """Serve the document and both pages. `app` itself must not do so (`openapi_url=None`)."""

    making = asyncio.Lock()

    async def document(request: Request) -> Response:
        async with making:
            # A second of work for a hundred operations, the first time.
            described = await asyncio.to_thread(app.openapi)
        root: str = request.scope.get("root_path", "").rstrip("/")
        if root:
            described = {**described, "servers": [{"url": root}]}
        text = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
        return Response(
            text.replace(FRESH_ID, str(uuid.uuid4())),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def docs(request: Request) -> HTMLResponse:
        root: str = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=root + _DOCUMENT,
            title=app.title,
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
        )
        return _closed(page)

    async def redoc(request: Request) -> HTMLResponse:
        root: str = request.scope.get("root_path", "").rstrip("/")
        page = get_redoc_html(
            openapi_url=root + _DOCUMENT,
            title=app.title,
            redoc_js_url=f"{root}{_ASSETS}/{_REDOC}",
            redoc_favicon_url=f"{root}{_ASSETS}/favicon.png",
            with_google_fonts=False,
        )
        return _closed(page)

    async def redoc_script(_: Request) -> Response:
        return Response(await asyncio.to_thread(_redoc_script), media_type="text/javascript")

    app.add_route(_DOCUMENT, document, include_in_schema=False)
    app.add_route(f"{_ASSETS}/{_REDOC}", redoc_script, include_in_schema=False)
    app.mount(_ASSETS, StaticFiles(directory=_assets()))
    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/redoc", redoc, include_in_schema=False)


def _closed(page: HTMLResponse) -> HTMLResponse:
    """The page, allowed to load and to call nothing but this service."""
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@functools.cache
def _redoc_script() -> str:
    return (_assets() / _REDOC).read_text(encoding="utf-8").replace(_LOGO, _NO_LOGO)


def _assets() -> Path:
    """The folder of the packaged scripts and styles; the package's own code is not needed."""
    package = importlib.util.find_spec("fastapi_offline")
    if package is None or package.origin is None:
        msg = "the package fastapi-offline is not installed"
        raise ModuleNotFoundError(msg)
    return Path(package.origin).with_name("static")
