from agents.turn.assistants import BOUND_TO_ANOTHER, NOT_NEW
from agents.turn.live import BUSY
from agents.turn.service import NO_MODEL_ACCESS
from apis.inference_api.chat.examples import STREAM
from apis.inference_api.chat.schemas import InvocationRequest
from apis.inference_api.chat.service import open_turn
from apis.shared.assistants.models import NO_ACCESS
from apis.shared.auth import TrustedUser
from apis.shared.errors import ErrorCode, ErrorDetail, validation_error
from apis.shared.http import GUARDED, EventStream, ResultRouter, described_turn
from apis.shared.result import Result
from apis.shared.sessions.repository import session_not_found

router = ResultRouter(tags=["Chat"], errors=(*GUARDED, ErrorCode.INTERNAL_ERROR))


@router.post(
    "/invocations",
    summary="Send a message and stream the answer",
    errors=(
        session_not_found("2f6c1c1e-5b0e-4a54-9f0a"),
        BUSY,
        BOUND_TO_ANOTHER,
        NOT_NEW,
        NO_ACCESS,
        NO_MODEL_ACCESS,
        validation_error("The message must not be empty.", field="body.message"),
        ErrorCode.SERVICE_UNAVAILABLE,
    ),
    responses=described_turn(STREAM),
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
