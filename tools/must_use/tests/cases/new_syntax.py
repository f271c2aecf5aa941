"""Type aliases and type parameters of Python 3.12."""

from collections.abc import Callable

from outcomes import log, save
from returns.result import Failure, Result, Success
from typing_extensions import assert_type

type Outcome[T] = Result[T, str]
type Many = list[Outcome[int]]
type Nested = list[Nested] | Outcome[int]


def aliased() -> Outcome[int]:
    return save()


def many() -> Many:
    return [save()]


def recursive() -> Nested:
    return save()


def generic[T](value: T) -> Outcome[T]:
    aliased()  # E: unused-result
    many()  # E: unused-result
    recursive()  # E: unused-result
    generic(value)  # E: unused-result
    unread = generic(1)  # E: unused-result
    return Success(value)


def constrained[T: (int, str)](value: T, run: Callable[[], Outcome[T]]) -> T:
    run()  # E: unused-result
    unread = run()  # E: unused-result
    first, second = run(), run()  # E: unused-result
    log(first)
    match run():
        case Success(saved):
            return saved
        case Failure(text):
            log(assert_type(text, str))
            return value


def bounded[R: Outcome[int]](result: R, make: Callable[[], R]) -> R:
    make()  # E: unused-result
    unread = make()  # E: unused-result
    return result


class Store[T]:
    type Saved = Outcome[int]

    def save(self, value: T) -> Outcome[T]:
        self.save(value)  # E: unused-result
        return Success(value)

    def all(self) -> Saved:
        self.save
        return save()


def late[T](store: Store[T], value: T) -> None:
    store.save(value)  # E: unused-result
    store.all()  # E: unused-result
    store.save(value).map(str)  # E: unused-result
