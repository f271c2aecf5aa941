"""What a provider's status means for who wants to see its models."""

from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable, timed_out

DEADLINE_SECONDS = 8.5
"""Of a whole listing, whatever number of pages it has."""

DENIED = ErrorDetail(
    code=ErrorCode.MODEL_ERROR, message="The model provider did not accept the credentials of this deployment."
)
THROTTLED = ErrorDetail(code=ErrorCode.MODEL_ERROR, message="The model provider is receiving too many requests.")
REFUSED = ErrorDetail(code=ErrorCode.MODEL_ERROR, message="The model provider refused the request.")


def refusal(status: int, wait: int | None) -> ErrorDetail:
    """`wait` is in seconds."""
    match status:
        case 401 | 403:
            return DENIED
        case 408 | 504:
            return timed_out()
        case 429:
            return THROTTLED.with_recovery(recoverable=True, retry_after=wait)
        case _ if status >= 500:
            return service_unavailable()
        case _:
            return REFUSED


def retry_after(error: Exception) -> int | None:
    """The whole seconds of the response's `Retry-After`, where the exception knows its response."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("retry-after", ""))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
