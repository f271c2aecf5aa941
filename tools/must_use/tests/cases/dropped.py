"""A statement computes a Result, or something that holds one, and drops it."""

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from functools import partial
from typing import AnyStr
from unittest import TestCase

from outcomes import (
    CallableSaver,
    Repository,
    Saver,
    bounded,
    log,
    persist,
    same,
    save,
    save_aliased,
    save_all,
    save_async,
    save_both,
    save_coroutine,
    save_deeply,
    save_each,
    save_future,
    save_impurely,
    save_in_thread,
    save_lazily_aliased,
    save_maybe,
    save_named,
    save_pair,
    save_pair_by_name,
    save_perhaps,
    save_set,
    save_soon,
    save_task,
)
from returns.pipeline import flow, pipe
from returns.pointfree import bind, map_
from returns.result import Failure, Result, Success

save()  # E: unused-result


def calls(repository: Repository, saver: Saver, kind: type[Repository], either: Repository | CallableSaver) -> None:
    save()  # E: unused-result
    save(value=2)  # E: unused-result
    (save())  # E: unused-result
    save().map(str)  # E: unused-result
    save().map(str).bind(Success)  # E: unused-result
    Success(1)  # E: unused-result
    Failure("why")  # E: unused-result
    save_aliased()  # E: unused-result
    save_lazily_aliased()  # E: unused-result
    persist()  # E: unused-result
    repository.store()  # E: unused-result
    repository.saver()  # E: unused-result
    repository.check()  # E: unused-result
    Repository.make()  # E: unused-result
    kind.make()  # E: unused-result
    Repository.store(repository)  # E: unused-result
    saver.store()  # E: unused-result
    CallableSaver()()  # E: unused-result
    CallableSaver().__call__()  # E: unused-result
    if isinstance(either, Repository):
        either.store()  # E: unused-result
    else:
        either()  # E: unused-result
    print(save()), save()  # E: unused-result
    super(Repository, repository).__init__()


def callables(
    saver: Callable[[], Result[int, str]],
    table: dict[str, Callable[[], Result[int, str]]],
    factory: Callable[[], Callable[[], Result[int, str]]],
    maybe: Callable[[], Result[int, str]] | None,
    one: Callable[[], Result[int, str]] | Callable[[], int],
) -> None:
    local = saver
    bound = partial(save, 1)
    short = lambda: save()
    def inner() -> Result[int, str]:
        return save()

    saver()  # E: unused-result
    local()  # E: unused-result
    bound()  # E: unused-result
    partial(save, 1)()  # E: unused-result
    short()  # E: unused-result, no-untyped-call
    (lambda: save())()  # E: unused-result
    inner()  # E: unused-result
    table["first"]()  # E: unused-result
    factory()()  # E: unused-result
    (saver if maybe else local)()  # E: unused-result
    if maybe:
        maybe()  # E: unused-result
    one()  # E: unused-result
    [saver, local][0]()  # E: unused-result


def generics(repository: Repository) -> None:
    same(save())  # E: unused-result
    bounded(save())  # E: unused-result
    same(same)(save())  # E: unused-result
    flow(1, save)  # E: unused-result
    flow(1, save, bind(save), map_(str))  # E: unused-result
    pipe(save, map_(str))(1)  # E: unused-result
    later = pipe(save, map_(str))
    later(1)  # E: unused-result
    Result.do(first + second for first in save() for second in save())  # E: unused-result
    max([save()], key=str)  # E: unused-result
    next(save_each())  # E: unused-result
    dict(first=save())["first"]  # E: unused-result
    repository.state  # E: unused-result
    getattr(repository, "state")


