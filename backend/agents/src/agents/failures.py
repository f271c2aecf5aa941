"""What a model provider can do wrong, in sentences for users.

An exception of a provider is never shown and never logged: its text may quote a key or what a user wrote. What an
operator needs is the kind, status and code of the error. The sentences use words from which the chat's error message
picks its advice.
"""

import re

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
BAD_SETTING = _model_error("A setting of this request is not supported by the model.")
NO_CACHING = _model_error("Prompt caching is not supported by the model.")
TOO_LONG = _model_error("The conversation is too long for the model. Please shorten it or start a new one.")
CUT = _model_error(
    "The answer was cut at the token limit. Please shorten the conversation or ask for a shorter answer."
)
STOPPED = _model_error(
    "The model stopped before its answer was complete. Please send your message again.", recoverable=True
)
MALFORMED = _model_error(
    "The model asked for a tool in a way that cannot be read. Please send your message again.", recoverable=True
)
FILTERED = _model_error("The answer was stopped by the content filter of the model's provider.")
REFUSED_BY_FILTER = _model_error("The message was refused by the content filter of the model's provider.")
FILE_REFUSED = _model_error("The model cannot read one of the files of this conversation.")
LIMIT_REACHED = ErrorDetail(
    code=ErrorCode.AGENT_ERROR,
    message="The limit of model calls for one message was reached, so the answer was stopped before it was complete.",
).with_recovery(recoverable=False)

# What servers say when a conversation is longer than their model can read, whatever status they say it with.
_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|context_window_exceeded|context size has been exceeded"
    r"|exceeds? (?:the|your|this model's)?\s*(?:available |maximum )?context|exceeds? context limit"
    r"|(?:prompt|input|request|context|conversation) is too long|prompt too long|context (?:length|window)"
    r"|maximum prompt length|too many (?:input |prompt |total )?tokens|too many total text bytes|max_model_len"
    r"|exceeds the maximum number of (?:input )?tokens|exceed(?:s|ed)?(?: customer)? model maximum"
    r"|reduce the length of (?:the|your) (?:messages|prompt|input)|longer than the (?:model's )?context"
)
_THROTTLED = re.compile(r"rate.limit|too many requests")
_FILE = re.compile(
    r"image|picture|vision|multimodal|document|\bpdf\b|\bfiles?\b|attachment|media.?type|mime|inline_?data"
)
_SETTING = re.compile(r"temperature|max_tokens|max_completion_tokens|maxtokens|top_p|topp|parameter")
_IMAGE = re.compile(r"image|picture|vision")
_DOCUMENT = re.compile(r"document|\bpdf\b|\bfiles?\b")
_PLACE = re.compile(r"messages\.(\d+)\.content\.(\d+)")


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
        case _ if _THROTTLED.search(lowered):
            return throttled(retry_after)
        case _ if _OVERFLOW.search(lowered):
            return TOO_LONG
        case _ if status >= 500:
            return service_unavailable()
        case _:
            return _not_supported(lowered)


def _not_supported(lowered: str) -> ErrorDetail:
    if "cach" in lowered:
        return NO_CACHING
    if "model" in lowered and ("not found" in lowered or "does not exist" in lowered):
        return UNKNOWN_MODEL
    if _FILE.search(lowered):
        return _file_refused(lowered)
    return BAD_SETTING if _SETTING.search(lowered) else UNSUPPORTED


def _file_refused(lowered: str) -> ErrorDetail:
    """With what the provider says about which file it is."""
    place = _PLACE.search(lowered)
    image, document = bool(_IMAGE.search(lowered)), bool(_DOCUMENT.search(lowered))
    kind = "image" if image and not document else "document" if document and not image else ""
    return FILE_REFUSED.caused_by(None, file_kind=kind, file_place=".".join(place.groups()) if place else "")


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
