"""The HTTP adapter: endpoints return Results, this package renders them."""

from apis.shared.http.context import note_failure, note_user
from apis.shared.http.dependencies import Bearer, BearerDependency, Depends, dependency
from apis.shared.http.docs import FRESH_ID
from apis.shared.http.router import GUARDED, STORE_ERRORS, AdminRouter, ResultRouter
from apis.shared.http.service import create_service
from apis.shared.http.sse import EventStream, SseEvent, described_turn
from apis.shared.http.wire import SnakeCaseWire, Wire, WireWithoutNulls

__all__ = [
    "FRESH_ID",
    "GUARDED",
    "STORE_ERRORS",
    "AdminRouter",
    "Bearer",
    "BearerDependency",
    "Depends",
    "EventStream",
    "ResultRouter",
    "SnakeCaseWire",
    "SseEvent",
    "Wire",
    "WireWithoutNulls",
    "create_service",
    "dependency",
    "described_turn",
    "note_failure",
    "note_user",
]
