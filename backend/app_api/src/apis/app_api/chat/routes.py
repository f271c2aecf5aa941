from starlette.responses import StreamingResponse

from agents.turn.assistants import BOUND_TO_ANOTHER, NOT_NEW
from agents.turn.live import BUSY
from apis.app_api.chat import service
from apis.app_api.chat.schemas import ChatRequest, GenerateTitleRequest, GenerateTitleResponse
from apis.shared.assistants.models import NO_ACCESS
from apis.shared.auth import CurrentUser
from apis.shared.errors import ErrorCode, ErrorDetail, validation_error
from apis.shared.http import GUARDED, STORE_ERRORS, EventStream, ResultRouter, described_turn
from apis.shared.result import Result
from apis.shared.sessions.repository import SESSION_CHANGED, session_not_found

router = ResultRouter(tags=["Chat"], errors=GUARDED)

# As OpenAPI shows them.
NOT_FOUND = session_not_found("2f6c1c1e-5b0e-4a54-9f0a")
EMPTY_MESSAGE = validation_error("The message must not be empty.", field="body.message")
_ANSWER = (
    'event: message_start\ndata: {"role": "assistant"}\n\n'
    'event: content_block_delta\ndata: {"contentBlockIndex": 0, "type": "text", "text": "Hello."}\n\n'
    'event: content_block_stop\ndata: {"contentBlockIndex": 0}\n\n'
    'event: message_stop\ndata: {"stopReason": "end_turn"}\n\n'
    "event: done\ndata: {}\n\n"
)
_ECHO = (
    'data: {"type": "init", "content": "Processing multimodal input", '
    '"metadata": {"session_id": "2f6c1c1e-5b0e-4a54-9f0a", "file_count": 0}}\n\n'
    'data: {"type": "text", "content": "Received ", "metadata": null}\n\n'
    'data: {"type": "complete", "content": "Multimodal processing complete", "metadata": null}\n\n'
)


@router.post(
    "/chat/generate-title",
    summary="Name a new conversation",
    errors=(*STORE_ERRORS, NOT_FOUND, SESSION_CHANGED, service.BAD_SESSION_ID),
)
async def generate_title(user: CurrentUser, body: GenerateTitleRequest) -> Result[GenerateTitleResponse, ErrorDetail]:
    """After its first turn. The answer is the title that the session has: one that somebody has given it stays, and
    where the model gives none it is `New Conversation`."""
    return await service.generate_title(user, body)


@router.post(
    "/chat/stream",
    summary="Send a message and stream the answer of the default model",
    errors=(
        NOT_FOUND,
        BUSY,
        BOUND_TO_ANOTHER,
        NOT_NEW,
        NO_ACCESS,
        EMPTY_MESSAGE,
        ErrorCode.INTERNAL_ERROR,
        ErrorCode.SERVICE_UNAVAILABLE,
    ),
    responses=described_turn(_ANSWER),
)
async def stream(user: CurrentUser, body: ChatRequest) -> Result[EventStream, ErrorDetail]:
    """For old clients; others use the Inference API. What the caller can correct is answered with an HTTP status;
    every other failure of the turn is an assistant message in the stream and stays in the history.

    A session that an assistant has answered before goes on with it. Aborting the request stops the answer.
    """
    turn = await service.open_turn(user, body)
    return turn.map(
        lambda opened: EventStream(
            opened.stream(), session_id=body.session_id, record_failure=opened.record_failure, close=opened.close
        )
    )


@router.post(
    "/chat/multimodal",
    summary="Repeat a message",
    errors=(EMPTY_MESSAGE, ErrorCode.INTERNAL_ERROR),
    responses={
        200: {
            "description": "The message, word by word, as `data:` lines without event names.",
            "content": {"text/event-stream": {"example": _ECHO}},
        }
    },
)
async def multimodal(user: CurrentUser, body: ChatRequest) -> Result[StreamingResponse, ErrorDetail]:
    """A stub for old clients: no model is asked, and nothing is stored."""
    return service.echo(user, body).map(
        lambda frames: StreamingResponse(
            frames,
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
            },
        )
    )
