"""What the cases call: ways to get a Result."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import wraps
from typing import NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar

from returns.io import IO
from returns.maybe import Maybe
from returns.result import Failure, Result, Success
from typing_extensions import TypeAliasType

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Result[int, str])

Outcome = Result[int, str]
LazyOutcome = TypeAliasType("LazyOutcome", Result[int, str])


def railway(function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    return run


def railway_named(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        return railway(function) if name else function

    return decorate


def save(value: int = 1) -> Result[int, str]:
    return Success(value) if value else Failure("no value")


async def save_async(value: int = 1) -> Result[int, str]:
    return save(value)


def save_aliased() -> Outcome:
    return save()


def save_lazily_aliased() -> LazyOutcome:
    return save()


def save_maybe() -> Result[int, str] | None:
    return save()


def save_all() -> list[Result[int, str]]:
    return [save()]


def save_pair() -> tuple[int, Result[int, str]]:
    return 1, save()


def save_set() -> set[Result[int, str]]:
    return {save()}


def save_named() -> dict[str, Result[int, str]]:
    return {"first": save()}


def save_each() -> Iterator[Result[int, str]]:
    yield save()


def save_soon() -> Awaitable[Result[int, str]]:
    return save_async()


def save_coroutine() -> Coroutine[None, None, Result[int, str]]:
    raise NotImplementedError


class Both(TypedDict):
    first: int
    second: Result[int, str]


class Pair(NamedTuple):
    first: int
    second: Result[int, str]


def save_both() -> Both:
    return {"first": 1, "second": save()}


def save_pair_by_name() -> Pair:
    return Pair(1, save())


def save_impurely() -> IO[Result[int, str]]:
    return IO(save())


def save_perhaps() -> Maybe[Result[int, str]]:
    return Maybe.from_value(save())


def save_deeply() -> dict[str, list[Awaitable[tuple[int, Result[int, str] | None]]]]:
    return {}


def save_task() -> asyncio.Task[Result[int, str]]:
    return asyncio.create_task(save_async())


def save_future() -> asyncio.Future[Result[int, str]]:
    return save_task()


def save_in_thread() -> Future[Result[int, str]]:
    return Future()


def same(value: T) -> T:
    return value


def bounded(value: R) -> R:
    return value


def log(*values: object) -> None:
    print(*values)


def call(function: Callable[[], None]) -> None:
    function()


def keep(function: Callable[[], object]) -> object:
    return function


class Saver(Protocol):
    def store(self) -> Result[int, str]: ...


class CallableSaver:
    def __call__(self) -> Result[int, str]:
        return save()


@dataclass
class Repository:
    saver: Callable[[], Result[int, str]]
    last: Result[int, str] | None = None
    history: list[Result[int, str]] | None = None

    def store(self) -> Result[int, str]:
        return save()

    @classmethod
    def make(cls) -> Result["Repository", str]:
        return Success(cls(save))

    @staticmethod
    def check() -> Result[int, str]:
        return save()

    @property
    def state(self) -> Result[int, str]:
        return save()


class Persisted(Result[int, str]):
    """A subclass of a configured result type."""


def persist() -> Persisted:
    return Persisted(1)
