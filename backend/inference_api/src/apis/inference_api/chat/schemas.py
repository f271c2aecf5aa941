from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apis.inference_api.chat import examples
from apis.shared.http.attachments import Files, UploadIds
from apis.shared.http.bounds import (
    Integer,
    KeyId,
    Prose,
    ShortText,
    Temperature,
    ToolIds,
)


def _with_example(schema: dict[str, Any]) -> None:
    schema["examples"] = [examples.request()]


class InvocationRequest(BaseModel):
    """One user message and how it is to be answered. Unknown members are ignored, nulls count as absent."""

    model_config = ConfigDict(
        extra="ignore",
        protected_namespaces=(),
        json_schema_extra=_with_example,
    )

    session_id: Annotated[
        str, Field(description="Made by the client, also for a new conversation: 1 to 100 of A-Z a-z 0-9 _ -.")
    ]
    message: Annotated[Prose, Field(description="Not blank, unless a file is attached.")]
    model_id: Annotated[KeyId | None, Field(description="Null: the default model.")] = None
    temperature: Annotated[Temperature | None, Field(description="Null: 0.7.")] = None
    system_prompt: Annotated[Prose | None, Field(description="Used as it is; null: the default prompt.")] = None
    caching_enabled: Annotated[bool | None, Field(description="Null: as the managed model says.")] = None
    enabled_tools: Annotated[ToolIds | None, Field(description="Null or empty: no tools.")] = None
    files: Annotated[Files | None, Field(description="Sent with the message, at most 20.")] = None
    file_upload_ids: Annotated[UploadIds | None, Field(description="At most 5 uploaded files.")] = None
    provider: Annotated[ShortText | None, Field(description="bedrock, openai or gemini; null: by the model id.")] = None
    max_tokens: Annotated[Integer | None, Field(description="Limit of the answer; values below 1 count as absent.")] = (
        None
    )
    assistant_id: Annotated[KeyId | None, Field(description="The assistant that answers; only for a new session.")] = (
        None
    )
