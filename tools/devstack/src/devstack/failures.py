"""Failures of the stack itself: a sentence for the terminal."""

from apis.shared.errors import ErrorCode, ErrorDetail


def refusal(message: str) -> ErrorDetail:
    """The stack, or a part of it, cannot start or go on; `message` says why and what to do."""
    return ErrorDetail(code=ErrorCode.SERVICE_UNAVAILABLE, message=message)
