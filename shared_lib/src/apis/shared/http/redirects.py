"""The other spelling of a path, with or without the slash at its end."""

from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from apis.shared.http.failures import methods_of


def redirect_relatively(app: FastAPI) -> None:
    """A path that only exists with the other spelling is redirected there, within the same origin whatever `Host`
    says: Starlette's own redirect repeats that header."""
    otherwise = app.router.default
    app.router.redirect_slashes = False

    async def redirect_or(scope: Scope, receive: Receive, send: Send) -> None:
        location = _other_spelling(app, scope)
        if location is None:
            await otherwise(scope, receive, send)
        else:
            await RedirectResponse(location)(scope, receive, send)

    app.router.default = redirect_or


def _other_spelling(app: FastAPI, scope: Scope) -> str | None:
    path = get_route_path(scope)
    if path == "/":
        return None
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    if not methods_of(app, other):
        return None
    sent = scope["raw_path"].decode("ascii")
    whole = sent.rstrip("/") if path.endswith("/") else f"{sent}/"
    query = scope["query_string"].decode("ascii")
    # Two slashes at the beginning would be the name of a host.
    return f"/{whole.lstrip('/')}" + (f"?{query}" if query else "")
