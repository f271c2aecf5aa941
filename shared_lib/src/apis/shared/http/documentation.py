"""What OpenAPI says beyond the signatures of the endpoints: errors with their real texts, and response headers."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from apis.shared.errors import (
    ErrorCode,
    ErrorDetail,
    bad_request,
    forbidden,
    internal_error,
    service_unavailable,
    status_of,
    timed_out,
    unauthorized,
)
from apis.shared.http.failures import error_body, validation_failure

type Declared = ErrorCode | ErrorDetail
"""A code whose text is always the same, or a failure with the text that the route gives it."""

_GIVEN = ("0", "text", "x" * 1_000_001)
"""Texts of which an input that can refuse any refuses one: no number, too large a number, too long."""

BODY_TOO_LARGE = bad_request("The request body is too large.")

_EXAMPLE_REQUEST_ID = "5f0c1a2b3c4d5e6f7a8b9c0d1e2f3a4b"
# Each is what a client really gets; the texts of the other codes are a route's own.
_TEXTS: Mapping[ErrorCode, ErrorDetail] = {
    error.code: error
    for error in (
        BODY_TOO_LARGE,
        unauthorized("Please sign in."),
        forbidden("User does not have required role."),
        internal_error(),
        service_unavailable(),
        timed_out(),
    )
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The id of this request: the caller's own if it is 8 to 128 letters, digits, `.`, `_` or `-`, "
        "else a new one. Quote it when you report a problem.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate: always `Bearer`.",
        "schema": {"type": "string", "enum": ["Bearer"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before the request is repeated. Absent when the wait is not known.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Allow": {
        "description": "The methods that the path has, separated by commas.",
        "schema": {"type": "string"},
    },
}
_HEADERS_OF = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}

# `ErrorDetail` as `error_body` sends it, described for those who call the API.
_ERROR_SCHEMAS: dict[str, dict[str, Any]] = {
    "ErrorCode": {
        "title": "ErrorCode",
        "type": "string",
        "enum": [code.value for code in ErrorCode],
        "description": "What went wrong, for programs.",
    },
    "ErrorDetail": {
        "title": "ErrorDetail",
        "type": "object",
        "description": "The body of every answer that is not a success. Branch on `code`, show `message` to the user, "
        "and quote `metadata.request_id` when you report a problem.",
        "required": ["code", "message", "detail", "metadata"],
        "properties": {
            "code": {"$ref": "#/components/schemas/ErrorCode"},
            "message": {"type": "string", "description": "What went wrong, as a sentence for the user."},
            "detail": {
                "type": "string",
                "description": "More about it for the user; repeats `message` when there is nothing to add.",
            },
            "field": {
                "type": "string",
                "description": "The input that is at fault, in dotted form (`body.title`, `query.limit`). Absent when "
                "it is none or several.",
            },
            "metadata": {
                "type": "object",
                "description": "Facts about the failure; operations may add members.",
                "required": ["request_id"],
                "additionalProperties": True,
                "properties": {
                    "request_id": {"type": "string", "description": "The same as `X-Request-ID`."},
                    "errors": {
                        "type": "array",
                        "description": "For a `validation_error`: every input that is at fault.",
                        "items": {
                            "type": "object",
                            "required": ["field", "message", "type"],
                            "properties": {
                                "field": {"type": "string", "description": "The input in dotted form."},
                                "message": {"type": "string", "description": "What is wrong with it."},
                                "type": {"type": "string", "description": "The kind of fault, for programs."},
                            },
                        },
                    },
                },
            },
        },
    },
}

ERRORS_EXPLAINED = """

## Errors

