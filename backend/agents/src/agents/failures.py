"""What a model provider can do wrong, in sentences for users.

An exception of a provider is never shown and never logged: its text may quote a key or what a user wrote. What an
operator needs is the kind, status and code of the error. The sentences use words from which the chat's error message
picks its advice.
"""

from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable, timed_out

READ_TIMEOUT_SECONDS = 120.0
CONNECT_TIMEOUT_SECONDS = 5.0
MAX_CONNECTIONS = 200


def _model_error(message: str, *, recoverable: bool = False, retry_after: int | None = None) -> ErrorDetail:
    error = ErrorDetail(code=ErrorCode.MODEL_ERROR, message=message)
    return error.with_recovery(recoverable=recoverable, retry_after=retry_after)


NOT_CONFIGURED = ErrorDetail(
    code=ErrorCode.AGENT_ERROR, message="This model is not configured. Please choose another one."
).with_recovery(recoverable=True)
DENIED = _model_error("Access denied: the model may not be used by this deployment.")
UNKNOWN_MODEL = _model_error("The model was not found by its provider.")
UNSUPPORTED = _model_error("The request is not supported by the model.")
NO_CACHING = _model_error("Prompt caching is not supported by the model.")
TOO_LONG = _model_error("The conversation is too long for the model. Please shorten it or start a new one.")
CUT = _model_error(
    "The answer was cut at the token limit. Please shorten the conversation or ask for a shorter answer."
)


def throttled(retry_after: int | None = None) -> ErrorDetail:
    return _model_error("The model is receiving too many requests.", recoverable=True, retry_after=retry_after)


def refused(status: int, text: str, retry_after: int | None = None) -> ErrorDetail:  # noqa: PLR0911 - a table
    """The failure for an HTTP status of a provider; `text` is what the provider says, and is only searched."""
    lowered = text.lower()
    match status:
        case 401 | 403:
            return DENIED
        case 404:
            return UNKNOWN_MODEL
        case 408 | 504:
            return timed_out()
        case 413:
            return TOO_LONG
        case 429:
            return throttled(retry_after)
        case _ if status >= 500:
            return service_unavailable()
        case _ if "cach" in lowered:
            return NO_CACHING
        case _ if "model" in lowered and ("not found" in lowered or "does not exist" in lowered):
            return UNKNOWN_MODEL
        case _:
            return UNSUPPORTED


def described(exception: BaseException, error: ErrorDetail) -> ErrorDetail:
    """The failure with what may be logged of its cause, which itself is left behind."""
    origin = exception.__cause__ or exception
    known = {
        "provider_error": type(origin).__qualname__,
        "provider_status": getattr(origin, "status_code", None),
        "provider_code": _code(origin),
    }
    return error.caused_by(_Quiet(), **{name: str(value) for name, value in known.items() if value})


class _Quiet(Exception):  # noqa: N818 - stands for a provider's exception in the log, without its text
    def __str__(self) -> str:
        return "the model provider failed"


def _code(exception: BaseException) -> object:
    """What the library calls a code: a name, or a status."""
    response = getattr(exception, "response", None)
    if isinstance(response, dict):
        return response.get("Error", {}).get("Code")
    return getattr(exception, "code", None)


class CutStream(Exception):  # noqa: N818 - what happened
    """A stream that ended properly before the answer did."""


class RunHalted(Exception):  # noqa: N818 - not an error of its own: it carries a Failure through the framework
    """Raised inside the framework to end a run with exactly this failure.

    No frozen dataclass: context managers on the way assign `__traceback__`.
    """

    def __init__(self, error: ErrorDetail) -> None:
        super().__init__(error.code.value)
        self.error = error
