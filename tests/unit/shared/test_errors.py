import json

import pytest

from apis.shared.errors import (
    ConversationalErrorEvent,
    ErrorCode,
    ErrorDetail,
    StreamErrorEvent,
    build_conversational_error_event,
    create_error_response,
    http_status_to_error_code,
    status_of,
)

STATUS_OF_CODE = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "validation_error": 422,
    "rate_limit_exceeded": 429,
    "quota_exceeded": 429,
    "internal_error": 500,
    "agent_error": 500,
    "tool_error": 500,
    "stream_error": 500,
    "model_error": 503,
    "service_unavailable": 503,
    "timeout": 504,
}


def test_the_codes_and_their_statuses() -> None:
    assert {code.value: status_of(code) for code in ErrorCode} == STATUS_OF_CODE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (422, "validation_error"),
        (429, "rate_limit_exceeded"),
        (500, "internal_error"),
        (503, "service_unavailable"),
        (504, "timeout"),
        (418, "internal_error"),
        (502, "internal_error"),
    ],
)
def test_the_code_of_a_bare_status(status: int, code: str) -> None:
    assert http_status_to_error_code(status) == code


def test_error_response_envelope() -> None:
    assert create_error_response(ErrorCode.NOT_FOUND, "Gone", status_code=404, metadata={"id": "1"}) == {
        "error": {"code": "not_found", "message": "Gone", "metadata": {"id": "1"}},
        "status_code": 404,
    }


def test_the_cause_of_a_failure_is_never_serialised() -> None:
    error = ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message="Oops").caused_by(ValueError("secret"), table="t")
    assert error.model_dump(mode="json", exclude_none=True) == {"code": "internal_error", "message": "Oops"}
    assert str(error.cause) == "secret"
    assert error.context == {"table": "t"}


def test_stream_events_on_the_wire() -> None:
    legacy = StreamErrorEvent(error="x", code=ErrorCode.STREAM_ERROR)
    name, data = legacy.to_sse_format().removesuffix("\n\n").split("\ndata: ")
    assert name == "event: error"
    assert json.loads(data) == {"error": "x", "code": "stream_error", "recoverable": False}
    event = ConversationalErrorEvent(code=ErrorCode.TIMEOUT, message="m", retry_after=3)
    name, data = event.to_sse_format().removesuffix("\n\n").split("\ndata: ")
    assert name == "event: stream_error"
    assert json.loads(data) == {
        "type": "stream_error",
        "code": "timeout",
        "message": "m",
        "recoverable": False,
        "retry_after": 3,
    }


@pytest.mark.parametrize(
    ("code", "said", "shown"),
    [
        ("model_error", "AccessDenied: not authorized", "access"),
        ("stream_error", "ThrottlingException", "too many requests"),
        ("model_error", "unsupported parameter", "cannot handle"),
        ("model_error", "prompt caching is not allowed", "prompt caching"),
        ("model_error", "input is too long", "too long"),
    ],
)
def test_the_text_of_a_model_failure_follows_what_it_says(code: str, said: str, shown: str) -> None:
    event = build_conversational_error_event(ErrorCode(code), said, session_id="s1")
    assert shown in event.message
    assert f"> {said}" in event.message
    assert event.metadata == {"session_id": "s1"}


@pytest.mark.parametrize("code", ["timeout", "service_unavailable"])
def test_outages_are_not_quoted(code: str) -> None:
    event = build_conversational_error_event(ErrorCode(code), RuntimeError("10.0.0.1 refused"))
    assert "10.0.0.1" not in event.message
    assert event.metadata is None
