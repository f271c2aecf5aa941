from typing import Annotated

from fastapi import Path, Query

from apis.app_api.memory import service
from apis.app_api.memory.schemas import (
    AllMemoriesResponse,
    DeleteMemoryResponse,
    MemoriesResponse,
    MemorySearchRequest,
    MemoryStatusResponse,
    OptionalSearchText,
    StrategiesResponse,
)
from apis.shared.auth import CurrentUser
from apis.shared.errors import ErrorDetail, validation_error
from apis.shared.http import GUARDED, STORE_ERRORS, ResultRouter
from apis.shared.memory.repository import record_not_found
from apis.shared.memory.service import NOT_AVAILABLE, NOT_YOURS
from apis.shared.result import Failure, Result
from apis.shared.storage.session_folders import is_session_id

router = ResultRouter(tags=["Memory"], errors=(*GUARDED, *STORE_ERRORS, NOT_AVAILABLE))
# It answers everywhere.
status_router = ResultRouter(tags=["Memory"], errors=(*GUARDED, *STORE_ERRORS))

# As OpenAPI shows them.
BAD_SESSION_ID = validation_error("The session id is not valid.", field="path.session_id")
NOT_FOUND = record_not_found("mem-6d1f4b0a-9c8e-4f57-8a53-0d0f5e0c2b7e")

SearchQuery = Annotated[OptionalSearchText, Query(description="In plain words; without it, what is most typical.")]
TopK = Annotated[int, Query(alias="topK", ge=1, le=50, description="At most so many.")]
SessionId = Annotated[str, Path(description="The client's id of the session.", examples=["2f6c1c1e-5b0e-4a54-9f0a"])]
RecordId = Annotated[str, Path(description="`recordId` of a list.", examples=["mem-6d1f4b0a-9c8e-4f57-8a53-0d0f"])]


@status_router.get("/memory/status", summary="See whether there is a long-term memory")
async def memory_status(user: CurrentUser) -> Result[MemoryStatusResponse, ErrorDetail]:  # noqa: ARG001 - guards
    """Also answered where there is none."""
    return await service.status()


@router.get("/memory", summary="See what is remembered of me")
async def all_memories(user: CurrentUser, top_k: TopK = 20) -> Result[AllMemoriesResponse, ErrorDetail]:
    """Preferences and facts, of each at most `topK`."""
    return await service.all_memories(user.user_id, top_k)


@router.get("/memory/preferences", summary="See my preferences")
async def preferences(
    user: CurrentUser, query: SearchQuery = None, top_k: TopK = 10
) -> Result[MemoriesResponse, ErrorDetail]:
    """What the caller likes and how the caller wants to be answered, as conversations showed it."""
    return await service.memories(user.user_id, "preferences", query=query, top_k=top_k)


@router.get("/memory/facts", summary="See facts about me")
async def facts(
    user: CurrentUser, query: SearchQuery = None, top_k: TopK = 10
) -> Result[MemoriesResponse, ErrorDetail]:
    """What conversations told about the caller."""
    return await service.memories(user.user_id, "facts", query=query, top_k=top_k)


@router.get("/memory/summaries/{session_id}", summary="See the summaries of a session", errors=(BAD_SESSION_ID,))
async def summaries(
    user: CurrentUser, session_id: SessionId, query: SearchQuery = None, top_k: TopK = 10
) -> Result[MemoriesResponse, ErrorDetail]:
    """Those of the caller; of a session of somebody else there are none."""
    if not is_session_id(session_id):
        return Failure(BAD_SESSION_ID)
    return await service.memories(user.user_id, "summaries", query=query, top_k=top_k, session_id=session_id)


@router.post("/memory/search", summary="Search what is remembered of me", errors=(NOT_YOURS,))
async def search(user: CurrentUser, body: MemorySearchRequest) -> Result[MemoriesResponse, ErrorDetail]:
    """In facts, unless another namespace is named, which has to be the caller's own."""
    return await service.search(user.user_id, body)


@router.get("/memory/strategies", summary="See how records are made")
async def strategies(user: CurrentUser) -> Result[StrategiesResponse, ErrorDetail]:  # noqa: ARG001 - guards
    """Those of the memory, for all users alike."""
    return await service.strategies()


@router.delete("/memory/{record_id}", summary="Forget something", errors=(NOT_FOUND,))
async def delete(user: CurrentUser, record_id: RecordId) -> Result[DeleteMemoryResponse, ErrorDetail]:
    """Only what belongs to the caller. A new record can be deleted once it is listed, which takes a moment."""
    return await service.delete(user.user_id, record_id)
