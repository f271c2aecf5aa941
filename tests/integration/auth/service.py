"""A service with one route per way of asking for the user."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from apis.shared.auth import (
    AdminUser,
    CurrentUser,
    CurrentUserId,
    SystemAdminUser,
    TrustedUser,
    User,
    require_admin,
    require_all_roles,
    require_roles,
    require_system_admin,
)
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, Depends, ResultRouter, create_service
from apis.shared.result import Result, Success

router = ResultRouter(errors=(*GUARDED, *STORE_ERRORS))


class Note(BaseModel):
    title: str


@router.get("/me")
async def me(user: CurrentUser) -> Result[User, ErrorDetail]:
    return Success(user)


@router.get("/me/id")
async def my_id(user_id: CurrentUserId) -> Result[str, ErrorDetail]:
    return Success(user_id)


@router.get("/trusted")
async def trusted(user: TrustedUser) -> Result[User, ErrorDetail]:
    return Success(user)


admins = AdminRouter(guard=require_admin, errors=STORE_ERRORS)
system_admins = AdminRouter(guard=require_system_admin, errors=STORE_ERRORS)


@admins.get("")
async def admin(user: AdminUser) -> Result[User, ErrorDetail]:
    return Success(user)


@system_admins.post("")
async def system_admin(user: SystemAdminUser) -> Result[User, ErrorDetail]:
    return Success(user)


@router.get("/any")
async def any_of(user: Annotated[User, Depends(require_roles("Faculty", "Auditor"))]) -> Result[User, ErrorDetail]:
    return Success(user)


@router.get("/all")
async def all_of(user: Annotated[User, Depends(require_all_roles("Staff", "Auditor"))]) -> Result[User, ErrorDetail]:
    return Success(user)


@router.post("/notes")
async def save(user: CurrentUser, note: Note, limit: Annotated[int, Query(ge=1)]) -> Result[Note, ErrorDetail]:
    return Success(note)


@router.get("/bug")
async def bug(user: CurrentUser) -> Result[str, ErrorDetail]:
    raise RuntimeError(user.user_id)


public = ResultRouter()


@public.get("/health")
async def health() -> Result[str, ErrorDetail]:
    return Success("healthy")


app = create_service(
    title="Auth test",
    version="1",
    description="",
    tags=[],
    routers=[router, admins, system_admins, public],
    origins=["https://allowed.example"],
    max_body_bytes=100_000,
)
