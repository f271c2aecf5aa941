"""No route without a guard: what a service refuses to start with, and what its open routes are."""

import re

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from apis.app_api.main import app as app_api
from apis.inference_api.main import app as inference_api
from apis.shared.auth import CurrentUser, require_admin, require_system_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import AdminRouter, ResultRouter, create_service
from apis.shared.http.open_routes import OPEN_ROUTES
from apis.shared.http.router import is_guarded
from apis.shared.result import Result, Success
from tests.surface.operations import operations

# The contract: sections 2 and 4.5 of the document on authentication, and /ping of the one on chat.
OPEN = {
    "GET /health",
    "GET /auth/login",
    "POST /auth/token",
    "POST /auth/refresh",
    "GET /auth/logout",
    "GET /oauth/callback",
    "GET /ping",
}


async def endpoint() -> Result[None, ErrorDetail]:
    return Success(None)


async def endpoint_of_a_user(user: CurrentUser) -> Result[None, ErrorDetail]:
    return Success(None)


def service(*routers: ResultRouter) -> FastAPI:
    return create_service(
        title="t", description="", version="1", tags=[], routers=routers, origins=[], max_body_bytes=10
    )


def test_the_list_of_open_routes_is_the_contract_s() -> None:
    """HEAD is GET without its body."""
    assert {f"{method} {path}" for method, path in OPEN_ROUTES if method != "HEAD"} == OPEN
    assert {path for method, path in OPEN_ROUTES if method == "HEAD"} == {"/health", "/ping"}


@pytest.mark.parametrize("app", [app_api, inference_api], ids=["app", "inference"])
def test_only_routes_of_the_list_are_open(app: FastAPI) -> None:
    found = {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and not is_guarded(route.original_route)
        for method in route.methods or ()
    }
    assert found
    assert found <= OPEN_ROUTES
    documented = {(method, path) for method, path, one in operations(app.openapi()) if not one.get("security")}
    assert documented == {(method, path) for method, path in found if method != "HEAD"}


@pytest.mark.parametrize("path", ["/notes", "/health/", "/healthy"])
def test_a_service_with_an_open_route_that_is_not_on_the_list_does_not_start(path: str) -> None:
    router = ResultRouter()
    router.get(path)(endpoint)
    with pytest.raises(ValueError, match=re.escape(f"GET {path} has no guard")):
        service(router)


def test_another_method_of_an_open_path_is_not_open() -> None:
    router = ResultRouter()
    router.post("/health")(endpoint)
    with pytest.raises(ValueError, match="POST /health has no guard"):
        service(router)


@pytest.mark.parametrize("path", ["/admin", "/admin/users/{user_id}"])
def test_a_route_under_admin_stands_on_an_admin_router(path: str) -> None:
    router = ResultRouter()
    router.get(path)(endpoint_of_a_user)
    with pytest.raises(ValueError, match="does not stand on an AdminRouter"):
        service(router)


def test_an_admin_router_is_for_paths_under_admin() -> None:
    with pytest.raises(ValueError, match="/administration is not under /admin"):
        AdminRouter(guard=require_admin, prefix="/administration")


def test_a_guard_that_asks_nobody_is_none() -> None:
    async def anybody() -> None: ...

    router = AdminRouter(guard=anybody)
    router.get("/users")(endpoint)
    with pytest.raises(ValueError, match="GET /admin/users has no guard"):
        service(router)


def test_an_admin_route_has_the_guard_its_security_and_its_errors() -> None:
    router = AdminRouter(guard=require_system_admin, prefix="/admin/roles")
    router.delete("/{role_id}")(endpoint)
    app = service(router)
    operation = app.openapi()["paths"]["/admin/roles/{role_id}"]["delete"]
    assert operation["security"] == [{"HTTPBearer": []}]
    assert {"unauthorized", "forbidden"} <= set(operation["x-error-codes"])
