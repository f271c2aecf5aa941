"""`.unwrap()` and `.failure()` belong into a railway function."""

import asyncio
from collections.abc import Callable, Iterator

import outcomes
from outcomes import R, Repository, log, railway, railway_named, save, save_all, save_async, save_maybe
from outcomes import railway as rails
from returns.maybe import Maybe
from returns.result import Result, Success

at_module_level = save().unwrap()  # E: unwrap-outside-railway


def outside(repository: Repository, either: Result[int, str] | Result[str, int], bounded: R) -> int:
    save().unwrap()  # E: unwrap-outside-railway
    save().failure()  # E: unwrap-outside-railway
    repository.store().map(str).unwrap()  # E: unwrap-outside-railway
    log(outcomes.persist().unwrap())  # E: unwrap-outside-railway
    log(either.unwrap())  # E: unwrap-outside-railway
    log(bounded.unwrap())  # E: unwrap-outside-railway
    log(Result.unwrap(save()))  # E: unwrap-outside-railway
    log([item.unwrap() for item in save_all()])  # E: unwrap-outside-railway
    log(lambda: save().unwrap())  # E: unwrap-outside-railway
    log(f"{save().unwrap()}")  # E: unwrap-outside-railway
    maybe = save_maybe()
    if maybe:
        log(maybe.unwrap())  # E: unwrap-outside-railway
    if save().unwrap() == 1:  # E: unwrap-outside-railway
        return 1
    return save().unwrap()  # E: unwrap-outside-railway


async def outside_async() -> int:
    log((await save_async()).unwrap())  # E: unwrap-outside-railway
    for result in await asyncio.gather(save_async(), save_async()):
        log(result.unwrap())  # E: unwrap-outside-railway
    return (await save_async()).failure()  # type: ignore[return-value]  # E: unwrap-outside-railway


@railway
def inside() -> Result[int, str]:
    save().unwrap()
    log([item.unwrap() for item in save_all()], {item.unwrap() for item in save_all()})
    log(sum(item.unwrap() for item in save_all()), *(item.unwrap() for item in save_all()))
    for number in (item.unwrap() for item in save_all()):
        log(number)
    with open(str(save().unwrap())) as file:
        log(file)
    value: int = save().unwrap() if save().unwrap() else save().unwrap()
    return Success(save().unwrap() + value)


@railway
async def inside_async() -> Result[int, str]:
    return Success((await save_async()).unwrap())


@rails
def inside_by_another_name() -> Result[int, str]:
    return Success(save().unwrap())


@outcomes.railway
def inside_by_module() -> Result[int, str]:
    return Success(save().unwrap())


@railway_named("with arguments")
def inside_with_arguments() -> Result[int, str]:
    return Success(save().unwrap())


def other_decorator(function: Callable[[], int]) -> Callable[[], int]:
    return function


@other_decorator
def decorated_otherwise() -> int:
    return save().unwrap()  # E: unwrap-outside-railway


@railway
def nested() -> Result[int, str]:
    def helper() -> int:
        return save().unwrap()  # E: unwrap-outside-railway

    @railway
    def own() -> Result[int, str]:
        return Success(save().unwrap())

    later = (item.unwrap() for item in save_all())  # E: unwrap-outside-railway
    log(later, own())
    return save().map(lambda value: value + save().unwrap() + helper())  # E: unwrap-outside-railway


def around() -> None:
    @railway
    def own() -> Result[int, str]:
        return Success(save().unwrap())

    log(own())


@railway
def lazily() -> Iterator[int]:
    return (item.unwrap() for item in save_all())  # E: unwrap-outside-railway


class Service:
    @railway
    def method(self) -> Result[int, str]:
        return Success(save().unwrap())

    @staticmethod
    @railway
    def static() -> Result[int, str]:
        return Success(save().unwrap())

    @classmethod
    @railway
    def made(cls) -> Result[int, str]:
        return Success(save().unwrap())

    def outside(self) -> int:
        return save().unwrap()  # E: unwrap-outside-railway


class Other:
    def unwrap(self) -> int:
        return 1

    def failure(self) -> int:
        return 2


def no_results(other: Other) -> int:
    return other.unwrap() + other.failure() + Maybe.from_value(1).unwrap()
