"""The wire models of the App API's own chat operations: snake_case, as their clients send them."""

from typing import Annotated

from pydantic import BaseModel, Field

from apis.shared.http.attachments import Files, UploadIds
from apis.shared.http.bounds import KeyId, Prose, ToolIds

_SESSION_ID = "Made by the client: 1 to 100 of A-Z a-z 0-9 _ -."


class ChatRequest(BaseModel):
    """One user message. Unknown members are ignored, nulls count as absent."""

    session_id: Annotated[str, Field(description=_SESSION_ID)]
    message: Annotated[Prose, Field(description="Not blank, unless a file is attached.")]
    files: Annotated[Files | None, Field(description="Sent with the message, at most 20.")] = None
    file_upload_ids: Annotated[UploadIds | None, Field(description="At most 5 uploaded files.")] = None
    enabled_tools: Annotated[ToolIds | None, Field(description="Null: all that the caller may use.")] = None
    assistant_id: Annotated[KeyId | None, Field(description="The assistant that answers.")] = None


class GenerateTitleRequest(BaseModel):
    """The first message of a conversation."""

    session_id: Annotated[str, Field(description=_SESSION_ID)]
    input: Annotated[Prose, Field(description="What the user wrote; the first 2,000 characters count.")]


class GenerateTitleResponse(BaseModel):
    """The title that the session has now."""

    title: Annotated[str, Field(description="At most 50 characters, if the model made it.")]
    session_id: Annotated[str, Field(description="That of the request.")]
