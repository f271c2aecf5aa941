"""A session's record and its messages, as both services know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

from pydantic import ConfigDict, Field

from apis.shared.records import Record

NEW_CONVERSATION = "New Conversation"

type SessionStatus = Literal["active", "archived", "deleted"]
type ContentBlock = dict[str, Any]  # Any: one key that names the kind, {"text": ...}, {"toolUse": {...}} and so on


class Message(TypedDict):
    """One message in the Converse format; bytes are real bytes."""

    role: Literal["user", "assistant"]
    content: list[ContentBlock]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """`created_at` is the stored text, empty when there is none."""

    message: Message
    created_at: str


class SessionPreferences(Record):
    """What the last turn used. Unknown members are kept as they are."""

    model_config = ConfigDict(extra="allow")

    last_model: str | None = None
    last_temperature: float | None = None
    enabled_tools: list[str] | None = None
    selected_prompt_id: str | None = None
    custom_prompt_text: str | None = None
    assistant_id: str | None = None
    system_prompt_hash: str | None = None


class SessionRecord(Record):
    """One conversation's metadata; a null reads as absent, which is for the stores to see to. `message_count` counts
    completed turns. `sort_key` says where a table holds the record; it is empty in local files."""

    session_id: Annotated[str, Field(min_length=1)]
    user_id: str
    title: str = ""
    status: SessionStatus = "active"
    created_at: str
    last_message_at: str
    message_count: int = 0
    starred: bool = False
    tags: list[str] = Field(default_factory=list)
    preferences: SessionPreferences | None = None
    deleted: bool = False
    deleted_at: str | None = None
    sort_key: str = Field(default="", exclude=True)

    def stored(self) -> dict[str, Any]:
        """The attributes that have a value, under their stored names."""
        body = self.model_dump(by_alias=True, exclude_none=True)
        if not self.deleted:
            body.pop("deleted")
        return body


@dataclass(frozen=True, slots=True)
class TurnPreferences:
    """What a completed turn writes into the preferences; None for `enabled_tools` changes nothing."""

    last_model: str
    last_temperature: float
    enabled_tools: list[str] | None
    system_prompt_hash: str

    def members(self) -> dict[str, Any]:
        members: dict[str, Any] = {
            "lastModel": self.last_model,
            "lastTemperature": self.last_temperature,
            "systemPromptHash": self.system_prompt_hash,
        }
        if self.enabled_tools is not None:
            members["enabledTools"] = self.enabled_tools
        return members


@dataclass(frozen=True, slots=True)
class SessionPatch:
    """Attributes to replace, and members of the preferences to replace, under their stored names."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.attributes and not self.preferences


@dataclass(frozen=True, slots=True)
class SessionLookup:
    """What is known of a session id: the caller's record, further ones that the caller has of the same id (older
    data), and whether somebody else has one."""

    own: SessionRecord | None
    duplicates: tuple[SessionRecord, ...] = ()
    is_foreign: bool = False

    @property
    def active(self) -> SessionRecord | None:
        return self.own if self.own is not None and not self.own.deleted else None

    @property
    def is_taken(self) -> bool:
        """Deleted, or owned by somebody else only: to be treated as absent, and never to be written."""
        return self.active is None and (self.own is not None or self.is_foreign)


@dataclass(frozen=True, slots=True)
class SessionPage:
    records: list[SessionRecord]
    next_token: str | None
