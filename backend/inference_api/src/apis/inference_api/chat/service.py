"""From the request body to a running turn."""

from agents.turn import InlineFile, OpenTurn, TurnRequest, get_turn_service
from apis.inference_api.chat.schemas import InvocationRequest
from apis.shared.auth import User
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result


async def open_turn(user: User, body: InvocationRequest) -> Result[OpenTurn, ErrorDetail]:
    """Fails with `validation_error`, `not_found`, `conflict` and `forbidden`."""
    return await get_turn_service().open(
        TurnRequest(
            user=user,
            session_id=body.session_id,
            message=body.message,
            model_id=body.model_id,
            temperature=body.temperature,
            system_prompt=body.system_prompt,
            caching_enabled=body.caching_enabled,
            enabled_tools=None if body.enabled_tools is None else tuple(body.enabled_tools),
            files=tuple(InlineFile(file.filename, file.content_type, file.bytes) for file in body.files or ()),
            file_upload_ids=tuple(body.file_upload_ids or ()),
            provider=body.provider,
            max_tokens=body.max_tokens,
            assistant_id=body.assistant_id,
        )
    )
