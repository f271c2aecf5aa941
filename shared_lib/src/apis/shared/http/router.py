"""Routers whose endpoints return Results."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeIs, get_args, get_type_hints

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from starlette.responses import Response

from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.http.dependencies import Depends, bearers_of
from apis.shared.http.documentation import Declared, codes_of, declared_of_the_frame, responses, show_validation_error
from apis.shared.http.failures import failure_response
from apis.shared.http.json_body import StrictJsonRoute
from apis.shared.result import Failure, Result, Success

GUARDED = (ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN)
"""What a route behind a signed-in user can answer because of it."""

STORE_ERRORS = (ErrorCode.INTERNAL_ERROR, ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT)
"""What a route that reads or writes a store can answer because of it."""

ADMIN_PREFIX = "/admin"

type Endpoint = Callable[..., Awaitable[Result[Any, ErrorDetail]]]  # Any: every endpoint has its own value


class ResultRouter(APIRouter):
    """An `APIRouter` for endpoints annotated `-> Result[T, ErrorDetail]`.

    The value of a Success is the response with model T (204 for None; a Response subclass is sent as it is), written
    without a second validation: a value that does not fit its model is a bug and answers 500. A Failure is rendered by
    its code. `errors` of the router and of each route declare what can be answered: a code, or the failure itself where
    its text is the route's own, which then is the example in OpenAPI. `headers` go with every written value.
    """

    def __init__(
        self, *, errors: Sequence[Declared] = (), headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        # A body without a content type is JSON: some clients send none.
        super().__init__(**{"route_class": StrictJsonRoute, "strict_content_type": False, **options})
        self._errors = tuple(errors)
        self._headers = headers

    def get[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("GET", path, errors, options)

    def head[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("HEAD", path, errors, {"include_in_schema": False, **options})

    def put[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("PUT", path, errors, options)

    def post[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("POST", path, errors, options)

    def patch[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("PATCH", path, errors, options)

    def delete[E: Endpoint](self, path: str, *, errors: Sequence[Declared] = (), **options: Any) -> Callable[[E], E]:
        return self._route("DELETE", path, errors, options)

    def _route[E: Endpoint](
        self, method: str, path: str, errors: Sequence[Declared], options: dict[str, Any]
    ) -> Callable[[E], E]:
        def register(endpoint: E) -> E:
            value_type = get_args(get_type_hints(endpoint)["return"])[0]
            is_empty = value_type is type(None)
            status = int(options.setdefault("status_code", HTTPStatus.NO_CONTENT if is_empty else HTTPStatus.OK))
            if _is_response(value_type) and value_type.media_type is not None:
                # Declares its media type, and no other.
                options.setdefault("response_class", value_type)
            options.setdefault("response_model", None if is_empty or _is_response(value_type) else value_type)
            declared = (*declared_of_the_frame(method, endpoint), *self._errors, *errors)
            self.add_api_route(
                path,
                _rendering(endpoint, _renderer(value_type, status, self._headers)),
                methods=[method],
                responses=responses(declared, status, options.pop("responses", {})),
                openapi_extra={"x-error-codes": codes_of(declared), **options.pop("openapi_extra", {})},
                **options,
            )
            route = self.routes[-1]
            if isinstance(route, APIRoute) and 422 in route.responses:
                show_validation_error(route)
            return endpoint

        return register


class AdminRoute(StrictJsonRoute):
    """A route of an `AdminRouter`."""


class AdminRouter(ResultRouter):
    """The router of paths under `/admin`: every route has `guard`, which answers 401 and 403, whatever its endpoint
    asks for. A service refuses a route under `/admin` that does not stand on one."""

    def __init__(
        self,
        *,
        guard: Callable[..., Awaitable[Any]],  # Any: a guard hands on whom it let pass
        prefix: str = ADMIN_PREFIX,
        errors: Sequence[Declared] = (),
        **options: Any,
    ) -> None:
        if not is_admin_path(prefix):
            msg = f"{prefix} is not under {ADMIN_PREFIX}"
            raise ValueError(msg)
        super().__init__(
            prefix=prefix,
            errors=(*GUARDED, *errors),
            dependencies=[Depends(guard)],
            route_class=AdminRoute,
            **options,
        )


def is_admin_path(path: str) -> bool:
    return path == ADMIN_PREFIX or path.startswith(f"{ADMIN_PREFIX}/")


def is_guarded(route: APIRoute) -> bool:
    """Whether the route is only reached with credentials."""
    return bool(bearers_of(route.dependant))


type _Render = Callable[[Any], Response]  # Any: the value of one endpoint


def _rendering(endpoint: Endpoint, render: _Render) -> Callable[..., Awaitable[Response]]:
    @functools.wraps(endpoint)
    async def answer(*args: Any, **kwargs: Any) -> Response:
        match await endpoint(*args, **kwargs):
            case Success(value):
                return render(value)
            case Failure(error):
                return failure_response(error)

    return answer


def _renderer(value_type: Any, status: int, headers: Mapping[str, str] | None) -> _Render:
    """How a value of `value_type` becomes the response. FastAPI would validate it again before it writes it."""
    if value_type is type(None):
        return lambda _: Response(status_code=status)
    if _is_response(value_type):
        return lambda response: response
    adapter = TypeAdapter[Any](value_type)

    def render(value: Any) -> Response:
        try:
            body = adapter.dump_json(value, by_alias=True, warnings="error")
        except PydanticSerializationError:
            # Without the exception, whose text quotes the value.
            return failure_response(internal_error(None, reason=f"the response does not fit {value_type}"))
        return Response(body, status_code=status, headers=headers, media_type="application/json")

    return render


def _is_response(value_type: Any) -> TypeIs[type[Response]]:
    return isinstance(value_type, type) and issubclass(value_type, Response)