def containers() -> None:
    save_all()  # E: unused-result
    save_pair()  # E: unused-result
    save_set()  # E: unused-result
    save_named()  # E: unused-result
    save_maybe()  # E: unused-result
    save_each()  # E: unused-result
    save_in_thread()  # E: unused-result
    save_both()  # E: unused-result
    save_both()["second"]  # E: unused-result
    save_both()["first"]
    save_pair_by_name()  # E: unused-result
    save_pair_by_name().second  # E: unused-result
    save_pair_by_name().first
    save_impurely()  # E: unused-result
    save_perhaps()  # E: unused-result
    save_deeply()  # E: unused-result
    save_deeply().keys()
    save_deeply().values()  # E: unused-result
    [save_all()]  # E: unused-result
    save_all()[0]  # E: unused-result
    save_all() + save_all()  # E: unused-result
    list(map(save, [1]))  # E: unused-result
    sorted(save_all(), key=str)  # E: unused-result


async def asynchronous(stream: AsyncIterator[Result[int, str]]) -> None:
    await save_async()  # E: unused-result
    (await save_async()).map(str)  # E: unused-result
    save_async()  # E: unused-result, unused-coroutine
    save_coroutine()  # E: unused-result, unused-coroutine
    save_soon()  # E: unused-result
    save_task()  # E: unused-result
    save_future()  # E: unused-result
    await save_task()  # E: unused-result
    await save_future()  # E: unused-result
    await save_soon()  # E: unused-result
    await save_coroutine()  # E: unused-result
    await anext(stream)  # E: unused-result
    save_task().result()  # E: unused-result
    save_in_thread().result()  # E: unused-result
    task = save_task()
    await task  # E: unused-result


def shapes(ready: bool, mapping: Mapping[str, int]) -> None:
    save() if ready else None  # E: unused-result
    save() if ready else persist()  # E: unused-result, unused-result
    None if ready else save()  # E: unused-result
    ready and save()  # E: unused-result
    ready or save()  # E: unused-result
    save() or print()  # E: unused-result
    ready and (save() if ready else log())  # E: unused-result
    [save() for _ in range(3)]  # E: unused-result
    {save() for _ in range(3)}  # E: unused-result
    {name: save() for name in mapping}  # E: unused-result
    (save() for _ in range(3))  # E: unused-result
    [[save() for _ in range(3)] for _ in range(3)]  # E: unused-result
    save(), save()  # E: unused-result
    {"first": save()}  # E: unused-result
    {save()}  # E: unused-result
    [*save_all()]  # E: unused-result
    f"{save()}"  # E: unused-result
    f"{save()} and {save()!r}"  # E: unused-result
    (
        save()  # E: unused-result
        .map(str)
        .map(len)
    )
    if ready:
        save()  # E: unused-result
    elif mapping:
        save()  # E: unused-result
    else:
        save()  # E: unused-result
    for _ in mapping:
        save()  # E: unused-result
    else:
        save()  # E: unused-result
    while len(mapping) > 3:
        save()  # E: unused-result
    with open("file") as file:
        save()  # E: unused-result
    try:
        save()  # E: unused-result
    except ValueError:
        save()  # E: unused-result
    else:
        save()  # E: unused-result
    finally:
        save()  # E: unused-result
    match file:
        case _ if ready:
            save()  # E: unused-result
        case _:
            save()  # E: unused-result


def delegating() -> Generator[int, None, int]:
    def steps() -> Generator[int, None, Result[int, str]]:
        yield 1
        return save()

    steps()  # E: unused-result
    yield from steps()  # E: unused-result
    return 1


def constrained(value: AnyStr) -> AnyStr:
    save()  # E: unused-result
    saved = save()  # E: unused-result
    return value


def sünder(größe: int) -> None:
    "ä"; save(größe)  # E: unused-result


class Holder:
    save()  # E: unused-result

    def method(self) -> None:
        save()  # E: unused-result

        class Inner:
            def method(self) -> None:
                save()  # E: unused-result

    @property
    def value(self) -> int:
        save()  # E: unused-result
        return 1

    @value.setter
    def value(self, new: int) -> None:
        save(new)  # E: unused-result


class ExpectsARaise(TestCase):
    def test_it(self) -> None:
        with self.assertRaises(ValueError):
            save()  # E: unused-result
            save(0)
        with self.assertRaises(ValueError):
            if self.id():
                save()  # E: unused-result
