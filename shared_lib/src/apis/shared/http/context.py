"""What is known about the request in progress: its id, its user, and the failure that it ended with."""

import logging
import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

from apis.shared.errors import ErrorDetail

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")


@dataclass(slots=True)
class RequestContext:
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    user_id: str | None = None
    error: ErrorDetail | None = None
    started: float = field(default_factory=time.perf_counter)


_current: ContextVar[RequestContext] = ContextVar("request_context")


def request_id_from(header: str | None) -> str:
    """The caller's id when it is well-formed, so that it can be followed through several services; else a new one."""
    if header is not None and _WELL_FORMED_ID.fullmatch(header):
        return header
    return uuid.uuid4().hex


def enter(context: RequestContext) -> None:
    _current.set(context)


def current() -> RequestContext:
    """The context of this request; a fresh one outside any request."""
    return _current.get(RequestContext())


class RequestIds(logging.Filter):
    """Gives each log record that is written while a request is handled, or by work that the request started, the
    request's id: one failure can then be followed through records that do not know of HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = _current.get(None)
        if request is not None and not hasattr(record, "request_id"):
            record.request_id = request.request_id
        return True


def note_user(user_id: str) -> None:
    """Name the user in the request's log record."""
    current().user_id = user_id


def note_failure(error: ErrorDetail) -> None:
    """Have the request's log record written for a failure that its response tells in a form of its own."""
    current().error = error
