"""The one error vocabulary of both APIs: codes, the error body, the two stream error events.

An error is an `ErrorDetail` value. It is made where a failure is first understood, travels unchanged inside a
`Result`, and is rendered once, by `apis.shared.http`.
"""

import re
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr


class ErrorCode(StrEnum):
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    VALIDATION_ERROR = "validation_error"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    QUOTA_EXCEEDED = "quota_exceeded"
    INTERNAL_ERROR = "internal_error"
    AGENT_ERROR = "agent_error"
    TOOL_ERROR = "tool_error"
    STREAM_ERROR = "stream_error"
    MODEL_ERROR = "model_error"
    SERVICE_UNAVAILABLE = "service_unavailable"
    TIMEOUT = "timeout"


_STATUS_OF: dict[ErrorCode, int] = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.VALIDATION_ERROR: 422,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.QUOTA_EXCEEDED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.AGENT_ERROR: 500,
    ErrorCode.TOOL_ERROR: 500,
    ErrorCode.STREAM_ERROR: 500,
    ErrorCode.MODEL_ERROR: 503,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.TIMEOUT: 504,
}

_CODE_OF: dict[int, ErrorCode] = {
    400: ErrorCode.BAD_REQUEST,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    409: ErrorCode.CONFLICT,
    422: ErrorCode.VALIDATION_ERROR,
    429: ErrorCode.RATE_LIMIT_EXCEEDED,
    500: ErrorCode.INTERNAL_ERROR,
    503: ErrorCode.SERVICE_UNAVAILABLE,
    504: ErrorCode.TIMEOUT,
}


def status_of(code: ErrorCode) -> int:
    """The HTTP status that a code is rendered with."""
    return _STATUS_OF[code]


def http_status_to_error_code(status_code: int) -> ErrorCode:
    """The code for a bare HTTP status; `internal_error` for a status without one."""
    return _CODE_OF.get(status_code, ErrorCode.INTERNAL_ERROR)


