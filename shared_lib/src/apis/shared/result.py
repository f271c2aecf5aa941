"""Errors as values: the `Result` pipeline that every service of both APIs speaks.

Result[T, ErrorDetail]     what an operation that can fail returns
attempt, attempt_async,    call something that raises; the exceptions of an `ErrorTable` become Failures,
attempt_stream             everything else is a bug and keeps flying
railway                    several steps: `.unwrap()` gives the value or returns the Failure to the caller
require, collect,          `T | None` and many Results to one Result: of values, and of writes
all_done
fold, error_of             one value from either side, the error or None
best_effort                the one way to go on after a Failure
"""

import functools
import inspect
import logging
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypeIs, overload

from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Failure, Result, Success

from apis.shared.errors import ErrorDetail

__all__ = [
    "ErrorTable",
    "Failure",
    "Result",
    "Success",
    "all_done",
    "attempt",
    "attempt_async",
    "attempt_stream",
    "best_effort",
    "collect",
    "error_of",
    "fold",
    "railway",
    "require",
    "suppression_counts",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """Which exceptions of one library are failures, and which `ErrorDetail` each becomes.

    Rows are tried in order. A classifier may answer None: the exception is then not listed after all and stays a bug.
    """

    rows: tuple[tuple[type[Exception], Callable[[Any], ErrorDetail | None]], ...]  # Any: each row has its own type

    @classmethod
    def of(cls, *rows: tuple[type[Exception], Callable[[Any], ErrorDetail | None]]) -> Self:
        return cls(rows)

    def __add__(self, other: "ErrorTable") -> "ErrorTable":
        return ErrorTable(self.rows + other.rows)

    def classify(self, exception: Exception) -> ErrorDetail | None:
        """The failure for `exception`, with the exception attached for the log; None when it is not listed."""
        for kind, describe in self.rows:
            if isinstance(exception, kind):
                error = describe(exception)
                if error is not None:
                    return error if error.cause is not None else error.caused_by(exception)
        return None


def attempt[T](fn: Callable[..., T], /, *args: object, errors: ErrorTable, **kwargs: object) -> Result[T, ErrorDetail]:
    """Call `fn`; an exception that `errors` lists becomes its Failure, any other one is raised on.

    Type checkers cannot combine `errors` with a ParamSpec: pass `functools.partial(fn, ...)` to have arguments checked.
    """
    try:
        return Success(fn(*args, **kwargs))
    except Exception as exception:
        error = errors.classify(exception)
        if error is None:
            raise
        return Failure(error)


async def attempt_async[T](
    fn: Callable[..., Awaitable[T]], /, *args: object, errors: ErrorTable, **kwargs: object
) -> Result[T, ErrorDetail]:
    """`attempt` for a function whose call is awaited. Cancellation is never turned into a Failure."""
    try:
        return Success(await fn(*args, **kwargs))
    except Exception as exception:
        error = errors.classify(exception)
        if error is None:
            raise
        return Failure(error)


async def attempt_stream[T](
    fn: Callable[..., AsyncIterator[T]], /, *args: object, errors: ErrorTable, **kwargs: object
) -> AsyncGenerator[Result[T, ErrorDetail]]:
    """Iterate over what `fn` yields; a listed exception ends the stream with its Failure as the last item.

    The source is closed when the consumer stops early, before this iterator's `aclose()` returns.
    """
    source = fn(*args, **kwargs)
    try:
        try:
            async for item in source:
                yield Success(item)
        except Exception as exception:
            error = errors.classify(exception)
            if error is None:
                raise
            yield Failure(error)
    finally:
        close: Callable[[], Awaitable[None]] | None = getattr(source, "aclose", None)
        if close is not None:
            await close()


@overload
def railway[**P, T](
    fn: Callable[P, Coroutine[Any, Any, Result[T, ErrorDetail]]],
) -> Callable[P, Coroutine[Any, Any, Result[T, ErrorDetail]]]: ...
@overload
def railway[**P, T](fn: Callable[P, Result[T, ErrorDetail]]) -> Callable[P, Result[T, ErrorDetail]]: ...
def railway(fn: Callable[..., Any]) -> Callable[..., Any]:  # Any: the overloads above are the signature
    """Let `.unwrap()` inside `fn` return the Failure to the caller of `fn`, as `?` does in Rust.

    `fn` is a function or coroutine function that returns `Result[T, ErrorDetail]`.
    """
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            try:
                return await fn(*args, **kwargs)
            except UnwrapFailedError as halted:
                return _failure_of(halted)

        return run_async

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except UnwrapFailedError as halted:
            return _failure_of(halted)

    return run


def _failure_of(halted: UnwrapFailedError) -> Any:
    # `.failure()` on a Success halts too, but there is no Failure to hand on: that is a bug of the caller.
    if isinstance(halted.halted_container, Failure):
        return halted.halted_container
    raise halted


def require[T](value: T | None, error: ErrorDetail) -> Result[T, ErrorDetail]:
    return Failure(error) if value is None else Success(value)


def collect[T](results: Iterable[Result[T, ErrorDetail]]) -> Result[list[T], ErrorDetail]:
    """All values in order, or the first Failure."""
    values: list[T] = []
    for result in results:
        match result:
            case Success(value):
                values.append(value)
            case Failure(error):
                return Failure(error)
    return Success(values)


def all_done(results: Iterable[Result[Any, ErrorDetail]], *, what: str) -> Result[None, ErrorDetail]:
    """Writes that were all tried: Success when all were done, else the first Failure; every further one is logged.

    `what` says for the log what was being written.
    """
    errors = [error for result in results if (error := error_of(result)) is not None]
    for further in errors[1:]:
        logger.error(
            "a further write failed",
            extra={"what": what, "code": further.code.value, "context": further.context},
            exc_info=further.cause,
        )
    return Failure(errors[0]) if errors else Success(None)


def error_of(result: Result[Any, ErrorDetail]) -> ErrorDetail | None:  # Any: whatever the value, it is not looked at
    """The error of a Failure, None for a Success."""
    match result:
        case Failure(error):
            return error
        case _:
            return None


def fold[T, R](result: Result[T, ErrorDetail], *, success: Callable[[T], R], failure: Callable[[ErrorDetail], R]) -> R:
    """One value from either side. For an expression; a statement reads better as `match`."""
    match result:
        case Success(value):
            return success(value)
        case Failure(error):
            return failure(error)


class _Suppressions:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, site: str) -> None:
        with self._lock:
            self._counts[site] += 1

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


