from typing import Annotated

from fastapi import Path, Query

from apis.app_api.users.schemas import (
    UserDetailResponse,
    UserListResponse,
    UserSearchResponse,
    UserSearchResult,
)
from apis.app_api.users.service import get_user_administration
from apis.shared.auth import get_current_user, require_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, Depends, ResultRouter
from apis.shared.http.bounds import PageToken, ShortText
from apis.shared.page_tokens import BAD_CURSOR
from apis.shared.result import Result, Success
from apis.shared.users.repository import UserList, user_not_found
from apis.shared.users.service import UserPage, get_user_directory

router = ResultRouter(tags=["Users"], dependencies=[Depends(get_current_user)], errors=(*GUARDED, *STORE_ERRORS))
admin_router = AdminRouter(guard=require_admin, prefix="/admin/users", tags=["Users"], errors=STORE_ERRORS)

# As OpenAPI shows it.
NOT_FOUND = user_not_found("123456789")

SearchText = Annotated[ShortText, Query(description="Part of a name or an e-mail, in any case.", examples=["lovelace"])]
Email = Annotated[ShortText, Query(description="The whole address, in any case.", examples=["ada@example.edu"])]
Status = Annotated[ShortText, Query(description="`active`, `inactive` or `suspended`; ignored with `domain`.")]
Domain = Annotated[ShortText | None, Query(description="Only people with such an e-mail; an empty one counts as none.")]
Cursor = Annotated[PageToken | None, Query(description="`nextCursor` of the previous answer.")]
UserId = Annotated[str, Path(description="Nine digits.", examples=["123456789"])]


@router.get("/users/search", summary="Find people")
async def search_users(
    q: SearchText,
    limit: Annotated[int, Query(ge=1, le=50, description="At most this many people.")] = 20,
) -> Result[UserSearchResponse, ErrorDetail]:
    """Active people whose name or e-mail contains `q`; whose e-mail it is comes first. The caller is one of them."""
    found = await get_user_directory().search(q, limit)
    return found.map(lambda users: UserSearchResponse(users=[UserSearchResult.of(one) for one in users]))


@admin_router.get("", summary="List people", errors=(BAD_CURSOR,))
async def list_users(
    status: Status = "active",
    domain: Domain = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most this many people.")] = 25,
    cursor: Cursor = None,
) -> Result[UserListResponse, ErrorDetail]:
    """By status, or by the domain of their e-mail; who was seen last comes first."""
    listed = UserList.of_domain(domain) if domain else UserList.of_status(status)
    return (await get_user_directory().page(listed, limit, cursor)).map(UserListResponse.of)


@admin_router.get("/search", summary="Find a person by e-mail")
async def find_user(email: Email) -> Result[UserListResponse, ErrorDetail]:
    """Nobody or one, whatever the status; of several people with this address the one who was seen last."""
    found = await get_user_directory().find_by_email(email)
    return found.map(lambda profile: UserListResponse.of(UserPage([] if profile is None else [profile])))


@admin_router.get("/domains/list", summary="List domains of e-mails")
async def list_domains(
    limit: Annotated[int, Query(ge=1, le=200, description="At most this many domains.")] = 50,  # noqa: ARG001 - of none
) -> Result[list[str], ErrorDetail]:
    """Always empty: nobody counts domains."""
    return Success([])


@admin_router.get("/{user_id}", summary="Look at a person", errors=(NOT_FOUND,))
async def get_user(user_id: UserId) -> Result[UserDetailResponse, ErrorDetail]:
    """Profile, costs of this month, quota and its five newest events. The quota is that of the roles that the person
    had in the last request."""
    return await get_user_administration().detail(user_id)
