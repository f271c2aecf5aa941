"""The wire models of sessions and messages. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, FailFast, Field
from pydantic.alias_generators import to_camel

from apis.shared.http import Wire, WireWithoutNulls
from apis.shared.http.bounds import KeyId, Prose, ShortText, Tags, Temperature, Title, ToolIds
from apis.shared.sessions.models import SessionPage, SessionPatch, SessionStatus

_PREFERENCES = ("last_model", "selected_prompt_id", "custom_prompt_text", "assistant_id")

_MOMENT = "UTC, ISO 8601 with microseconds."


class SessionPreferencesResponse(WireWithoutNulls):
    """What the last turn used. Further members that a client has stored are sent as they are."""

    model_config = ConfigDict(extra="allow")

    last_model: Annotated[str | None, Field(description="Id of the model.")] = None
    last_temperature: Annotated[float | None, Field(description="0 is a value.")] = None
    enabled_tools: Annotated[list[str] | None, Field(description="Ids of the tools that the turn could use.")] = None
    selected_prompt_id: Annotated[str | None, Field(description="Id of the chosen system prompt.")] = None
    custom_prompt_text: Annotated[str | None, Field(description="A system prompt of the user's own.")] = None
    assistant_id: Annotated[str | None, Field(description="The assistant that the session is bound to.")] = None
    system_prompt_hash: Annotated[
        str | None, Field(description="Tells whether two turns had the same system prompt.")
    ] = None


class SessionMetadataResponse(WireWithoutNulls):
    """One session."""

    session_id: Annotated[str, Field(description="The id that the client gave the session.")]
    title: Annotated[str, Field(description="May be empty.")]
    status: Annotated[SessionStatus, Field(description="`archived` is the client's own mark.")]
    created_at: Annotated[str, Field(description=_MOMENT)]
    last_message_at: Annotated[str, Field(description=f"{_MOMENT} The list is sorted by it.")]
    message_count: Annotated[int, Field(description="Completed turns, not messages.")]
    starred: Annotated[bool | None, Field(description="Whether the user has marked it.")] = False
    tags: Annotated[list[str] | None, Field(description="The user's own words for it.")] = None
    preferences: Annotated[SessionPreferencesResponse | None, Field(description="Absent before the first turn.")] = None
    deleted: Annotated[bool | None, Field(description="A deleted session cannot be used any more.")] = False
    deleted_at: Annotated[str | None, Field(description=_MOMENT)] = None


class SessionsListResponse(Wire):
    """One page of sessions."""

    sessions: Annotated[list[SessionMetadataResponse], Field(description="The one with the latest message first.")]
    next_token: Annotated[str | None, Field(description="For the next page; null on the last one.")] = None

    @classmethod
    def of_page(cls, page: SessionPage) -> Self:
        return cls(sessions=[SessionMetadataResponse.of(record) for record in page.records], next_token=page.next_token)


class UpdateSessionMetadataRequest(Wire):
    """Null and absent members change nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Trip to Rome", "starred": True, "tags": ["travel"]}]}
    )

    title: Annotated[Title | None, Field(description="An empty text changes nothing.")] = None
    status: Annotated[
        SessionStatus | None, Field(description="A mark of the client; `deleted` does not delete the session.")
    ] = None
    starred: Annotated[bool | None, Field(description="Whether the user has marked the session.")] = None
    tags: Annotated[Tags | None, Field(description="Replaces the whole list; an empty one clears it.")] = None
    last_model: Annotated[ShortText | None, Field(description="Id of the model that is chosen next time.")] = None
    last_temperature: Annotated[Temperature | None, Field(description="0 is a value.")] = None
    enabled_tools: Annotated[ToolIds | None, Field(description="Ids of tools; an empty list changes nothing.")] = None
    selected_prompt_id: Annotated[ShortText | None, Field(description="Id of the chosen system prompt.")] = None
    custom_prompt_text: Annotated[Prose | None, Field(description="A system prompt of the user's own.")] = None
    system_prompt_hash: Annotated[ShortText | None, Field(description="Accepted and ignored.")] = None
    assistant_id: Annotated[KeyId | None, Field(description="The assistant that the session is bound to.")] = None

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


class BulkDeleteSessionsRequest(Wire):
    """Which sessions to delete."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sessionIds": ["s1", "s2"]}]})

    session_ids: Annotated[
        list[KeyId],
        FailFast(),
        Field(min_length=1, max_length=20, description="An id that is given twice is deleted once and answered twice."),
    ]


class BulkDeleteSessionResult(Wire):
    """What became of one id."""

    session_id: Annotated[str, Field(description="The id as it was given.")]
    success: Annotated[bool, Field(description="Whether the session is deleted now.")]
    error: Annotated[str | None, Field(description="A sentence for the user; null on success.")] = None


class BulkDeleteSessionsResponse(Wire):
    """What became of each id."""

    deleted_count: Annotated[int, Field(description="How many results are a success.")]
    failed_count: Annotated[int, Field(description="How many are not.")]
    results: Annotated[
        list[BulkDeleteSessionResult], Field(description="One entry per id of the request, in its order.")
    ]


class Citation(Wire):
    """A passage that an assistant's answer rests on."""

    assistant_id: Annotated[str, Field(description="The assistant whose documents were searched.")]
    document_id: Annotated[str, Field(description="Empty in old records.")]
    file_name: Annotated[str, Field(description="Name of the document.")]
    text: Annotated[str, Field(description="The passage, shortened.")]


class MessageContent(WireWithoutNulls):
    """One content block; `type` names the member that holds it."""

    type: Annotated[str, Field(description="`text`, `toolUse`, `toolResult`, `image`, `document`, `reasoningContent`.")]
    text: Annotated[str | None, Field(description="Markdown.")] = None
    tool_use: Annotated[dict[str, Any] | None, Field(description="`toolUseId`, `name` and `input`.")] = None
    tool_result: Annotated[
        dict[str, Any] | None, Field(description="`toolUseId`, `status` and `content`: what the tool answered.")
    ] = None
    image: Annotated[dict[str, Any] | None, Field(description="`format` and `data` in base64.")] = None
    document: Annotated[dict[str, Any] | None, Field(description="`format`, `name` and `data` in base64.")] = None
    reasoning_content: Annotated[
        dict[str, Any] | None, Field(description="`reasoningText` with `text`, or `redactedContent` in base64.")
    ] = None


class MessageResponse(WireWithoutNulls):
    """One message of a conversation."""

    id: Annotated[str, Field(description="`msg-{sessionId}-{index}`, counted from 0 over the whole conversation.")]
    role: Annotated[
        Literal["user", "assistant", "system"], Field(description="Results of tools stand in messages of the user.")
    ]
    content: Annotated[list[MessageContent], Field(description="In the order in which it was said.")]
    created_at: Annotated[str, Field(description=f"{_MOMENT} Empty when it is not known.")]
    metadata: Annotated[
        dict[str, Any] | None, Field(description="Latency, token usage, model and cost of an assistant message.")
    ] = None
    citations: Annotated[
        list[Citation] | None, Field(description="What an assistant's answer rests on; absent without any.")
    ] = None


class MessagesListResponse(WireWithoutNulls):
    """One page of messages."""

    messages: Annotated[list[MessageResponse], Field(description="Oldest first.")]
    next_token: Annotated[str | None, Field(description="For the next page; absent on the last one.")] = None
