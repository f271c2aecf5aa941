"""The one place where a failure becomes an HTTP response, and the handlers of last resort."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from apis.shared.errors import ErrorCode, ErrorDetail, http_status_to_error_code, status_of
from apis.shared.http import context
from apis.shared.http.bounds import FAULT_CHARACTERS, NAMED_FAULTS


class FailureRaised(Exception):  # noqa: N818 - not an error of its own: it carries a Failure out of a dependency
    """How a dependency's Failure leaves FastAPI's dependency resolution."""

    def __init__(self, error: ErrorDetail) -> None:
        super().__init__(error.code.value)
        self.error = error


def error_body(error: ErrorDetail, request_id: str) -> dict[str, Any]:
    """The wire form: `detail` is always a string, and the request id joins the metadata."""
    body = error.model_dump(mode="json", exclude_none=True)
    body["detail"] = error.detail if error.detail is not None else error.message
    body["metadata"] = {**body.get("metadata", {}), "request_id": request_id}
    return {**error.members, **body}


def failure_response(error: ErrorDetail, *, status: int | None = None) -> JSONResponse:
    """Render `error` and note it for the request's log record. `status` is for the framework's own 405."""
    request = context.current()
    request.error = error
    headers: dict[str, str] = {}
    if error.code is ErrorCode.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(
        error_body(error, request.request_id), status_code=status or status_of(error.code), headers=headers
    )


def validation_failure(errors: Sequence[Any]) -> ErrorDetail:
    """pydantic's error list as one ErrorDetail; the offending input itself is never repeated, and of many faults only
    the first are named."""
    problems = [
        {
            "field": _field(problem)[:FAULT_CHARACTERS],
            "message": _message(problem)[:FAULT_CHARACTERS],
            "type": str(problem["type"]),
        }
        for problem in errors[:NAMED_FAULTS]
    ]
    fields = {problem["field"] for problem in problems}
    if len(errors) > NAMED_FAULTS:
        place = _field(errors[NAMED_FAULTS]).partition(".")[0]
        more = f"and {len(errors) - NAMED_FAULTS} more faults"
        problems.append({"field": place, "message": more, "type": "too_many_faults"})
        fields.add(place)
    text = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    return ErrorDetail(
        code=ErrorCode.VALIDATION_ERROR,
        message=f"The request is not valid. {text}",
        detail=text,
        field=fields.pop() if len(fields) == 1 else None,
        metadata={"errors": problems},
    )


def _field(problem: Any) -> str:
    return "body" if problem["type"] == "json_invalid" else ".".join(str(part) for part in problem["loc"])


def _message(problem: Any) -> str:
    """pydantic's sentence; what a rule of ours says stands there after the name of the exception."""
    text = str(problem["msg"])
    return text.removeprefix("Value error, ") if problem["type"] == "value_error" else text


def install_handlers(app: FastAPI) -> None:
    app.add_exception_handler(FailureRaised, _on_failure)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_failure(_: Request, raised: Exception) -> JSONResponse:
    assert isinstance(raised, FailureRaised)  # noqa: S101 - registered for this class only
    return failure_response(raised.error)


async def _on_validation_error(_: Request, raised: Exception) -> JSONResponse:
    assert isinstance(raised, RequestValidationError)  # noqa: S101 - registered for this class only
    return failure_response(validation_failure(raised.errors()))


_FRAMEWORK_TEXTS = {404: "Not found", 405: "Method not allowed", 400: "The request body could not be read."}


async def _on_http_exception(request: Request, raised: Exception) -> JSONResponse:
    assert isinstance(raised, HTTPException)  # noqa: S101 - registered for this class only
    status = raised.status_code
    code = ErrorCode.BAD_REQUEST if status in {400, 405} else http_status_to_error_code(status)
    error = ErrorDetail(code=code, message=_FRAMEWORK_TEXTS.get(status, "The request could not be handled."))
    response = failure_response(error, status=status if status == 405 else None)
    for name, value in (raised.headers or {}).items():
        response.headers[name] = value
    if status == 405:
        response.headers["Allow"] = ", ".join(_methods_of_the_path(request)) or "GET, HEAD"
    return response


def _methods_of_the_path(request: Request) -> list[str]:
    """Of all routes: Starlette names those of the first one that has the path."""
    return sorted(methods_of(request.app, get_route_path(request.scope)))


def methods_of(app: FastAPI, path: str) -> set[str]:
    return {
        method
        for route in iter_route_contexts(app.routes)
        if (pattern := getattr(route, "path_regex", None)) is not None and pattern.match(path)
        for method in route.methods or ()
    }
