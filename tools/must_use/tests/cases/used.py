"""Every way to use a Result: nothing here is an error."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest import TestCase
from typing import Any, AnyStr, Protocol, overload

from outcomes import (
    Repository,
    keep,
    log,
    railway,
    same,
    save,
    save_all,
    save_async,
    save_each,
    save_maybe,
    save_named,
    save_pair,
    save_task,
)
from returns.result import Failure, Result, Success
from typing_extensions import assert_type, reveal_type

exported = save()
first, second = save(), save()
exported_later: Result[int, str]
exported_later = save()
for exported_in_a_loop in save_all():
    pass


def returned() -> Result[int, str]:
    return save()


def returned_name() -> Result[int, str]:
    result = save()
    return result


def returned_chain(ready: bool) -> Result[str, str]:
    return save().map(str) if ready else save().map(str).alt(str)


def yielded() -> Iterator[Result[int, str]]:
    yield save()
    yield from save_each()
    yield from [save() for _ in range(3)]


def yielded_as_value() -> Generator[Result[int, str], Result[int, str], None]:
    received = yield save()
    log(received)
    yield save()


async def yielded_async() -> AsyncIterator[Result[int, str]]:
    yield await save_async()


def passed(repository: Repository, ready: bool) -> None:
    log(save())
    log(*save_all()) if ready else None
    log([save()], {"result": save()}, (save(),))
    same(log)(save())
    print(f"{save()}")
    repository.history = [save()]
    result = save()
    log(result)
    other = save()
    log(f"{other}")
    third = save()
    log((lambda: third)())


def stored(repository: Repository, results: list[Result[int, str]], table: dict[str, Result[int, str]]) -> None:
    repository.last = save()
    results[0] = save()
    table["first"] = save()
    results.append(save())
    results.extend(save_all())
    results += save_all()
    results[1:] = save_all()
    table |= save_named()
    table.update(first=save())
    table.setdefault("first", save())
    grouped: dict[str, list[Result[int, str]]] = {}
    grouped.setdefault("first", []).append(save())
    grouped.setdefault("second", [])
    results.insert(0, save())
    setattr(repository, "last", save())
    repository.last, results[0] = save(), save()
    repository.last = results[0] = save()
    local = repository.last = save()
    queue: deque[Result[int, str]] = deque([save()])
    queue.append(save())
    collected = []
    for _ in range(3):
        collected.append(save())
    print(len(collected))
    started: list[Result[int, str]] = []


def taken_out(tasks: dict[str, asyncio.Task[Result[int, str]]], queue: deque[Result[int, str]]) -> None:
    tasks.pop("first", None)
    tasks.popitem()
    queue.popleft()
    _ = tasks.pop("second")
    del tasks["third"]
    tasks.clear()


def matched() -> int:
    match save():
        case Success(value):
            return value
        case Failure(_):
            return 0
        case _:
            pass
    match save():
        case Success() as whole:
            print("saved")
    match save_all():
        case [first, *rest]:
            print("some")
    result = save()
    match result:
        case Success(value):
            return value
        case other:
            return 1


def iterated() -> int:
    count = 0
    for result in save_all():
        log(result)
    for _ in save_all():  # E: unused-result
        count += 1
    for name, result in save_named().items():
        log(name)
    for index, _ in enumerate(save_each()):  # E: unused-result
        count += index
    print([result for result in save_all()], any(result == save() for result in save_all()))
    return count + len([1 for _ in save_all()]) + sum(1 for _ in save_all())


async def iterated_async(stream: AsyncIterator[Result[int, str]]) -> list[Result[int, str]]:
    async for result in stream:
        log(result)
    async for _ in stream:
        print("event")
    return [result async for result in stream]


def compared(ready: bool) -> bool:
    result = save()
    if result == save():
        return True
    if save() != Success(1):
        return False
    if (inner := save()) == Success(1):
        return bool(inner)
    if (unread := save()) == Success(1):
        return False
    while save() == Success(1):
        break
    assert save() == Success(1)
    return save() in save_all() or isinstance(save(), Success) or (ready and save() is not None)


def narrowed() -> int:
    result = save()
    if isinstance(result, Success):
        return 1
    maybe = save_maybe()
    return 0 if maybe is None else 1


def read_on_some_paths(ready: bool, items: list[int]) -> Result[int, str] | None:
    result = save()
    if ready:
        return result
    other = None
    if items:
        other = save()
    else:
        other = save(2)
    try:
        tried = save()
        tried = save(3)
    except ValueError:
        tried = save(4)
    log(tried)
    last: Result[int, str] | None = None
    for item in items:
        log(last)
        last = save(item)
    current = save()
    while len(items) > 3:
        log(current)
        current = save()
    with ExitStack() as stack:
        stack.callback(log)
        managed = save()
    log(managed)
    return other


def overwritten_after_reading(ready: bool) -> Result[int, str]:
    result = save()
    result = result.map(abs)
    if ready:
        result = save()
    result = save() if result == Success(1) else result
    return result


def closed_over() -> Callable[[], Result[int, str]]:
    result = save()

    def inner() -> Result[int, str]:
        return result

    return inner


def closed_over_by_others() -> list[object]:
    by_lambda = save()
    by_class = save()
    by_method = save()
    by_default = save()
    by_comprehension = save()
    by_decorator = save()
    nested = save()

    class Local:
        value = by_class

        def method(self) -> Result[int, str]:
            return by_method

    @keep_with(by_decorator)
    def with_default(value: Result[int, str] = by_default) -> Result[int, str]:
        def deeper() -> Result[int, str]:
            return nested

        return deeper() if value == Success(1) else value

    return [lambda: by_lambda, Local, with_default, [by_comprehension for _ in range(3)]]


def keep_with(result: Result[int, str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    log(result)
    return lambda function: function


total = save()


def shared() -> Callable[[], None]:
    global total
    total = save()
    count = save()

    def replace() -> None:
        nonlocal count
        count = save()

    log(count)
    return replace


def read_by_name() -> dict[str, object]:
    result = save()
    return locals()


def deleted() -> None:
    result = save()
    log(result)
    del result


async def concurrent(ready: bool) -> None:
    log(await save_async())
    tasks = [asyncio.create_task(save_async()) for _ in range(3)]
    results = await asyncio.gather(*tasks)
    for result in results:
        log(result)
    waiting = {save_task(), save_task()}
    await asyncio.wait(waiting)
    done, pending = await asyncio.wait(waiting, timeout=1)
    _, late = await asyncio.wait(waiting, timeout=1)
    log(done, late)
    for task in waiting:
        log(task.result())
    async with asyncio.TaskGroup() as group:
        one = group.create_task(save_async())
        two = group.create_task(save_async())
    log(one.result(), two.result())
    tasks.append(asyncio.create_task(save_async()))
    task = asyncio.create_task(save_async())
    task.add_done_callback(log)
    task.cancel()
    (await save_async()).map(str).value_or("none")
    save().value_or(0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(save_async)  # E: unused-result
    first, second = await asyncio.gather(save_async(), save_async())
    log(first if ready else second)
    await asyncio.sleep(1)


def in_threads() -> None:
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(save) for _ in range(3)]
        wait(futures)
        for future in futures:
            log(future.result())


async def conditional(ready: bool, awaitable: Awaitable[Result[int, str]]) -> None:
    result = save()
    result and print()
    awaited = await awaitable
    print() if awaited else None
    asserted = save()
    assert asserted
    print() if save() else None


class Stored:
    shared = save()
    _private = save()

    def __init__(self) -> None:
        self.result = save()
        self.results: list[Result[int, str]] = [save() for _ in range(3)]

    def __enter__(self) -> Result[int, str]:
        return self.result

    def __exit__(self, *exception: object) -> None:
        self.result = save()

    @property
    def value(self) -> Result[int, str]:
        return self.result


@dataclass
class Record:
    result: Result[int, str] = field(default_factory=save)
    default: Result[int, str] = save()


class Contract(Protocol):
    def store(self) -> Result[int, str]: ...

    async def load(self) -> Result[int, str]: ...


@overload
def overloaded(value: int) -> Result[int, str]: ...
@overload
def overloaded(value: str) -> Result[str, str]: ...
def overloaded(value: int | str) -> Result[int, str] | Result[str, str]:
    if isinstance(value, int):
        return save(value)
    return Success(value)


def documented() -> Result[int, str]:
    """The body is this text and an error."""
    raise NotImplementedError


def raised() -> None:
    raise ValueError(save())


def constrained(value: AnyStr) -> AnyStr:
    result = save()
    log(result, value)
    return value


def with_stores() -> None:
    with Stored() as result:
        log(result)
    with Stored():  # E: unused-result
        pass
    with Stored() as outer, Stored() as inner:
        log(outer, inner)


@contextmanager
def managed() -> Iterator[Result[int, str]]:
    result = save()
    yield result
    log(result)


def asked_the_checker() -> None:
    assert_type(save(), Result[int, str])


def not_results(text: str, number: int) -> None:
    text.upper()
    number.conjugate()
    number.real
    text
    len(text)
    [text for _ in text]
    unused = text.upper()
    save().value_or(1)
    save().map(str).value_or("")
    print(save())
    5 .conjugate()
    ...


def decorated() -> Callable[..., Any]:
    @railway
    def inner() -> Result[int, str]:
        result = save()
        return result.map(abs)

    return inner


class ExpectsARaise(TestCase):
    def test_it(self) -> None:
        with self.assertRaises(ValueError):
            save()
        with Stored(), self.assertRaisesRegex(ValueError, "why"):  # E: unused-result
            log("first")
            save()
        with self.assertRaises(ValueError):
            result = save()