Every answer that is not a success has an `ErrorDetail` as its body, also for a path that does not exist (404,
`not_found`) and for a method that a path does not have (405, `bad_request`, with the header `Allow`). Each operation
lists the codes that it can answer in `x-error-codes`. Every answer carries `X-Request-ID`.
"""


def declared_of_the_frame(method: str, endpoint: Callable[..., object]) -> list[Declared]:
    """What can be answered before the endpoint is reached: an invalid input, a body that is too large."""
    if not inspect.signature(endpoint).parameters:
        return []
    has_body = method in {"POST", "PUT", "PATCH"}
    return [ErrorCode.VALIDATION_ERROR, *([ErrorCode.BAD_REQUEST] if has_body else [])]


def codes_of(declared: Iterable[Declared]) -> list[str]:
    return sorted({_code(one).value for one in declared})


def responses(
    declared: Sequence[Declared], success: int, own: Mapping[int | str, Any]
) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` of a route: each status with its headers, each code with its examples."""
    by_status: dict[int, list[ErrorCode]] = {}
    for code in sorted({_code(one) for one in declared}):
        by_status.setdefault(status_of(code), []).append(code)
    described: dict[int | str, dict[str, Any]] = {
        status: {**own.get(status, {}), "headers": {**_headers(int(status)), **own.get(status, {}).get("headers", {})}}
        for status in (success, *own)
    }
    for status, codes in sorted(by_status.items()):
        described[status] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
            "headers": _headers(status),
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/ErrorDetail"},
                    "examples": _examples(codes, declared),
                }
            },
        }
    return described


def show_validation_error(route: APIRoute) -> None:
    """Give the route's 422 the error that an invalid request to it really gets, or take it away where none can be."""
    examples = route.responses[422]["content"]["application/json"]["examples"]
    error = _invalid(route)
    if error is not None:
        examples["validation_error" if not examples else "schema"] = {"value": _body(error)}
    elif not examples:
        del route.responses[422]
        route.openapi_extra = {**(route.openapi_extra or {}), "x-error-codes": _without(route, "validation_error")}


def complete(document: dict[str, Any]) -> None:
    """Add what the routes refer to."""
    components = document.setdefault("components", {})
    components["headers"] = HEADERS
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI's own: of a route that can refuse no input.
            if operation["responses"].get("422", {}).get("description") == "Validation Error":
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    components["schemas"] = dict(sorted({**components.get("schemas", {}), **_ERROR_SCHEMAS}.items()))


def _code(declared: Declared) -> ErrorCode:
    return declared.code if isinstance(declared, ErrorDetail) else declared


def _headers(status: int) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *_HEADERS_OF.get(status, ()))}


def _examples(codes: Sequence[ErrorCode], declared: Sequence[Declared]) -> dict[str, Any]:
    examples: dict[str, Any] = {}
    for code in codes:
        # A declared code stands for its one text.
        errors = [_TEXTS.get(one) if isinstance(one, ErrorCode) else one for one in declared if _code(one) is code]
        known = list(dict.fromkeys(error for error in errors if error is not None))
        if not known and code is not ErrorCode.VALIDATION_ERROR:  # for which see `show_validation_error`
            msg = f"the text of {code} is the route's own: declare the failure instead of its code"
            raise ValueError(msg)
        for number, error in enumerate(known, start=1):
            examples[code.value if number == 1 else f"{code.value}_{number}"] = {"value": _body(error)}
    return examples


def _body(error: ErrorDetail) -> dict[str, Any]:
    return error_body(error, _EXAMPLE_REQUEST_ID)


def _without(route: APIRoute, code: str) -> list[str]:
    return [one for one in (route.openapi_extra or {})["x-error-codes"] if one != code]


def _invalid(route: APIRoute) -> ErrorDetail | None:
    """What an invalid request is told, None where none can be."""
    if route.body_field is not None:
        nonsense: tuple[object, ...] = ({}, "text")  # members are missing; no object at all
        for sent in nonsense:
            _, errors = route.body_field.validate(sent, {}, loc=("body",))
            if errors:
                return validation_failure(errors)
    for place, field in _inputs(route.dependant):
        if field.field_info.is_required() and place != "path":
            return validation_failure([{"type": "missing", "loc": (place, field.alias), "msg": "Field required"}])
        for given in _GIVEN:
            _, errors = field.validate(given, {}, loc=(place, field.alias))
            if errors:
                return validation_failure(errors)
    return None


def _inputs(dependant: Dependant) -> Iterator[tuple[str, Any]]:  # Any: FastAPI keeps the type of a field to itself
    """Each input outside of the body, and where it stands."""
    yield from (("query", field) for field in dependant.query_params)
    yield from (("path", field) for field in dependant.path_params)
    yield from (("header", field) for field in dependant.header_params)
    yield from (("cookie", field) for field in dependant.cookie_params)
    for child in dependant.dependencies:
        yield from _inputs(child)
