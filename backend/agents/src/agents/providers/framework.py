"""Between the framework and the providers: its exceptions as failures, and failures as exceptions that it knows."""

import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, cast

from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    MaxTokensReachedException,
    ModelThrottledException,
)
from strands.types.streaming import StreamEvent

from agents.failures import CUT, MALFORMED, TOO_LONG, CutStream, RunHalted, described, throttled
from agents.providers.answer import Chunk, Ends, normalised, tool_ids
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Success, attempt_stream

# Its warnings quote what models wrote.
logging.getLogger("strands").setLevel(logging.ERROR)


class Throttled(ModelThrottledException):
    """The framework asks again after a pause."""

    def __init__(self, error: ErrorDetail) -> None:
        super().__init__(error.code.value)
        self.error = error


class Overflowed(ContextWindowOverflowException):
    """The framework asks again with a shorter conversation."""

    def __init__(self, error: ErrorDetail) -> None:
        super().__init__(error.code.value)
        self.error = error


def run_errors(provider: ErrorTable) -> ErrorTable:
    """Everything that a run can fail with, `provider` being the table of its model's library; the rest are bugs."""

    def unwrapped(wrapper: EventLoopException) -> ErrorDetail | None:
        return table.classify(wrapper.original_exception)

    table = provider + ErrorTable.of(
        (RunHalted, lambda halted: halted.error),
        (Throttled, lambda e: e.error),
        (Overflowed, lambda e: e.error),
        (EventLoopException, unwrapped),
        (ModelThrottledException, lambda e: described(e, throttled(retry_after(e.__cause__)))),
        (ContextWindowOverflowException, lambda e: described(e, TOO_LONG)),
        (MaxTokensReachedException, lambda e: described(e, CUT)),
        (CutStream, lambda e: described(e, service_unavailable())),
        (json.JSONDecodeError, lambda e: described(e, service_unavailable())),
        # JSON that is nested more deeply than anybody reads: of a chunk, or of a tool's input.
        (RecursionError, lambda e: described(e, MALFORMED)),
    )
    return table


async def answered(
    raw: Callable[[], AsyncGenerator[Chunk]],
    *,
    ends: Ends,
    errors: ErrorTable,
    messages: Iterable[Mapping[str, Any]],
) -> AsyncGenerator[StreamEvent]:
    """A provider's raw chunks, made regular; what fails is raised as what the framework and the run know."""
    chunks = attempt_stream(normalised, raw, ends=ends, taken=list(tool_ids(messages)), errors=run_errors(errors))
    async with aclosing(chunks) as items:
        async for item in items:
            match item:
                case Success(chunk):
                    yield cast("StreamEvent", chunk)  # the step's own chunks are the framework's
                case Failure(error):
                    raise _as_exception(error)


def _as_exception(error: ErrorDetail) -> Exception:
    if error == throttled():
        return Throttled(error)
    return Overflowed(error) if error == TOO_LONG else RunHalted(error)


def retry_after(exception: BaseException | None) -> int | None:
    """The whole seconds of the response's `Retry-After`, where the exception knows its response."""
    headers = getattr(getattr(exception, "response", None), "headers", None) or {}
    value = str(headers.get("retry-after", ""))
    return int(value) if value.isdigit() else None
