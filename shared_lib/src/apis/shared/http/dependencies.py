"""FastAPI dependencies whose function returns a Result."""

import functools
from collections.abc import Awaitable, Callable

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from apis.shared.errors import ErrorDetail
from apis.shared.http.failures import FailureRaised
from apis.shared.result import Failure, Result, Success

__all__ = ["BearerDependency", "Depends", "dependency"]


def dependency[**P, T](fn: Callable[P, Awaitable[Result[T, ErrorDetail]]]) -> Callable[P, Awaitable[T]]:
    """Make `fn` a dependency: its Success value is what the endpoint gets, its Failure is the response."""

    @functools.wraps(fn)
    async def resolve(*args: P.args, **kwargs: P.kwargs) -> T:
        return _value(await fn(*args, **kwargs))

    return resolve


class BearerDependency[T](SecurityBase):
    """A dependency on what `fn` makes of the request's bearer token: None without one (no header, another scheme,
    empty). A route that depends on it, directly or not, is guarded, and OpenAPI says so.

    One dependency and not a chain of them: FastAPI takes a good part of a request's time for each.
    """

    def __init__(self, fn: Callable[[str | None], Awaitable[Result[T, ErrorDetail]]]) -> None:
        self.model = HTTPBearer()
        self.scheme_name = "HTTPBearer"
        self._fn = fn

    async def __call__(self, request: Request) -> T:
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        return _value(await self._fn(token.strip() or None if scheme.lower() == "bearer" else None))


def _value[T](result: Result[T, ErrorDetail]) -> T:
    match result:
        case Success(value):
            return value
        case Failure(error):
            raise FailureRaised(error)
