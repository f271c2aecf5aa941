from apis.inference_api.chat.schemas import InvocationRequest
from apis.inference_api.chat.service import open_turn
from apis.shared.auth import TrustedUser
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.http import GUARDED, EventStream, ResultRouter
from apis.shared.result import Result

router = ResultRouter(tags=["Chat"], errors=(*GUARDED, ErrorCode.INTERNAL_ERROR))

STREAM_EXAMPLE = """event: message_start
data: {"role": "assistant"}

event: content_block_delta
data: {"contentBlockIndex": 0, "type": "text", "text": "Hello"}

event: content_block_stop
data: {"contentBlockIndex": 0}

event: message_stop
data: {"stopReason": "end_turn"}

event: metadata
data: {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {"latencyMs": 420}}

event: done
data: {}

"""


@router.post(
    "/invocations",
    summary="Send a message and stream the answer",
    errors=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.BAD_REQUEST, ErrorCode.SERVICE_UNAVAILABLE),
    responses={
        200: {
            "description": "The answer as server-sent events. A failure after this point arrives as `stream_error`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
        }
    },
)
async def invocations(
    user: TrustedUser,
    body: InvocationRequest,
) -> Result[EventStream, ErrorDetail]:
    """What the caller can correct is answered with an HTTP status before the stream; every other failure of the turn
    is an assistant message in the stream, followed by `stream_error` and `done`, and stays in the history.

    Aborting the request stops the answer. A query (clients send `qualifier`) is accepted and ignored.
    """
    turn = await open_turn(user, body)
    return turn.map(
        lambda opened: EventStream(
            opened.stream(), session_id=body.session_id, record_failure=opened.record_failure, close=opened.close
        )
    )
