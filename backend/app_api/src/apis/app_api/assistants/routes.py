from typing import Annotated

from fastapi import Path, Query

from agents.failures import NOT_CONFIGURED
from agents.turn.test_chat import NO_DOCUMENTS, get_test_chats
from apis.app_api.assistants.schemas import (
    AssistantResponse,
    AssistantSharesResponse,
    AssistantsListResponse,
    AssistantTestChatRequest,
    CreateAssistantDraftRequest,
    CreateAssistantRequest,
    ShareAssistantRequest,
    UnshareAssistantRequest,
    UpdateAssistantRequest,
)
from apis.app_api.assistants.service import get_assistants_api
from apis.shared.assistants.models import NO_ACCESS, AssistantStatus, assistant_not_found
from apis.shared.assistants.service import TOO_LARGE, get_assistant_service
from apis.shared.auth import CurrentUser
from apis.shared.aws.embeddings import REFUSED as NOT_SEARCHED
from apis.shared.errors import ErrorDetail, bad_request, validation_error
from apis.shared.http import GUARDED, STORE_ERRORS, EventStream, ResultRouter
from apis.shared.http.bounds import PageToken
from apis.shared.quota.events import QuotaExceededResponse
from apis.shared.result import Result

router = ResultRouter(prefix="/assistants", tags=["Assistants"], errors=(*GUARDED, *STORE_ERRORS))

# As OpenAPI shows them.
BAD_TOKEN = bad_request("The next_token is not valid. Please reload the list.", field="query.next_token")
QUOTA_EXCEEDED = QuotaExceededResponse(
    message="The quota of Basic is used up. Your quota resets in 12 day(s).",
    current_usage=10.5,
    quota_limit=10,
    percentage_used=105,
    period_type="monthly",
    tier_name="Basic",
    reset_info="Your quota resets in 12 day(s).",
).to_error()
EMPTY_MESSAGE = validation_error("The message must not be empty.", field="body.message")
NOT_FOUND = assistant_not_found("ast-0123456789ab")

_TEST_CHAT = (
    'event: debug\ndata: {"type": "rag_debug", "chunk_count": 0, "chunks": []}\n\n'
    'event: message_start\ndata: {"role": "assistant"}\n\n'
    'event: content_block_delta\ndata: {"contentBlockIndex": 0, "type": "text", "text": "Until 30 June."}\n\n'
    'event: content_block_stop\ndata: {"contentBlockIndex": 0}\n\n'
    'event: message_stop\ndata: {"stopReason": "end_turn"}\n\n'
    "event: done\ndata: {}\n\n"
)

AssistantId = Annotated[str, Path(description="Our id of the assistant.", examples=["ast-0123456789ab"])]


@router.post("/draft", summary="Begin an assistant")
async def create_assistant_draft(
    user: CurrentUser, body: CreateAssistantDraftRequest
) -> Result[AssistantResponse, ErrorDetail]:
    """A private one without instructions, which lists leave out unless they are asked for drafts."""
    return (await get_assistant_service().create(user, body.to_assistant())).map(AssistantResponse.of)


@router.post("", summary="Create an assistant", errors=(TOO_LARGE,))
async def create_assistant(user: CurrentUser, body: CreateAssistantRequest) -> Result[AssistantResponse, ErrorDetail]:
    """A complete one."""
    return (await get_assistant_service().create(user, body.to_assistant())).map(AssistantResponse.of)


@router.get("", summary="List assistants", errors=(BAD_TOKEN,))
async def list_assistants(
    user: CurrentUser,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="At most this many of the caller's own.")] = None,
    next_token: Annotated[PageToken | None, Query(description="`nextToken` of the previous answer.")] = None,
    include_archived: Annotated[bool, Query(description="Archived ones too.")] = False,
    include_drafts: Annotated[bool, Query(description="Drafts too.")] = False,
    include_public: Annotated[bool, Query(description="Accepted and ignored.")] = False,  # noqa: ARG001 - as it says
) -> Result[AssistantsListResponse, ErrorDetail]:
    """The caller's own, and those that are shared with the caller's e-mail, which all stand on the first page.

    Public ones of others are in no list; who knows the id of one may use it.
    """
    statuses: list[AssistantStatus] = ["COMPLETE"]
    statuses += ["ARCHIVED"] if include_archived else []
    statuses += ["DRAFT"] if include_drafts else []
    page = await get_assistant_service().list_for(user, statuses, limit=limit, token=next_token)
    return page.map(AssistantsListResponse.of_page)


