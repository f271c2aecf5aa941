"""`.unwrap()` and `.failure()` where a test has shown that they cannot raise."""

import sys
from collections.abc import Callable, Iterable

from outcomes import log, save, save_all
from returns.io import IOResult
from returns.pipeline import is_successful
from returns.result import Failure, Result, Success


class Holder:
    result: Result[int, str]


def by_class(result: Result[int, str]) -> object:
    if isinstance(result, Success):
        return result.unwrap()
    return result.failure()


def by_class_the_other_way(result: Result[int, str]) -> object:
    if isinstance(result, Failure):
        return result.failure()
    return result.unwrap()


def by_class_wrongly(result: Result[int, str]) -> object:
    if isinstance(result, Failure):
        return result.unwrap()  # E: unwrap-outside-railway
    return result.failure()  # E: unwrap-outside-railway


def by_function(result: Result[int, str]) -> object:
    if is_successful(result):
        log(result.unwrap(), result.map(str).unwrap())
    else:
        log(result.failure())
    return result.unwrap()  # E: unwrap-outside-railway


def by_early_return(result: Result[int, str]) -> int:
    if not is_successful(result):
        return 0
    return result.unwrap()


def by_early_exit(result: Result[int, str]) -> int:
    if isinstance(result, Failure):
        sys.exit(result.failure())
    return result.unwrap()


def by_raise(result: Result[int, str]) -> int:
    if isinstance(result, Failure):
        raise ValueError(result.failure())
    return result.unwrap()


def by_assert(result: Result[int, str], other: Result[int, str]) -> object:
    assert isinstance(result, Success)
    assert is_successful(other)
    return result.unwrap() + other.unwrap()


def by_match(result: Result[int, str]) -> object:
    match result:
        case Failure(_):
            return result.failure()
    return result.unwrap()


def by_match_in_a_case(result: Result[int, str]) -> object:
    match result:
        case Success():
            return result.unwrap()
        case _:
            return result.failure()


def in_expressions(result: Result[int, str], results: list[Result[int, str]]) -> object:
    return (
        result.unwrap() if is_successful(result) else result.failure(),
        is_successful(result) and result.unwrap(),
        isinstance(result, Failure) or result.unwrap(),
        [item.unwrap() for item in results if is_successful(item)],
        [item.failure() for item in results if not is_successful(item)],
        [item.unwrap() for item in filter(is_successful, results)],
        [item.unwrap() for item in results if not is_successful(item)],  # E: unwrap-outside-railway
    )


def in_a_loop(results: Iterable[Result[int, str]]) -> int:
    total = 0
    for result in results:
        if not is_successful(result):
            continue
        total += result.unwrap()
    return total


def until_it_works() -> int:
    result = save()
    while not is_successful(result):
        log(result.failure())
        result = save()
    return result.unwrap()


def attribute(holder: Holder) -> int:
    if not is_successful(holder.result):
        return 0
    return holder.result.unwrap()


def with_walrus() -> int:
    if is_successful(result := save()):
        return result.unwrap()
    return len(result.failure())


def both(left: Result[int, str], right: Result[int, str]) -> int:
    if isinstance(left, Failure) or isinstance(right, Failure):
        return 0
    return left.unwrap() + right.unwrap()


def either(left: Result[int, str], right: Result[int, str]) -> int:
    if isinstance(left, Failure) and isinstance(right, Failure):
        return 0
    return left.unwrap()  # E: unwrap-outside-railway


def assigned_again(result: Result[int, str]) -> int:
    if not is_successful(result):
        return 0
    result = save()
    return result.unwrap()  # E: unwrap-outside-railway


def assigned_in_a_loop(result: Result[int, str]) -> int:
    if not is_successful(result):
        return 0
    total = 0
    for _ in range(3):
        total += result.unwrap()  # E: unwrap-outside-railway
        result = save()
    return total


def assigned_in_a_branch(result: Result[int, str], ready: bool) -> int:
    if not is_successful(result):
        return 0
    if ready:
        result = save()
    return result.unwrap()  # E: unwrap-outside-railway


def tried(result: Result[int, str]) -> int:
    try:
        if not is_successful(result):
            return 0
    except ValueError:
        return result.unwrap()  # E: unwrap-outside-railway
    return result.unwrap()


def of_other_kinds(result: IOResult[int, str]) -> object:
    if is_successful(result):
        return result.unwrap()
    return result.failure()


def in_functions_inside(result: Result[int, str]) -> object:
    if not is_successful(result):
        return 0

    def inner() -> int:
        return result.unwrap()

    def shadowed(result: Result[int, str]) -> int:
        return result.unwrap()  # E: unwrap-outside-railway

    return inner, shadowed, lambda: result.unwrap(), lambda result: result.unwrap()


def made_on_the_spot() -> int:
    log(Failure("why").failure())
    return Success(1).unwrap()


def in_overloads(result: Callable[[], Result[int, str]], names: Callable[[], Result[dict[str, str], str]]) -> int:
    total: int = sum([result().unwrap()])  # E: unwrap-outside-railway
    takes(names().unwrap() | {"k": "v"})  # E: unwrap-outside-railway
    log(max(result().unwrap(), 1), dict(first=result().unwrap()))  # E: unwrap-outside-railway
    log(dict(names().unwrap(), k="v"), sorted([result().unwrap()], key=lambda number: -number))  # E: unwrap-outside-railway
    return sum([total, result().unwrap()])  # E: unwrap-outside-railway


def takes(names: dict[str, str]) -> None:
    log(names)


at_module_level = save()
if isinstance(at_module_level, Failure):
    sys.exit(at_module_level.failure())
log(at_module_level.unwrap())
at_module_level = save()
log(at_module_level.unwrap())  # E: unwrap-outside-railway
