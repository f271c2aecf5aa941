"""`match` on a Result knows its types, and that Success and Failure are all there is."""

from dataclasses import dataclass
from typing import AnyStr

from outcomes import log, save, save_async, save_maybe, save_pair
from returns import result as module
from returns.result import Failure, Result, Success
from typing_extensions import assert_type


@dataclass(frozen=True)
class Problem:
    code: str


def both(result: Result[int, Problem]) -> int:
    match result:
        case Success(value):
            assert_type(value, int)
            return value
        case Failure(problem):
            assert_type(problem, Problem)
            return len(problem.code)


def both_in_the_other_order(result: Result[int, Problem]) -> int:
    match result:
        case Failure(problem):
            return len(problem.code)
        case Success(value):
            return value


def of_a_call() -> int:
    match save():
        case Success(value):
            return value
        case Failure(_):
            return 0


async def of_an_await() -> str:
    match await save_async():
        case Success(value):
            return str(value)
        case Failure(text):
            return assert_type(text, str)


def by_module(result: Result[int, str]) -> int:
    match result:
        case module.Success(value):
            return value
        case module.Failure():
            return 0


def with_alternatives(result: Result[int, str]) -> object:
    match result:
        case Success(value) | Failure(value):
            return value


def with_whole(result: Result[int, str]) -> object:
    match result:
        case Success() as whole:
            return whole
        case Failure(error) as failed:
            return error, failed


def with_refinement(result: Result[int, Problem]) -> int:
    match result:
        case Success(0):
            return 1
        case Success(int(number)) if number > 3:
            return number
        case Success(value):
            return value
        case Failure(Problem(code="not_found")):
            return 2
        case Failure(Problem(code=code)):
            return len(code)
        case Failure(_):
            return 3


def defines(result: Result[int, str]) -> int:
    match result:
        case Success(value):
            defined = value
        case Failure(error):
            defined = len(error)
    return defined


def defines_on_one_way(result: Result[int, str]) -> int:
    match result:
        case Success(value):
            defined = value
        case Failure(error):
            raise ValueError(error)
    return defined


def generic(text: AnyStr, result: Result[AnyStr, int]) -> AnyStr:
    match result:
        case Success(value):
            return value
        case Failure(number):
            return text[:number]


def pairs(left: Result[int, str], right: Result[str, Problem]) -> str:
    match left, right:
        case Success(number), Success(text):
            assert_type(number, int)
            assert_type(text, str)
            return text * number
        case Failure(error), _:
            return assert_type(error, str)
        case _, Failure(problem):
            return assert_type(problem, Problem).code
        case _:
            return ""


def in_a_loop(results: list[Result[int, str]]) -> int:
    total = 0
    for result in results:
        match result:
            case Success(value):
                total += value
            case Failure(error):
                return len(error)
    return total


def nested(result: Result[Result[int, Problem], str]) -> int:
    match result:
        case Success(Success(value)):
            return assert_type(value, int)
        case Success(Failure(problem)):
            return len(assert_type(problem, Problem).code)
        case Success(_):
            return 0
        case Failure(error):
            return len(assert_type(error, str))


def narrowed_success(result: Success[int]) -> int:
    match result:
        case Success(value):
            return assert_type(value, int)


def only_one(result: Result[int, str]) -> int:  # E: return
    match result:
        case Success(value):
            return value


def guarded(result: Result[int, str]) -> int:  # E: return
    match result:
        case Success(value) if value:
            return value
        case Failure(error):
            return len(error)


def refutable(result: Result[int, Problem]) -> int:  # E: return
    match result:
        case Success(value):
            return value
        case Failure(Problem(code="not_found")):
            return 1


def with_none() -> int:  # E: return
    match save_maybe():
        case Success(value):
            return value
        case Failure(error):
            return len(error)


def with_none_handled() -> int:
    match save_maybe():
        case Success(value):
            return value
        case Failure(error):
            return len(error)
        case None:
            return 0
    return 1


def undefined_on_one_way(result: Result[int, str]) -> int:
    match result:
        case Success(value):
            defined = value
    return defined  # E: possibly-undefined


def drops_in_the_cases(result: Result[int, str]) -> None:
    match result:
        case Success(value):
            save(value)  # E: unused-result
        case Failure(error):
            saved = save(len(error))  # E: unused-result


def attribute(result: Result[int, str]) -> object:
    return result._inner_value