class ErrorDetail(BaseModel):
    """A failure, as services return it and as clients see it.

    `message` is a sentence for the user and never holds text of an exception, an ARN, a table name, a key or a token.
    What an operator needs beyond it goes into the private `cause` (the exception) and `context` (for instance entity
    and key of a corrupt record): both reach the log and are never serialised. `recoverable` and `retry_after`
    (seconds) are used where the failure is shown in a stream, `retry_after` also as the `Retry-After` header.
    """

    model_config = ConfigDict(frozen=True)

    code: ErrorCode
    message: str
    detail: str | None = None
    field: str | None = None
    metadata: dict[str, Any] | None = None  # Any: free-form JSON on the wire

    _cause: BaseException | None = PrivateAttr(default=None)
    _context: dict[str, str] = PrivateAttr(default_factory=dict)
    _recoverable: bool | None = PrivateAttr(default=None)
    _retry_after: int | None = PrivateAttr(default=None)
    _is_shown: bool = PrivateAttr(default=True)
    _members: dict[str, Any] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal on the wire; what is carried for the log does not count."""
        return isinstance(other, ErrorDetail) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash((self.code, self.message))

    @property
    def cause(self) -> BaseException | None:
        return self._cause

    @property
    def context(self) -> dict[str, str]:
        return dict(self._context)

    @property
    def recoverable(self) -> bool:
        """Whether repeating the same request may succeed; by default true for outages and time-outs only."""
        if self._recoverable is not None:
            return self._recoverable
        return self.code in {ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT}

    @property
    def retry_after(self) -> int | None:
        return self._retry_after

    @property
    def is_shown(self) -> bool:
        """Whether a stream shows a message for it; not where all that there is to say has been shown, and only its
        saving failed."""
        return self._is_shown

    @property
    def members(self) -> dict[str, Any]:
        """What stands in the body beside its own members, for clients that look for it there."""
        return dict(self._members)

    def caused_by(self, cause: BaseException | None, **context: str) -> "ErrorDetail":
        """A copy that carries `cause` and `context` for the log."""
        copy = self.model_copy()
        copy._cause = cause if cause is not None else self._cause
        copy._context = {**self._context, **context}
        return copy

    def without_cause(self) -> "ErrorDetail":
        """A copy that leaves the exception behind: for one whose text quotes content or a secret."""
        copy = self.model_copy()
        copy._cause = None
        return copy

    def without_message(self) -> "ErrorDetail":
        copy = self.model_copy()
        copy._is_shown = False
        return copy

    def with_members(self, **members: Any) -> "ErrorDetail":
        copy = self.model_copy()
        copy._members = members
        return copy

    def with_recovery(self, *, recoverable: bool, retry_after: int | None = None) -> "ErrorDetail":
        copy = self.model_copy()
        copy._recoverable = recoverable
        copy._retry_after = retry_after
        return copy


class StreamErrorEvent(BaseModel):
    """Legacy stream error, kept for old clients; new streams send `ConversationalErrorEvent`."""

    error: str
    code: ErrorCode
    detail: str | None = None
    recoverable: bool = False
    metadata: dict[str, Any] | None = None  # Any: free-form JSON on the wire

    def to_sse_format(self) -> str:
        return f"event: error\ndata: {self.model_dump_json(exclude_none=True)}\n\n"


class ConversationalErrorEvent(BaseModel):
    """A failure that ends a stream, with the Markdown text that the chat shows as an assistant message."""

    type: str = "stream_error"
    code: ErrorCode
    message: str
    recoverable: bool = False
    retry_after: int | None = None
    metadata: dict[str, Any] | None = None  # Any: free-form JSON on the wire

    def to_sse_format(self) -> str:
        return f"event: stream_error\ndata: {self.model_dump_json(exclude_none=True)}\n\n"


def create_error_response(
    code: ErrorCode,
    message: str,
    detail: str | None = None,
    status_code: int = 500,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`{"error": <ErrorDetail without nulls>, "status_code": <int>}`, the envelope of the previous system."""
    error = ErrorDetail(code=code, message=message, detail=detail, metadata=metadata)
    return {"error": error.model_dump(mode="json", exclude_none=True), "status_code": status_code}


# What the quoted error text tells about a model or stream failure: pattern, headline, suggestion.
_MODEL_HINTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"access.?denied|not authorized|don't have access|no access|permission", re.IGNORECASE),
        "I don't have access to this model.",
        "Please choose another model, or ask your administrator to enable this one.",
    ),
    (
        re.compile(r"throttl|rate.?limit|too many requests|busy", re.IGNORECASE),
        "The model is receiving too many requests right now.",
        "Please wait a moment and send your message again.",
    ),
    (
        re.compile(r"prompt cach|cache.?point", re.IGNORECASE),
        "This model does not support prompt caching.",
        "Please switch prompt caching off, or choose another model.",
    ),
    (
        re.compile(r"too long|context window|maximum.*tokens|token limit|shorten", re.IGNORECASE),
        "The conversation is too long for this model.",
        "Please shorten your message or start a new conversation.",
    ),
    (
        re.compile(r"unsupported|not supported|unknown model|model.*not found|invalid model", re.IGNORECASE),
        "This model cannot handle the request.",
        "Please choose another model.",
    ),
)

