"""Titles of new conversations, turns, and the echo of multimodal messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from agents.turn import InlineFile, OpenTurn, TurnRequest, get_turn_service
from agents.turn.request import CHAT_STREAM, check_request
from apis.app_api.chat.schemas import ChatRequest, GenerateTitleRequest, GenerateTitleResponse
from apis.app_api.chat.titles import title_of, title_prompt
from apis.shared.auth import User
from apis.shared.aws.bedrock import first_text
from apis.shared.errors import ErrorDetail, service_unavailable, validation_error
from apis.shared.result import Failure, Result, Success, best_effort, railway
from apis.shared.sessions.metadata import get_session_service, is_unnamed
from apis.shared.sessions.models import NEW_CONVERSATION
from apis.shared.storage.session_folders import is_session_id
from apis.shared.tools.catalogue import CODE_CATALOGUE

FIRST_PAUSE_SECONDS, PAUSE_SECONDS = 0.2, 0.05
# As long as any stream may last.
MAX_WORDS = 12_000

BAD_SESSION_ID = validation_error("The session id is not valid.", field="body.session_id")
_TOO_LONG = "The message is too long to be repeated as a whole."


@railway
async def generate_title(user: User, request: GenerateTitleRequest) -> Result[GenerateTitleResponse, ErrorDetail]:
    """The title that the session has afterwards. A name that somebody gave it stays. Fails with `not_found` for a
    foreign or deleted session; a model that gives no title is no failure."""
    if not is_session_id(request.session_id):
        return Failure(BAD_SESSION_ID)
    sessions = get_session_service()
    record = (await sessions.check_turn(user.user_id, request.session_id)).unwrap()
    if record is not None and not is_unnamed(record):
        return Success(GenerateTitleResponse(title=record.title, session_id=request.session_id))
    title = await _title_for(request.input)
    named = (await sessions.name_session(user.user_id, request.session_id, title, record)).unwrap()
    return Success(GenerateTitleResponse(title=named, session_id=request.session_id))


async def _title_for(text: str) -> str:
    if not text.strip():
        return NEW_CONVERSATION
    return await best_effort(
        _asked(text),
        reason="The session keeps the name of a conversation that has none yet, and the user can rename it.",
        default=NEW_CONVERSATION,
    )


@railway
async def _asked(text: str) -> Result[str, ErrorDetail]:
    title = title_of((await first_text(title_prompt(text))).unwrap())
    return Success(title) if title else Failure(service_unavailable(None, reason="an answer without a title"))


async def open_turn(user: User, request: ChatRequest) -> Result[OpenTurn, ErrorDetail]:
    """With the default model. Fails with `bad_request` and `forbidden` for the assistant, and as the turn does with
    `validation_error`, `not_found` and `conflict`."""
    return await get_turn_service().open(_turn(user, request))


def echo(user: User, request: ChatRequest) -> Result[AsyncIterator[bytes], ErrorDetail]:
    """The frames that repeat the message, word by word. Fails with `validation_error`."""
    return check_request(_turn(user, request)).map(_echoed)


def _turn(user: User, request: ChatRequest) -> TurnRequest:
    """A request that names no tools means all that the platform brings; those that the user may not use go later."""
    return TurnRequest(
        user=user,
        session_id=request.session_id,
        message=request.message,
        enabled_tools=tuple(CODE_CATALOGUE if request.enabled_tools is None else request.enabled_tools),
        files=tuple(InlineFile(file.filename, file.content_type, file.bytes) for file in request.files or ()),
        file_upload_ids=tuple(request.file_upload_ids or ()),
        assistant_id=request.assistant_id,
        endpoint=CHAT_STREAM,
    )


async def _echoed(turn: TurnRequest) -> AsyncIterator[bytes]:
    yield _frame("init", "Processing multimodal input", {"session_id": turn.session_id, "file_count": len(turn.files)})
    await asyncio.sleep(FIRST_PAUSE_SECONDS)
    words = _echo_text(turn.message, [file.filename for file in turn.files]).split()
    for word in words[:MAX_WORDS]:
        yield _frame("text", f"{word} ")
        await asyncio.sleep(PAUSE_SECONDS)
    if len(words) > MAX_WORDS:
        yield _frame("error", _TOO_LONG)
    else:
        yield _frame("complete", "Multimodal processing complete")


def _echo_text(message: str, names: Sequence[str]) -> str:
    files = f" and {len(names)} file(s): {', '.join(names)}" if names else ""
    return f"Received message: '{message}'{files}"


def _frame(kind: str, content: str, metadata: dict[str, object] | None = None) -> bytes:
    """Without an `event:` line: what old clients read."""
    return f"data: {json.dumps({'type': kind, 'content': content, 'metadata': metadata})}\n\n".encode()
