"""moto behind uvicorn: werkzeug's own server takes twice as long for a request as moto, and closes every connection."""

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import uvicorn
from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from devstack.ports import LOOPBACK

_IDLE_SECONDS = 3600
"""A connection never ends before its client wants it to: a request that is on its way then would be lost."""

type Environ = dict[str, Any]  # Any, here and below: as WSGI has it


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's own business; see `aws_server`."""
        yield


def serve(application: ASGIApp, port: int) -> None:
    """Serve on this machine, until the process ends."""
    config = uvicorn.Config(
        application,
        host=LOOPBACK,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    _Server(config).run()


def asgi(application: Any) -> ASGIApp:
    """A WSGI application, one request at a time, in the order of arrival: more would only wait for Python's lock."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        is_complete = False
        while not is_complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            is_complete = not message.get("more_body", False)
        status, headers, content = _called(application, _environ(scope, body))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return answer


def _called(application: Any, environ: Environ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        started.append((status, headers))

    with contextlib.ExitStack() as closing:
        parts: Iterable[bytes] = application(environ, start_response)
        closing.callback(getattr(parts, "close", lambda: None))
        content = b"".join(parts)
    status, headers = started[-1]
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return int(status.partition(" ")[0]), lines, content


def _environ(scope: Scope, body: bytes) -> Environ:
    path, query = scope["raw_path"], scope["query_string"]
    raw = (path + b"?" + query if query else path).decode("latin-1")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": raw,
        "RAW_URI": raw,
        "REMOTE_ADDR": scope["client"][0],
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    preserved: dict[str, str] = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]):
        key = environ_key_for_header(name)
        if should_preserve_original_header_name(name):
            preserved.setdefault(key, name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    # The body has been read whole, however it was sent.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return {**environ, "CONTENT_LENGTH": str(len(body)), PRESERVED_HEADER_NAMES_ENVIRON_KEY: preserved}
