"""FastAPI dependencies whose function returns a Result."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from apis.shared.errors import ErrorDetail
from apis.shared.http.failures import FailureRaised
from apis.shared.result import Failure, Result, Success

__all__ = ["BearerToken", "Depends", "dependency"]


def dependency[**P, T](fn: Callable[P, Awaitable[Result[T, ErrorDetail]]]) -> Callable[P, Awaitable[T]]:
    """Make `fn` a dependency: its Success value is what the endpoint gets, its Failure is the response."""

    @functools.wraps(fn)
    async def resolve(*args: P.args, **kwargs: P.kwargs) -> T:
        match await fn(*args, **kwargs):
            case Success(value):
                return value
            case Failure(error):
                raise FailureRaised(error)

    return resolve


_scheme = HTTPBearer(auto_error=False)


async def _bearer_token(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)],
) -> str | None:
    return (credentials.credentials.strip() or None) if credentials is not None else None


BearerToken = Annotated[str | None, Depends(_bearer_token)]
"""The raw bearer token; None without one (no header, another scheme, empty)."""
