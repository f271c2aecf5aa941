"""Ways to drop a Result that are easy to overlook: each marked line is one."""

import asyncio
import atexit
import signal
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from multiprocessing.pool import ThreadPool
from types import TracebackType
from typing import Annotated, NewType, Self, cast
from unittest import TestCase

from outcomes import Repository, log, save, save_all, save_async, save_each, save_maybe, save_named, save_pair
from returns.context import (
    RequiresContext,
    RequiresContextFutureResult,
    RequiresContextIOResult,
    RequiresContextResult,
)
from returns.functions import tap
from returns.pipeline import flow, is_successful
from returns.result import Failure, Result, Success

Saved = NewType("Saved", Success[int])


class Box:
    """Every special method tells how it went, and Python listens to none of them."""

    def __setitem__(self, key: str, value: int) -> Result[None, str]:
        return Success(None)

    def __delitem__(self, key: str) -> Result[None, str]:
        return Success(None)

    def __lt__(self, other: "Box") -> Result[bool, str]:
        return Success(True)

    def __add__(self, other: "Box") -> Result[int, str]:
        return save()

    def __neg__(self) -> Result[int, str]:
        return save()

    def __enter__(self) -> Result[int, str]:
        return save()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    async def __aenter__(self) -> Result[int, str]:
        return save()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        pass

    def __getitem__(self, key: str) -> Result[int, str]:
        return save()

    def store(self) -> Self:
        return self


def special_methods(box: Box) -> None:
    box["first"] = 1  # E: unused-result
    box["first"], box["second"] = 1, 2  # E: unused-result
    other = box["first"] = 1  # E: unused-result
    del box["first"]  # E: unused-result
    del box["first"], box["second"]  # E: unused-result
    box < box  # E: unused-result
    box + box  # E: unused-result
    -box  # E: unused-result
    box["first"]  # E: unused-result
    with box:  # E: unused-result
        log(other)
    with nullcontext(save()):  # E: unused-result
        log()


async def special_methods_async(box: Box) -> None:
    async with box:  # E: unused-result
        log()
    async with box as entered:  # E: unused-result
        log()


@contextmanager
def opened() -> Iterator[Result[int, str]]:
    yield save()


@asynccontextmanager
async def opened_async() -> AsyncIterator[Result[int, str]]:
    yield save()


async def managers() -> None:
    with opened():  # E: unused-result
        log()
    async with opened_async():  # E: unused-result
        log()
    with ExitStack() as stack:
        stack.enter_context(opened())  # E: unused-result
    async with AsyncExitStack() as stack_async:
        await stack_async.enter_async_context(opened_async())  # E: unused-result


def starred() -> object:
    *_, last = save(), save(), 1  # E: unused-result
    first, *rest = 1, save()  # E: unused-result
    *gone, kept = *[1], save(), 2  # E: unused-result
    c, d = *[1], save()  # E: unused-result
    e, f = save(), *[1]  # E: unused-result
    (*g,) = save(), save()  # E: unused-result
    h, (i, *j) = 1, (2, *save_all())  # E: unused-result
    return last, first, kept, c, f, h, i


def picked(number: int) -> object:
    log((save(), 1)[1])  # E: unused-result
    log([save(), 1][-1])  # E: unused-result
    log({"gone": save(), "kept": 1}["kept"])  # E: unused-result
    log(lambda: (save(), number)[1])  # E: unused-result
    kept = (save(), save())[0]  # E: unused-result
    return (save(), kept)[1]  # E: unused-result


async def comprehensions(stream: AsyncIterator[int]) -> None:
    [save() async for _ in stream]  # E: unused-result
    {save() async for _ in stream}  # E: unused-result
    {item: save() async for item in stream}  # E: unused-result
    (save() async for _ in stream)  # E: unused-result
    [await save_async() for _ in range(3)]  # E: unused-result
    [await save_async() async for _ in stream]  # E: unused-result
    [(await save_async(), item) async for item in stream]  # E: unused-result


def contexts() -> RequiresContext[Result[int, str], str]:
    return RequiresContext(lambda _: save())


def reader() -> RequiresContextResult[int, str, str]:
    return RequiresContextResult(lambda _: save())


def reader_io() -> RequiresContextIOResult[int, str, str]:
    return RequiresContextIOResult.from_value(1)


def reader_future() -> RequiresContextFutureResult[int, str, str]:
    return RequiresContextFutureResult.from_value(1)


def with_dependencies() -> None:
    contexts()  # E: unused-result
    contexts()("settings")  # E: unused-result
    reader()  # E: unused-result
    reader()("settings")  # E: unused-result
    reader_io()  # E: unused-result
    reader_future()  # E: unused-result
    reader().map(str)  # E: unused-result
    unread = reader()  # E: unused-result


def tapped(number: int) -> object:
    log(flow(number, tap(save)))  # E: unused-result
    log(flow(number, tap(lambda _: save())))  # E: unused-result
    return Success(1).map(tap(lambda value: save(value)))  # E: unused-result


def not_called(repository: Repository) -> None:
    save().value_or  # E: unused-result
    repository.store().map  # E: unused-result
    unread = save().map  # E: unused-result
    (save().alt)  # E: unused-result