_TEXTS: dict[ErrorCode, tuple[str, str]] = {
    ErrorCode.MODEL_ERROR: ("The model could not answer.", "Please try again, or choose another model."),
    ErrorCode.STREAM_ERROR: ("The answer was interrupted.", "Please send your message again."),
    ErrorCode.AGENT_ERROR: ("I could not process your request.", "Please try again in a moment."),
    ErrorCode.TOOL_ERROR: ("One of the tools failed.", "Please try again, or switch the tool off."),
    ErrorCode.SERVICE_UNAVAILABLE: (
        "A service that I depend on is not available right now.",
        "Please try again in a few moments.",
    ),
    ErrorCode.TIMEOUT: ("The request took too long.", "Please try again, perhaps with a shorter message."),
    ErrorCode.RATE_LIMIT_EXCEEDED: ("You are sending messages too quickly.", "Please wait a moment and try again."),
    ErrorCode.QUOTA_EXCEEDED: ("Your usage quota is used up.", "Please contact your administrator."),
    ErrorCode.FORBIDDEN: ("You are not allowed to do this.", "Please contact your administrator."),
    ErrorCode.NOT_FOUND: ("I could not find what was asked for.", "Please check the request and try again."),
}
_DEFAULT_TEXT = ("Something went wrong.", "Please try again. If it happens again, contact your administrator.")
_UNQUOTED = frozenset({ErrorCode.TIMEOUT, ErrorCode.SERVICE_UNAVAILABLE})


def build_conversational_error_event(
    code: ErrorCode,
    error: Exception | str,
    session_id: str | None = None,
    recoverable: bool = False,
    retry_after: int | None = None,
) -> ConversationalErrorEvent:
    """The friendly Markdown form of a failure.

    The text is chosen by `code` and, for model and stream errors, by what `error` says. `error` is quoted in a `>`
    block unless the code is `timeout` or `service_unavailable`, so callers pass a sanitised sentence.
    """
    quoted = str(error).strip()
    headline, suggestion = _TEXTS.get(code, _DEFAULT_TEXT)
    if code in {ErrorCode.MODEL_ERROR, ErrorCode.STREAM_ERROR}:
        # Names of files stand in brackets: what a user called one says nothing of the failure.
        said = re.sub(r"\[[^\]]*\]", "", quoted)
        for pattern, hint, advice in _MODEL_HINTS:
            if pattern.search(said):
                headline, suggestion = hint, advice
                break
    paragraphs = [f"\u26a0\ufe0f **{headline}**"]
    if quoted and code not in _UNQUOTED:
        paragraphs.append("\n".join(f"> {line}" for line in quoted.splitlines()))
    paragraphs.append(suggestion)
    return ConversationalErrorEvent(
        code=code,
        message="\n\n".join(paragraphs),
        recoverable=recoverable,
        retry_after=retry_after,
        metadata={"session_id": session_id} if session_id is not None else None,
    )


def not_found(message: str) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.NOT_FOUND, message=message, detail=message)


def bad_request(message: str, *, field: str | None = None) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.BAD_REQUEST, message=message, detail=message, field=field)


def conflict(message: str) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.CONFLICT, message=message, detail=message)


def forbidden(message: str) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.FORBIDDEN, message=message, detail=message)


def unauthorized(message: str) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.UNAUTHORIZED, message=message, detail=message)


def validation_error(message: str, *, field: str) -> ErrorDetail:
    """A rule that the published request schema does not express; rendered like a schema violation of `field`."""
    return ErrorDetail(
        code=ErrorCode.VALIDATION_ERROR,
        message=message,
        detail=message,
        field=field,
        metadata={"errors": [{"field": field, "message": message, "type": "value_error"}]},
    )


def internal_error(cause: BaseException | None = None, **context: str) -> ErrorDetail:
    """A bug, misconfiguration or corrupt record: generic for the client, `context` says in the log what it was."""
    return ErrorDetail(
        code=ErrorCode.INTERNAL_ERROR, message="An internal error occurred. Please contact your administrator."
    ).caused_by(cause, **context)


def service_unavailable(cause: BaseException | None = None, **context: str) -> ErrorDetail:
    return ErrorDetail(
        code=ErrorCode.SERVICE_UNAVAILABLE,
        message="A service that this request needs is not available. Please try again in a few moments.",
    ).caused_by(cause, **context)


def timed_out(cause: BaseException | None = None, **context: str) -> ErrorDetail:
    return ErrorDetail(
        code=ErrorCode.TIMEOUT, message="A service that this request needs did not answer in time. Please try again."
    ).caused_by(cause, **context)