@router.get("/{assistant_id}", summary="Get an assistant", errors=(NOT_FOUND, NO_ACCESS))
async def get_assistant(user: CurrentUser, assistant_id: AssistantId) -> Result[AssistantResponse, ErrorDetail]:
    """One that the caller may use, whatever its status."""
    return (await get_assistant_service().visible_to(user, assistant_id)).map(AssistantResponse.of)


@router.put("/{assistant_id}", summary="Change an assistant", errors=(NOT_FOUND, TOO_LARGE))
async def update_assistant(
    user: CurrentUser, assistant_id: AssistantId, body: UpdateAssistantRequest
) -> Result[AssistantResponse, ErrorDetail]:
    """Only the given members change. One of somebody else is not found."""
    changed = await get_assistant_service().change(user.user_id, assistant_id, body.to_change())
    return changed.map(AssistantResponse.of)


@router.post("/{assistant_id}/archive", summary="Archive an assistant", errors=(NOT_FOUND,))
async def archive_assistant(user: CurrentUser, assistant_id: AssistantId) -> Result[AssistantResponse, ErrorDetail]:
    """It leaves the lists and stays usable. Changing its status to `COMPLETE` brings it back."""
    archived = await get_assistant_service().change(user.user_id, assistant_id, {"status": "ARCHIVED"})
    return archived.map(AssistantResponse.of)


@router.delete("/{assistant_id}", summary="Delete an assistant", errors=(NOT_FOUND,))
async def delete_assistant(user: CurrentUser, assistant_id: AssistantId) -> Result[None, ErrorDetail]:
    """With its documents and shares. After a failure it is still there, and the request can be repeated."""
    return await get_assistants_api().delete(user.user_id, assistant_id)


@router.post(
    "/{assistant_id}/test-chat",
    summary="Test an assistant",
    errors=(
        NOT_FOUND,
        NO_DOCUMENTS,
        EMPTY_MESSAGE,
        QUOTA_EXCEEDED,
        NOT_SEARCHED,
        NOT_CONFIGURED,
    ),
    responses={
        200: {
            "description": "The answer as server-sent events, from `debug`, which shows what was found in the "
            "documents, to `done`. A failure after this point arrives as `stream_error`.",
            "headers": {
                "X-Session-ID": {
                    "description": "Under which the usage is recorded.",
                    "schema": {"type": "string"},
                },
            },
            "content": {"text/event-stream": {"example": _TEST_CHAT}},
        }
    },
)
async def test_chat(
    user: CurrentUser, assistant_id: AssistantId, body: AssistantTestChatRequest
) -> Result[EventStream, ErrorDetail]:
    """Its instructions and its documents, without tools and without a history: nothing is kept but the usage."""
    opened = await get_test_chats().open(user, assistant_id, body.message, body.session_id)
    return opened.map(
        lambda chat: EventStream(
            chat.turn.stream(),
            session_id=chat.session_id,
            record_failure=chat.turn.record_failure,
            close=chat.turn.close,
        )
    )


@router.post("/{assistant_id}/shares", summary="Share an assistant", errors=(NOT_FOUND,))
async def share_assistant(
    user: CurrentUser, assistant_id: AssistantId, body: ShareAssistantRequest
) -> Result[AssistantSharesResponse, ErrorDetail]:
    """It counts as long as the assistant's visibility is `SHARED`, which this does not change. After a failure
    `metadata.notShared` names those that it is not shared with."""
    shared = await get_assistant_service().share(user.user_id, assistant_id, body.emails)
    return shared.map(lambda emails: AssistantSharesResponse(assistant_id=assistant_id, shared_with=emails))


@router.delete("/{assistant_id}/shares", summary="Stop sharing an assistant", errors=(NOT_FOUND,))
async def unshare_assistant(
    user: CurrentUser, assistant_id: AssistantId, body: UnshareAssistantRequest
) -> Result[AssistantSharesResponse, ErrorDetail]:
    """They lose access at once. The answer is whom it is still shared with."""
    unshared = await get_assistant_service().unshare(user.user_id, assistant_id, body.emails)
    return unshared.map(lambda emails: AssistantSharesResponse(assistant_id=assistant_id, shared_with=emails))


@router.get("/{assistant_id}/shares", summary="List whom an assistant is shared with", errors=(NOT_FOUND,))
async def get_assistant_shares(
    user: CurrentUser, assistant_id: AssistantId
) -> Result[AssistantSharesResponse, ErrorDetail]:
    """All of them, whether the assistant's visibility lets them count or not."""
    shares = await get_assistant_service().shares(user.user_id, assistant_id)
    return shares.map(lambda emails: AssistantSharesResponse(assistant_id=assistant_id, shared_with=emails))
