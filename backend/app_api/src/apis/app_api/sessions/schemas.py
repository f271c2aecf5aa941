"""The wire models of sessions and messages. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from apis.shared.sessions.models import SessionPatch, SessionPreferences, SessionRecord, SessionStatus

_PREFERENCES = ("last_model", "selected_prompt_id", "custom_prompt_text", "assistant_id")


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, protected_namespaces=())


class _WithoutNulls(_Wire):
    """Members that are null are left out; what is free-form keeps its nulls."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The members as they are declared: the serializer above only leaves some of them out."""
        declared: Any = {name: value for name, value in schema.items() if name != "serialization"}
        return handler(declared)


def _storable(value: float | None) -> float | None:
    """Tables hold numbers between 1E-130 and 1E+126; the published type says only that it is a number."""
    if value and not 1e-130 <= abs(value) < 1e126:
        msg = "the number is too large or too small"
        raise ValueError(msg)
    return value


class SessionPreferencesResponse(_WithoutNulls):
    model_config = ConfigDict(extra="allow")

    last_model: str | None = None
    last_temperature: float | None = None
    enabled_tools: list[str] | None = None
    selected_prompt_id: str | None = None
    custom_prompt_text: str | None = None
    assistant_id: str | None = None
    system_prompt_hash: str | None = None

    @classmethod
    def of(cls, preferences: SessionPreferences) -> Self:
        return cls.model_validate(preferences.model_dump(by_alias=True))


class SessionMetadataResponse(_WithoutNulls):
    """One session."""

    session_id: str
    title: str
    status: SessionStatus
    created_at: str
    last_message_at: str
    message_count: Annotated[int, Field(description="Completed turns, not messages.")]
    starred: bool | None = False
    tags: list[str] | None = None
    preferences: SessionPreferencesResponse | None = None
    deleted: bool | None = False
    deleted_at: str | None = None

    @classmethod
    def of(cls, record: SessionRecord) -> Self:
        return cls(
            session_id=record.session_id,
            title=record.title,
            status=record.status,
            created_at=record.created_at,
            last_message_at=record.last_message_at,
            message_count=record.message_count,
            starred=record.starred,
            tags=record.tags,
            preferences=SessionPreferencesResponse.of(record.preferences) if record.preferences is not None else None,
            deleted=record.deleted,
            deleted_at=record.deleted_at,
        )


class SessionsListResponse(_Wire):
    """`nextToken` is null on the last page."""

    sessions: list[SessionMetadataResponse]
    next_token: str | None = None


class UpdateSessionMetadataRequest(_Wire):
    """Null and absent members change nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Trip to Rome", "starred": True, "tags": ["travel"]}]}
    )

    title: str | None = None
    status: SessionStatus | None = None
    starred: bool | None = None
    tags: list[str] | None = None
    last_model: str | None = None
    last_temperature: Annotated[float | None, AllowInfNan(allow_inf_nan=False), AfterValidator(_storable)] = None
    enabled_tools: list[str] | None = None
    selected_prompt_id: str | None = None
    custom_prompt_text: str | None = None
    system_prompt_hash: Annotated[str | None, Field(description="Accepted and ignored.")] = None
    assistant_id: str | None = None

    def to_patch(self) -> SessionPatch:
        """Empty texts and an empty `enabledTools` change nothing; false, zero and empty `tags` do."""
        attributes: dict[str, Any] = {
            "title": self.title or None,
            "status": self.status,
            "starred": self.starred,
            "tags": self.tags,
        }
        preferences: dict[str, Any] = {to_camel(name): getattr(self, name) or None for name in _PREFERENCES}
        preferences["enabledTools"] = self.enabled_tools or None
        preferences["lastTemperature"] = self.last_temperature
        return SessionPatch(
            {name: value for name, value in attributes.items() if value is not None},
            {name: value for name, value in preferences.items() if value is not None},
        )


class BulkDeleteSessionsRequest(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [{"sessionIds": ["s1", "s2"]}]})

    session_ids: Annotated[list[str], Field(min_length=1, max_length=20)]


class BulkDeleteSessionResult(_Wire):
    session_id: str
    success: bool
    error: str | None = None


class BulkDeleteSessionsResponse(_Wire):
    """`results` has one entry per id of the request, in its order."""

    deleted_count: int
    failed_count: int
    results: list[BulkDeleteSessionResult]


class Citation(_Wire):
    assistant_id: str
    document_id: str
    file_name: str
    text: str


class MessageContent(_WithoutNulls):
    """One content block; `type` names the member that holds it."""

    type: str
    text: str | None = None
    tool_use: dict[str, Any] | None = None
    tool_result: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    document: dict[str, Any] | None = None
    reasoning_content: dict[str, Any] | None = None


class MessageResponse(_WithoutNulls):
    id: Annotated[str, Field(description="`msg-{sessionId}-{index}`, counted from 0 over the whole conversation.")]
    role: Literal["user", "assistant", "system"]
    content: list[MessageContent]
    created_at: str
    metadata: Annotated[
        dict[str, Any] | None, Field(description="Latency, token usage, model and cost of an assistant message.")
    ] = None
    citations: list[Citation] | None = None


class MessagesListResponse(_WithoutNulls):
    """`nextToken` is absent on the last page."""

    messages: list[MessageResponse]
    next_token: str | None = None
