"""What only this API does with sessions: deleting them with all that belongs to them, and reading messages with their
costs."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence

from apis.app_api.sessions.schemas import (
    BulkDeleteSessionResult,
    BulkDeleteSessionsResponse,
    MessagesListResponse,
)
from apis.app_api.sessions.transcript import message_response
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.files.service import FileService, get_file_service
from apis.shared.lifecycle import background
from apis.shared.page_tokens import decode_index_token, encode_index_token
from apis.shared.result import Result, Success, best_effort, collect, fold, railway
from apis.shared.sessions.messages.service import get_messages
from apis.shared.sessions.metadata import SessionService, get_session_service
from apis.shared.storage.session_folders import is_session_id
from apis.shared.wiring import once

logger = logging.getLogger(__name__)


class SessionsApi:
    """What the session endpoints do for one caller at a time."""

    def __init__(self, sessions: SessionService, files: FileService) -> None:
        self._sessions = sessions
        self._files = files

    async def delete(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """Deleting again succeeds, and cleans up again."""
        deleted = await self._sessions.delete_session(user_id, session_id)
        return deleted.map(lambda _: self._clean_up_later(user_id, session_id))

    @railway
    async def bulk_delete(
        self, user_id: str, session_ids: Sequence[str]
    ) -> Result[BulkDeleteSessionsResponse, ErrorDetail]:
        outcomes = (await self._sessions.bulk_delete(user_id, session_ids)).unwrap()
        results = [
            BulkDeleteSessionResult(
                session_id=session_id,
                error=(error := fold(outcome, success=lambda _: None, failure=_told)),
                success=error is None,
            )
            for session_id, outcome in zip(session_ids, outcomes, strict=True)
        ]
        deleted = [result.session_id for result in results if result.success]
        for session_id in dict.fromkeys(deleted):
            self._clean_up_later(user_id, session_id)
        return Success(
            BulkDeleteSessionsResponse(
                deleted_count=len(deleted), failed_count=len(results) - len(deleted), results=results
            )
        )

    @railway
    async def read_messages(
        self, user_id: str, session_id: str, limit: int | None, token: str | None
    ) -> Result[MessagesListResponse, ErrorDetail]:
        """An unknown, foreign, deleted or expired session has no messages; that is no failure."""
        start = decode_index_token(token).unwrap() if token is not None else 0
        store = get_messages().unwrap()
        if not is_session_id(session_id):
            return Success(MessagesListResponse(messages=[]))
        read, costed = await asyncio.gather(
            store.read(user_id, session_id), self._sessions.message_costs(user_id, session_id)
        )
        costs = costed.unwrap()
        if costs is None:
            return Success(MessagesListResponse(messages=[]))
        stored = read.unwrap()
        end = len(stored) if limit is None else min(start + limit, len(stored))
        messages = collect(
            message_response(session_id, index, stored[index], costs.get(index)) for index in range(start, end)
        ).unwrap()
        return Success(
            MessagesListResponse(messages=messages, next_token=encode_index_token(end) if end < len(stored) else None)
        )

    def _clean_up_later(self, user_id: str, session_id: str) -> None:
        background.spawn(self._clean_up(user_id, session_id), name="clean up a deleted session")

    async def _clean_up(self, user_id: str, session_id: str) -> None:
        await asyncio.gather(
            best_effort(
                _logged(_delete_messages(user_id, session_id), session_id),
                reason="The session is hidden already, its messages expire in 90 days, and a second delete repeats it.",
                default=None,
            ),
            best_effort(
                _logged(self._files.delete_session_files(user_id, session_id), session_id),
                reason="The session is hidden already; its files stay listed, counted and deletable.",
                default=None,
            ),
        )


@railway
async def _delete_messages(user_id: str, session_id: str) -> Result[int, ErrorDetail]:
    store = get_messages().unwrap()
    return await store.delete(user_id, session_id)


async def _logged(work: Awaitable[Result[int, ErrorDetail]], session_id: str) -> Result[int, ErrorDetail]:
    """The failure at error level, with the session: an operator may want to delete it again."""
    return (await work).alt(lambda error: _log(error, session_id))


def _log(error: ErrorDetail, session_id: str) -> ErrorDetail:
    logger.error(
        "a deleted session could not be cleaned up",
        extra={"session_id": session_id, "code": error.code.value, "context": error.context},
    )
    return error


def _told(error: ErrorDetail) -> str:
    return "Session not found" if error.code is ErrorCode.NOT_FOUND else error.message


@once
def get_sessions_api() -> SessionsApi:
    return SessionsApi(get_session_service(), get_file_service())
