"""Results that are used, or not there at all, where it does not look like it: nothing here is an error."""

import asyncio
import queue
from collections import defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import Future, as_completed
from contextlib import suppress
from typing import Never

from outcomes import Repository, log, save, save_all, save_async, save_maybe, save_named, save_task
from returns.result import Failure, Result, Success


def read_when_the_second_call_raises() -> object:
    with suppress(ValueError):
        result = save()
        result = save(2)
    return result


def read_in_a_handler() -> object:
    result = None
    try:
        result = save()
        result = save(2)
    except ValueError:
        log(result)
    return None


def read_after_a_jump(numbers: Iterable[int]) -> object:
    result = save()
    for number in numbers:
        result = save(number)
        if number > 3:
            break
    return result


def read_in_the_next_round(numbers: Iterable[int]) -> None:
    result = save()
    for number in numbers:
        log(result)
        result = save(number)


def empty_containers() -> object:
    results: set[Result[int, str]] = set()
    named: dict[str, Result[int, str]] = dict()
    listed = list[Result[int, str]]()
    grouped: defaultdict[str, list[Result[int, str]]] = defaultdict(list)
    recent: deque[Result[int, str]] = deque(maxlen=3)
    frozen: frozenset[Result[int, str]] = frozenset()
    waiting: asyncio.Queue[Result[int, str]] = asyncio.Queue()
    return None


class Cache:
    def __init__(self) -> None:
        self.results: dict[str, Result[int, str]] = {}
        self.task: asyncio.Task[Result[int, str]] = save_task()
        self.tasks: list[asyncio.Task[Result[int, str]]] = []

    def has(self, key: str) -> bool:
        try:
            self.results[key]
        except KeyError:
            return False
        with suppress(KeyError):
            self.results[key]
        return True

    def has_last(self) -> bool:
        try:
            self.last
        except AttributeError:
            return False
        return True

    @property
    def last(self) -> Result[int, str]:
        return save()

    def names(self) -> None:
        for name, _ in self.results.items():
            log(name)
        for index, _ in enumerate(self.results.values()):
            log(index)

    async def close(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def close_all(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def outcome(self) -> Result[int, str]:
        await self.task
        return self.task.result()

    async def outcomes(self) -> list[Result[int, str]]:
        await asyncio.gather(*self.tasks)
        return [task.result() for task in self.tasks]


async def tasks_that_others_have() -> object:
    task = save_task()
    log([task])
    await task
    first, second = save_task(), save_task()
    await asyncio.gather(first, second)
    return first.result(), second.result()


async def queues(
    waiting: asyncio.Queue[Result[int, str]], threads: queue.Queue[Result[int, str]], mail: queue.SimpleQueue[Result[int, str]]
) -> None:
    waiting.get_nowait()
    await waiting.get()
    threads.get()
    threads.get_nowait()
    mail.get()


def looked_up(results: dict[str, Result[int, str]]) -> None:
    results.get("first")


def counted(futures: list[Future[Result[int, str]]]) -> int:
    count = 0
    for _ in as_completed(futures):
        count += 1
    return count + len([future.result() for future in futures])


def tested() -> object:
    return (save_maybe() and 1, save_maybe() and None, 1 if save() and save_all() else 0)


def never_fails(result: Result[int, Never]) -> object:
    match result:
        case Success(value) | Failure(value):
            return value


def never_succeeds(result: Result[Never, str]) -> object:
    match result:
        case Failure(error) | Success(error):
            return error


def in_loops(items: list[int]) -> object:
    for item in items:
        result = save(item)
        if result == Success(1):
            return result
    last = save()
    while items:
        items.pop()
        last = last.map(abs)
    return last


def per_round_and_left(items: list[int]) -> object:
    result = None
    for item in items:
        result = save(item)
        break
    return result


def with_an_else(items: list[int], ready: bool) -> object:
    result = save()
    if ready:
        result = save(2)
    return result


def with_defaults(result: Result[int, str] = save()) -> object:
    return result


def finally_without_leaving() -> object:
    try:
        return save()
    finally:
        log()


def in_a_nested_function() -> object:
    try:

        def inner() -> object:
            return save()

        log(inner())
    finally:
        return None


def set_items(results: dict[str, Result[int, str]], repository: Repository) -> None:
    results["first"] = save()
    del results["first"]
    results |= save_named()
    repository.last = save()


def callbacks(futures: list[Future[Result[int, str]]]) -> None:
    for future in futures:
        future.add_done_callback(log)
    log(list(map(save, [1])), list(filter(None, [1])), sorted([1], key=lambda number: -number))


async def awaited_as_a_value() -> object:
    task = asyncio.create_task(save_async())
    log(await task)
    await task
    return None