def only_asked(repository: Repository) -> None:
    is_successful(save())  # E: unused-result
    isinstance(save(), Success)  # E: unused-result
    bool(save())  # E: unused-result
    str(save())  # E: unused-result
    not save()  # E: unused-result
    not is_successful(repository.store())  # E: unused-result
    save() == Success(1)  # E: unused-result
    save() is None  # E: unused-result
    unread = is_successful(save())  # E: unused-result
    cast(Result[object, str], save())  # E: unused-result


def cleaned() -> Result[int, str]:
    return save()


class Resource:
    def close(self) -> Result[int, str]:
        return save()


def callbacks(resource: Resource, stack: ExitStack, number: int) -> None:
    atexit.register(cleaned)  # E: unused-result
    atexit.register(resource.close)  # E: unused-result
    atexit.register(lambda: save())  # E: unused-result
    signal.signal(signal.SIGTERM, lambda *_: save())  # E: unused-result
    weakref.finalize(resource, cleaned)  # E: unused-result
    weakref.finalize(resource, save, number)  # E: unused-result
    stack.callback(cleaned)  # E: unused-result
    stack.callback(save, number)  # E: unused-result
    threading.Thread(target=cleaned).start()  # E: unused-result
    threading.Thread(target=partial(save, number)).start()  # E: unused-result
    threading.Timer(1, cleaned).start()  # E: unused-result
    log(list(filter(save, [1, 2])))  # E: unused-result
    for kept in filter(lambda item: save(item), [1, 2]):  # E: unused-result
        log(kept)
    ThreadPool().apply_async(cleaned)  # E: unused-result


@atexit.register  # E: unused-result
def at_exit() -> Result[int, str]:
    return save()


async def callbacks_async() -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(cleaned)  # E: unused-result
    loop.call_later(1, partial(save, 1))  # E: unused-result
    loop.add_signal_handler(signal.SIGTERM, cleaned)  # E: unused-result
    task = asyncio.create_task(save_async())
    task.add_done_callback(lambda done: done.result())  # E: unused-result
    async with AsyncExitStack() as stack:
        stack.push_async_callback(save_async)  # E: unused-result
    log(await task)


class Cleaning(TestCase):
    def setUp(self) -> None:
        self.addCleanup(cleaned)  # E: unused-result


def rounds(numbers: Iterable[int]) -> object:
    last = None
    for number in numbers:
        last = save(number)  # E: unused-result
    return last


def ignored_items(count: int) -> None:
    for _ in save_all():  # E: unused-result
        log(count)
    for index, _ in enumerate(save_each()):  # E: unused-result
        log(index)
    for name, _ in save_named().items():  # E: unused-result
        log(name)
    for number, unread in [save_pair()]:  # E: unused-result
        log(number)


async def ignored_items_async(stream: Callable[[], AsyncIterator[Result[int, str]]]) -> None:
    async for _ in stream():  # E: unused-result
        log()


def steps() -> Generator[int, None, Result[int, str]]:
    yield 1
    return save()


def lost_returns() -> Iterator[int]:
    for step in steps():  # E: unused-result
        log(step)
    log([step for step in steps()])  # E: unused-result
    yield from steps()  # E: unused-result
    unread = yield from steps()  # E: unused-result


def overwritten_after_a_branch(ready: bool) -> object:
    result = save()  # E: unused-result
    if ready:
        log()
    result = save(2)
    return result


def overwritten_in_each_branch(ready: bool) -> object:
    result = save()  # E: unused-result
    if ready:
        result = save(2)
    else:
        result = save(3)
    return result


def overwritten_behind_the_branch(ready: bool) -> object:
    if ready:
        result = save()  # E: unused-result
    result = save(2)
    return result


def left_before_it_is_read(ready: bool) -> object:
    result = save()
    log(result)
    if ready:
        result = save(2)  # E: unused-result
        return None
    result = save(3)  # E: unused-result
    result, other = save(4), 1
    return result, other


def never_read_again() -> None:
    result = save()
    log(result)
    result = save(2)  # E: unused-result


def overwritten_in_a_with(lock: threading.Lock) -> object:
    with lock:
        result = save()  # E: unused-result
        result = save(2)
    return result


def always_true() -> object:
    log(save() and 1)  # E: unused-result
    unread = save() and None  # E: unused-result
    return save() and None  # E: unused-result


def by_default(result: Result[int, str] = save()) -> None:  # E: unused-result
    log()


def lost_to_finally(ready: bool) -> object:
    try:
        return save()  # E: unused-result
    finally:
        return None


def lost_to_finally_in_a_handler() -> object:
    for _ in range(3):
        try:
            log()
        except ValueError:
            return save()  # E: unused-result
        finally:
            continue
    return None


def matched_by_nothing() -> None:
    match save():  # E: unused-result
        case _:
            log()


class Sub(Repository):
    def store(self) -> Result[int, str]:
        super().store()  # E: unused-result
        type(self).check()  # E: unused-result
        return save()


def typed(annotated: Callable[[], Annotated[Result[int, str], "text"]], named: Callable[[], Saved]) -> None:
    annotated()  # E: unused-result
    named()  # E: unused-result
