from typing import Annotated, Any

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field

from apis.inference_api.chat import examples


class FileContent(BaseModel):
    """A file sent with the message."""

    filename: Annotated[str, Field(description="Its ending says what kind of file it is.")]
    content_type: Annotated[str, Field(description="The MIME type.")]
    bytes: Annotated[str, Field(description="Standard base64.")]


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
    message: Annotated[str, Field(description="Not blank, unless a file is attached.")]
    model_id: Annotated[str | None, Field(description="Null: the default model.")] = None
    temperature: Annotated[float | None, Field(description="Null: 0.7."), AllowInfNan(allow_inf_nan=False)] = None
    system_prompt: Annotated[str | None, Field(description="Used as it is; null: the default prompt.")] = None
    caching_enabled: Annotated[bool | None, Field(description="Null: as the managed model says.")] = None
    enabled_tools: Annotated[list[str] | None, Field(description="Null or empty: no tools.")] = None
    files: Annotated[list[FileContent] | None, Field(description="Sent with the message, at most 20.")] = None
    file_upload_ids: Annotated[list[str] | None, Field(description="At most 5 uploaded files.")] = None
    provider: Annotated[str | None, Field(description="bedrock, openai or gemini; null: by the model id.")] = None
    max_tokens: Annotated[int | None, Field(description="Limit of the answer; values below 1 count as absent.")] = None
    assistant_id: Annotated[str | None, Field(description="The assistant that answers; only for a new session.")] = None
