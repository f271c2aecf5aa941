"""What a client asks of a turn, and the rules that its published schema does not express."""

from dataclasses import dataclass

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, validation_error
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.models import NEW_CONVERSATION
from apis.shared.storage.session_folders import is_session_id


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A file sent with the message; `data` is standard base64."""

    filename: str
    content_type: str
    data: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """In what the chat endpoints differ. `continues_assistant`: without an assistant in the request the session's own
    one answers; `new_title` is that of a session made by attaching an assistant."""

    continues_assistant: bool
    typed_citations: bool
    new_title: str


INVOCATIONS = Endpoint(continues_assistant=False, typed_citations=False, new_title="")
CHAT_STREAM = Endpoint(continues_assistant=True, typed_citations=True, new_title=NEW_CONVERSATION)


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """Members as in the request body; None stands for an absent or null member."""

    user: User
    session_id: str
    message: str
    model_id: str | None = None
    temperature: float | None = None
    system_prompt: str | None = None
    caching_enabled: bool | None = None
    enabled_tools: tuple[str, ...] | None = None
    files: tuple[InlineFile, ...] = ()
    file_upload_ids: tuple[str, ...] = ()
    provider: str | None = None
    max_tokens: int | None = None
    assistant_id: str | None = None
    endpoint: Endpoint = INVOCATIONS


def check_request(request: TurnRequest) -> Result[TurnRequest, ErrorDetail]:
    """The session id rule, and a message that says something unless a file speaks for it."""
    if not is_session_id(request.session_id):
        return Failure(
            validation_error(
                "A session id has 1 to 100 letters, digits, underscores and hyphens and begins with a letter or digit.",
                field="body.session_id",
            )
        )
    if not request.message.strip() and not request.files and not request.file_upload_ids:
        return Failure(validation_error("The message must not be empty.", field="body.message"))
    return Success(request)