_suppressions = _Suppressions()


def suppression_counts() -> dict[str, int]:
    """How often each `best_effort` site (`module:function`) went on after a Failure since the process started."""
    return _suppressions.snapshot()


def _is_awaitable[T](
    operation: Result[T, ErrorDetail] | Awaitable[Result[T, ErrorDetail]],
) -> TypeIs[Awaitable[Result[T, ErrorDetail]]]:
    return inspect.isawaitable(operation)


@overload
def best_effort[T, D](operation: Result[T, ErrorDetail], *, reason: str, default: D) -> T | D: ...
@overload
def best_effort[T, D](
    operation: Awaitable[Result[T, ErrorDetail]], *, reason: str, default: D
) -> Coroutine[Any, Any, T | D]: ...
def best_effort[T, D](
    operation: Result[T, ErrorDetail] | Awaitable[Result[T, ErrorDetail]], *, reason: str, default: D
) -> T | D | Coroutine[Any, Any, T | D]:
    """Go on with `default` after a Failure of `operation`, and leave a trace.

    `reason` is a literal sentence that says why the response stays correct and nothing is lost. A Failure is logged
    at WARNING with code and reason and counted (`suppression_counts`). Exceptions are bugs and are not suppressed.
    """
    caller = sys._getframe(1)
    site = f"{caller.f_globals.get('__name__', '?')}:{caller.f_code.co_qualname}"
    if _is_awaitable(operation):
        return _best_effort_async(operation, site, reason, default)
    return _value_or_default(operation, site, reason, default)


async def _best_effort_async[T, D](
    operation: Awaitable[Result[T, ErrorDetail]], site: str, reason: str, default: D
) -> T | D:
    return _value_or_default(await operation, site, reason, default)


def _value_or_default[T, D](result: Result[T, ErrorDetail], site: str, reason: str, default: D) -> T | D:
    match result:
        case Success(value):
            return value
        case Failure(error):
            _suppressions.add(site)
            logger.warning(
                "suppressed failure",
                extra={"site": site, "code": error.code.value, "reason": reason, "context": error.context},
                exc_info=error.cause,
            )
            return default
