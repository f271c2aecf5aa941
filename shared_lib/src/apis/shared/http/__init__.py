"""The HTTP adapter: endpoints return Results, this package renders them."""

from apis.shared.http.context import note_user
from apis.shared.http.dependencies import BearerToken, Depends, dependency
from apis.shared.http.router import GUARDED, STORE_ERRORS, ResultRouter
from apis.shared.http.service import create_service
from apis.shared.http.sse import EventStream, SseEvent

__all__ = [
    "GUARDED",
    "STORE_ERRORS",
    "BearerToken",
    "Depends",
    "EventStream",
    "ResultRouter",
    "SseEvent",
    "create_service",
    "dependency",
    "note_user",
]
