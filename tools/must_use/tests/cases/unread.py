"""A Result goes to a name that nobody reads."""

import asyncio
from contextlib import contextmanager
from collections.abc import Iterator

from outcomes import Repository, log, railway, save, save_all, save_async, save_maybe, save_named, save_pair
from returns.result import Result

_ = save()  # E: unused-result


def names(ready: bool) -> None:
    _ = save()  # E: unused-result
    saved = save()  # E: unused-result
    annotated: Result[int, str] = save()  # E: unused-result
    broad: object = save()  # E: unused-result
    several = save_all()  # E: unused-result
    maybe = save_maybe()  # E: unused-result
    chosen = save() if ready else None  # E: unused-result
    pair = (save(), save())  # E: unused-result
    first = second = save()  # E: unused-result
    mapped = save().map(str)  # E: unused-result
    deleted = save()  # E: unused-result
    del deleted
    bare = save()  # E: unused-result
    bare
    again = save()  # E: unused-result
    again = save()  # E: unused-result
    (walrus := save())  # E: unused-result
    [item := save() for _ in range(3)]  # E: unused-result
    early = save()
    _ = early  # E: unused-result


def unpacked() -> None:
    left, right = save(), save()  # E: unused-result
    log(left)
    _, number = save(), 1  # E: unused-result
    log(number)
    count, pair_result = save_pair()  # E: unused-result
    log(count)
    head, *rest = save_all()  # E: unused-result
    log(head)
    *_, last = save_all()  # E: unused-result
    log(last)
    (inner, outer), other = (save(), 1), 2  # E: unused-result
    log(outer, other)
    [listed, kept] = save_all()  # E: unused-result
    log(kept)


@contextmanager
def opened() -> Iterator[Result[int, str]]:
    yield save()


async def asynchronous() -> None:
    _ = await save_async()  # E: unused-result
    saved = await save_async()  # E: unused-result
    coroutine = save_async()  # E: unused-result
    task = asyncio.create_task(save_async())  # E: unused-result
    gathered = await asyncio.gather(save_async(), save_async())  # E: unused-result
    with opened() as result:  # E: unused-result
        log()
    with opened() as used:
        log(used)


def overwritten() -> Result[int, str]:
    result = save()  # E: unused-result
    result = save(2)
    log(result)
    log()
    result = save(3)  # E: unused-result
    log()
    result = save(4)
    return result


def shadowed() -> None:
    result = save()  # E: unused-result

    def inner(result: int) -> int:
        return result

    def other() -> int:
        result = 1
        return result

    log(inner(1), other(), [result for result in range(3)], lambda result: result)


def in_a_class() -> type:
    outer = save()  # E: unused-result

    class Local:
        outer = save()

    return Local


def looped() -> None:
    for number in range(3):
        result = save(number)  # E: unused-result
    while True:
        result = save()  # E: unused-result
        break


@railway
def in_a_railway() -> Result[int, str]:
    checked = save()  # E: unused-result
    return save()
