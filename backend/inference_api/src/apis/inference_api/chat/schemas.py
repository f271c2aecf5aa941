from typing import Annotated

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field


class FileContent(BaseModel):
    """A file sent with the message."""

    filename: str
    content_type: str
    bytes: Annotated[str, Field(description="Standard base64.")]


class InvocationRequest(BaseModel):
    """One user message and how it is to be answered. Unknown members are ignored, nulls count as absent."""

    model_config = ConfigDict(
        extra="ignore",
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "session_id": "2f6c1c1e-5b0e-4a54-9f0a-0d6f8f2b7c11",
                    "message": "Explain photosynthesis in two sentences.",
                    "model_id": None,
                    "enabled_tools": ["calculator"],
                }
            ]
        },
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
    files: list[FileContent] | None = None
    file_upload_ids: Annotated[list[str] | None, Field(description="At most 5 uploaded files.")] = None
    provider: Annotated[str | None, Field(description="bedrock, openai or gemini; null: by the model id.")] = None
    max_tokens: Annotated[int | None, Field(description="Limit of the answer; values below 1 count as absent.")] = None
    assistant_id: str | None = None
