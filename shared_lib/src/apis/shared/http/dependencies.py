"""FastAPI dependencies whose function returns a Result."""

import functools
from collections.abc import Awaitable, Callable, Sequence

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from apis.shared.errors import ErrorDetail, unauthorized
from apis.shared.http.bounds import BEARER_TOKEN_BYTES
from apis.shared.http.failures import FailureRaised
from apis.shared.result import Failure, Result, Success

# Which of several would count, whoever looked at them before may see otherwise.
_SEVERAL = unauthorized("The request has more than one Authorization header.")
_TOO_LONG = unauthorized("The access token is not valid.").caused_by(None, check="length")

type Bearer = Result[str | None, ErrorDetail]

__all__ = ["Bearer", "BearerDependency", "Depends", "bearers_of", "dependency"]


def dependency[**P, T](fn: Callable[P, Awaitable[Result[T, ErrorDetail]]]) -> Callable[P, Awaitable[T]]:
    """Make `fn` a dependency: its Success value is what the endpoint gets, its Failure is the response."""

    @functools.wraps(fn)
    async def resolve(*args: P.args, **kwargs: P.kwargs) -> T:
        return _value(await fn(*args, **kwargs))

    return resolve


class BearerDependency[T](SecurityBase):
    """A dependency on what `fn` makes of the request's bearer token: None without one (no header, another scheme,
    empty), a Failure for what cannot be one. A route that depends on it, directly or not, is guarded, and OpenAPI says
    so.

    One dependency and not a chain of them: FastAPI takes a good part of a request's time for each.
    """

    def __init__(self, fn: Callable[[Bearer], Awaitable[Result[T, ErrorDetail]]]) -> None:
        self.model = HTTPBearer()
        self.scheme_name = "HTTPBearer"
        self._fn = fn

    async def __call__(self, request: Request) -> T:
        return _value(await self._fn(_bearer(request.headers.getlist("Authorization"))))


def _bearer(sent: Sequence[str]) -> Bearer:
    if len(sent) > 1:
        return Failure(_SEVERAL)
    scheme, token = get_authorization_scheme_param(sent[0] if sent else None)
    if len(token) > BEARER_TOKEN_BYTES:
        return Failure(_TOO_LONG)
    return Success(token.strip() or None if scheme.lower() == "bearer" else None)


def bearers_of(dependant: Dependant) -> list[BearerDependency[object]]:
    """What of the dependencies knows the caller; nothing for an open route."""
    found = [bearer for child in dependant.dependencies for bearer in bearers_of(child)]
    return [*found, dependant.call] if isinstance(dependant.call, BearerDependency) else found


def _value[T](result: Result[T, ErrorDetail]) -> T:
    match result:
        case Success(value):
            return value
        case Failure(error):
            raise FailureRaised(error)
