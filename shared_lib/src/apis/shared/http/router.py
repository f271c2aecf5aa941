"""A router whose endpoints return Results."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, get_args, get_type_hints

from fastapi import APIRouter
from starlette.responses import Response

from apis.shared.errors import ErrorCode, ErrorDetail, status_of
from apis.shared.http.failures import failure_response
from apis.shared.http.json_body import StrictJsonRoute
from apis.shared.result import Failure, Result, Success

GUARDED = (ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN)
"""What a route behind a signed-in user can answer because of it."""

STORE_ERRORS = (ErrorCode.INTERNAL_ERROR, ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT)
"""What a route that reads or writes a store can answer because of it."""

type Endpoint = Callable[..., Awaitable[Result[Any, ErrorDetail]]]  # Any: every endpoint has its own value


class ResultRouter(APIRouter):
    """An `APIRouter` for endpoints annotated `-> Result[T, ErrorDetail]`.

    The value of a Success is the response with model T (204 for None; a Response subclass is sent as it is), a
    Failure is rendered by its code. `errors` of the router and of each route declare what can be answered; they
    appear in OpenAPI, with every code of an operation in `x-error-codes`.
    """

    def __init__(self, *, errors: Sequence[ErrorCode] = (), **options: Any) -> None:
        super().__init__(route_class=StrictJsonRoute, **options)
        self._errors = tuple(errors)

    def get[E: Endpoint](self, path: str, *, errors: Sequence[ErrorCode] = (), **options: Any) -> Callable[[E], E]:
        return self._route("GET", path, errors, options)

    def put[E: Endpoint](self, path: str, *, errors: Sequence[ErrorCode] = (), **options: Any) -> Callable[[E], E]:
        return self._route("PUT", path, errors, options)

    def post[E: Endpoint](self, path: str, *, errors: Sequence[ErrorCode] = (), **options: Any) -> Callable[[E], E]:
        return self._route("POST", path, errors, options)

    def patch[E: Endpoint](self, path: str, *, errors: Sequence[ErrorCode] = (), **options: Any) -> Callable[[E], E]:
        return self._route("PATCH", path, errors, options)

    def delete[E: Endpoint](self, path: str, *, errors: Sequence[ErrorCode] = (), **options: Any) -> Callable[[E], E]:
        return self._route("DELETE", path, errors, options)

    def _route[E: Endpoint](
        self, method: str, path: str, errors: Sequence[ErrorCode], options: dict[str, Any]
    ) -> Callable[[E], E]:
        def register(endpoint: E) -> E:
            value_type = get_args(get_type_hints(endpoint)["return"])[0]
            codes = _declared(method, endpoint, (*self._errors, *errors))
            is_response = isinstance(value_type, type) and issubclass(value_type, Response)
            if value_type is type(None):
                options.setdefault("status_code", HTTPStatus.NO_CONTENT)
            options.setdefault("response_model", None if is_response or value_type is type(None) else value_type)
            self.add_api_route(
                path,
                _rendering(endpoint),
                methods=[method],
                responses={**_error_responses(codes), **options.pop("responses", {})},
                openapi_extra={"x-error-codes": sorted(codes), **options.pop("openapi_extra", {})},
                **options,
            )
            return endpoint

        return register


def _rendering(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(endpoint)
    async def render(*args: Any, **kwargs: Any) -> Any:
        match await endpoint(*args, **kwargs):
            case Success(value):
                return value
            case Failure(error):
                return failure_response(error)

    return render


def _declared(method: str, endpoint: Endpoint, codes: Sequence[ErrorCode]) -> list[ErrorCode]:
    """`codes` and what the frame itself can answer: an invalid input, a body that is too large."""
    framework: set[ErrorCode] = set()
    if inspect.signature(endpoint).parameters:
        framework.add(ErrorCode.VALIDATION_ERROR)
        if method in {"POST", "PUT", "PATCH"}:
            framework.add(ErrorCode.BAD_REQUEST)
    return sorted({*codes, *framework})


def _error_responses(codes: Sequence[ErrorCode]) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int, list[ErrorCode]] = {}
    for code in codes:
        by_status.setdefault(status_of(code), []).append(code)
    return {
        status: {
            "model": ErrorDetail,
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in group)}",
            "content": {
                "application/json": {
                    "example": {
                        "code": group[0],
                        "message": "A sentence for the user.",
                        "detail": "A sentence for the user.",
                        "metadata": {"request_id": "5f0c1a2b3c4d5e6f7a8b9c0d1e2f3a4b"},
                    }
                }
            },
        }
        for status, group in sorted(by_status.items())
    }
