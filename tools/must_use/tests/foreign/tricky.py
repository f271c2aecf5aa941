"""Code with errors of its own, of the kinds that an added statement or a second look at an expression could change."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import AnyStr, Generic, NamedTuple, NoReturn, Protocol, TypedDict, TypeVar, overload

T = TypeVar("T")


class Outcome(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value

    def unwrap(self) -> T:
        return self.value

    def failure(self) -> str:
        return ""


def number() -> int:
    return 1


def outcome() -> Outcome[int]:
    return Outcome(1)


def overloads(names: Callable[[], Outcome[dict[str, str]]]) -> int:
    total: int = sum([outcome().unwrap()])
    wrong: str = sum([outcome().unwrap()])
    takes(names().unwrap() | {"k": "v"})
    takes(names().unwrap() | {"k": 1})
    number(), number()
    return sum([total, outcome().unwrap()])


def takes(names: dict[str, str]) -> None:
    print(names)


def partial_types() -> list[int]:
    found = []
    found.append(number())
    table = {}
    number()
    empty = []
    return found.append(number())


def deferred() -> int:
    number()
    return LATER.real + LATER.wrong


LATER = number()


class Pair(NamedTuple):
    first: int = number()
    second: Callable[[], int] = lambda: number()


class Both(TypedDict):
    first: int
    second: str


class Color(Enum):
    RED = number()
    GREEN = [number() for _ in range(3)][0]
    _ = number()


@dataclass
class Record:
    first: int = number()
    second: str = number()
    number()


class Contract(Protocol):
    def empty(self) -> int: ...

    def by_default(self, value: int = number()) -> int: ...


class Abstract(ABC):
    @abstractmethod
    def empty(self, value: int = number()) -> int:
        raise NotImplementedError(number())

    def not_empty(self, value: int = number()) -> int:
        pass


class Concrete(Abstract):
    def empty(self, value: int = number()) -> int:
        return super().empty(value)


def leave() -> NoReturn:
    number()
    sys.exit(number())


def after_leaving() -> int:
    number()
    leave()
    number()


def last_is_leaving() -> int:
    number()
    leave()


def unreachable(value: int) -> int:
    number()
    if isinstance(value, str):
        number()
    if not isinstance(value, int):
        return "unreachable"
    while True:
        number()
    return number()


def missing_return(value: int) -> int:
    if value:
        number()
        return number()
    number()


@overload
def doubled(value: int) -> int: ...
@overload
def doubled(value: str) -> str: ...
def doubled(value: int | str) -> int | str:
    number()
    return value * 2


def constrained(text: AnyStr) -> AnyStr:
    number()
    return text + 1


def generators() -> Iterator[int]:
    received = yield number()
    _ = yield from generators()
    for _ in generators():
        number()
    return number()


def narrowed(value: int | str | None) -> int:
    number()
    if value is None:
        return number()
    number()
    reveal_type(value)
    return value


def walrus() -> str:
    number()
    return (found := number()) and found


def lambdas() -> Callable[[int], int]:
    return lambda value: value.wrong or number() and outcome().unwrap()


def matched(value: int | str) -> int:
    match value:
        case int():
            number()
        case str() if number():
            return value
    number()


def tried() -> str:
    try:
        number()
        return number()
    except ValueError as error:
        number()
        print(error.wrong)
    finally:
        number()


def ignored() -> None:
    takes({})  # type: ignore[call-arg]
    takes(3)  # type: ignore[arg-type]


if number():
    number()
else:
    undefined()
number()
