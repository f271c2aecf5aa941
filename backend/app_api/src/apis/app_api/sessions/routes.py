from typing import Annotated

from fastapi import Path, Query

from apis.app_api.sessions.schemas import (
    BulkDeleteSessionsRequest,
    BulkDeleteSessionsResponse,
    MessagesListResponse,
    SessionMetadataResponse,
    SessionsListResponse,
    UpdateSessionMetadataRequest,
)
from apis.app_api.sessions.service import get_sessions_api
from apis.shared.auth import CurrentUser
from apis.shared.errors import ErrorDetail, bad_request, validation_error
from apis.shared.http import GUARDED, STORE_ERRORS, ResultRouter
from apis.shared.http.bounds import PageToken
from apis.shared.result import Result
from apis.shared.sessions.metadata import get_session_service
from apis.shared.sessions.repository import SESSION_CHANGED, session_not_found

router = ResultRouter(tags=["Sessions"], errors=(*GUARDED, *STORE_ERRORS))

# As OpenAPI shows them.
BAD_TOKEN = bad_request("The next_token is not valid. Please reload the list.", field="query.next_token")
BAD_SESSION_ID = validation_error("The session id is not valid.", field="path.session_id")
NOT_FOUND = session_not_found("2f6c1c1e-5b0e-4a54-9f0a")

SessionId = Annotated[str, Path(description="The client's id of the session.", examples=["2f6c1c1e-5b0e-4a54-9f0a"])]
Limit = Annotated[int | None, Query(ge=1, le=1000, description="At most this many entries.")]
NextToken = Annotated[PageToken | None, Query(description="`nextToken` of the previous answer.")]


@router.get("/sessions", summary="List my sessions", errors=(BAD_TOKEN,))
async def list_sessions(
    user: CurrentUser, limit: Limit = None, next_token: NextToken = None
) -> Result[SessionsListResponse, ErrorDetail]:
    """Sessions that are not deleted, the one with the latest message first.

    Without `limit` one answer holds as much as the store gives at once.
    """
    page = await get_session_service().list_sessions(user.user_id, limit=limit, token=next_token)
    return page.map(SessionsListResponse.of_page)


@router.post("/sessions/bulk-delete", summary="Delete several sessions")
async def bulk_delete_sessions(
    user: CurrentUser, body: BulkDeleteSessionsRequest
) -> Result[BulkDeleteSessionsResponse, ErrorDetail]:
    """Each session is deleted like a single one; what failed is told per id. When all fail for the same outage, the
    request fails with it."""
    return await get_sessions_api().bulk_delete(user.user_id, body.session_ids)


@router.get("/sessions/{session_id}/metadata", summary="Get a session", errors=(NOT_FOUND,))
async def get_session_metadata(
    user: CurrentUser, session_id: SessionId
) -> Result[SessionMetadataResponse, ErrorDetail]:
    """Members without a value are left out. A deleted session is answered too, with `deleted` and `deletedAt`."""
    return (await get_session_service().get_session(user.user_id, session_id)).map(SessionMetadataResponse.of)


@router.put(
    "/sessions/{session_id}/metadata",
    summary="Create or change a session",
    errors=(NOT_FOUND, SESSION_CHANGED, BAD_SESSION_ID),
)
async def update_session_metadata(
    user: CurrentUser, session_id: SessionId, body: UpdateSessionMetadataRequest
) -> Result[SessionMetadataResponse, ErrorDetail]:
    """Only the given members change; the answer is the session as stored. A session that does not exist is created.
    A deleted session is not found and not revived."""
    record = await get_session_service().update_session(user.user_id, session_id, body.to_patch())
    return record.map(SessionMetadataResponse.of)


@router.delete("/sessions/{session_id}", summary="Delete a session", errors=(NOT_FOUND, SESSION_CHANGED))
async def delete_session(user: CurrentUser, session_id: SessionId) -> Result[None, ErrorDetail]:
    """The session is hidden at once; its messages and files are deleted afterwards. Deleting it again succeeds. Costs
    are kept."""
    return await get_sessions_api().delete(user.user_id, session_id)


@router.get("/sessions/{session_id}/messages", summary="Read the messages of a session", errors=(BAD_TOKEN,))
async def get_session_messages(
    user: CurrentUser, session_id: SessionId, limit: Limit = None, next_token: NextToken = None
) -> Result[MessagesListResponse, ErrorDetail]:
    """Oldest first, each assistant message with its token usage and cost. A session without messages, or one that the
    caller does not have, is an empty list."""
    return await get_sessions_api().read_messages(user.user_id, session_id, limit, next_token)
