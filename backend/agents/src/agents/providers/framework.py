"""The framework's own exceptions as failures. Imports the framework."""

import json
import logging

from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    MaxTokensReachedException,
    ModelThrottledException,
)

from agents.failures import CUT, TOO_LONG, CutStream, RunHalted, described, throttled
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable

# Its warnings quote what models wrote.
logging.getLogger("strands").setLevel(logging.ERROR)


def run_errors(provider: ErrorTable) -> ErrorTable:
    """Everything that a run can fail with, `provider` being the table of its model's library; the rest are bugs."""

    def unwrapped(wrapper: EventLoopException) -> ErrorDetail | None:
        return table.classify(wrapper.original_exception)

    table = provider + ErrorTable.of(
        (RunHalted, lambda halted: halted.error),
        (EventLoopException, unwrapped),
        (ModelThrottledException, lambda e: described(e, throttled(retry_after(e.__cause__)))),
        (ContextWindowOverflowException, lambda e: described(e, TOO_LONG)),
        (MaxTokensReachedException, lambda e: described(e, CUT)),
        (CutStream, lambda e: described(e, service_unavailable())),
        (json.JSONDecodeError, lambda e: described(e, service_unavailable())),
    )
    return table


def retry_after(exception: BaseException | None) -> int | None:
    """The whole seconds of the response's `Retry-After`, where the exception knows its response."""
    headers = getattr(getattr(exception, "response", None), "headers", None) or {}
    value = str(headers.get("retry-after", ""))
    return int(value) if value.isdigit() else None
