"""A session's record and its messages, as both services know them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

from pydantic import ConfigDict, Field

from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.moments import offset_form
from apis.shared.records import Record
from apis.shared.result import Failure, Result, Success

NEW_CONVERSATION = "New Conversation"
MAX_SUMMARY = 20_000
"""Characters: the record of a session holds it, and every request of the conversation."""

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
    # As it is stored: a record is readable whatever stands here.
    compaction: Any = Field(default=None, exclude=True)  # Any: see `CompactionState.read`

    def stored(self) -> dict[str, Any]:
        """The attributes that have a value, under their stored names."""
        body = self.model_dump(by_alias=True, exclude_none=True)
        if not self.deleted:
            body.pop("deleted")
        return body


@dataclass(frozen=True, slots=True)
class CompactionState:
    """How far a conversation is summarised: `checkpoint` is an index into all its stored messages, 0 for none."""

    checkpoint: int = 0
    summary: str | None = None

    @classmethod
    def read(cls, stored: object) -> Result["CompactionState", ErrorDetail]:
        """Of the stored attribute, None for an absent one; a member that makes no sense is as if it were absent. Fails
        with `internal_error` for what is no map."""
        if stored is None:
            return Success(cls())
        if not isinstance(stored, Mapping):
            return Failure(internal_error(None, entity="compaction state"))
        summary = stored.get("summary")
        kept = summary[:MAX_SUMMARY] if isinstance(summary, str) else None
        return Success(cls(_whole(stored.get("checkpoint")), kept))

    def stored(self, *, last_input_tokens: int) -> dict[str, Any]:
        return {
            "checkpoint": self.checkpoint,
            "summary": self.summary,
            "lastInputTokens": last_input_tokens,
            "updatedAt": offset_form(),
        }


def _whole(number: object) -> int:
    match number:
        case bool():
            return 0
        case int() | float() | Decimal() if math.isfinite(number) and number >= 0 and number == int(number):
            return int(number)
    return 0


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
    """Attributes to replace, and members of the preferences to replace, under their stored names. `expected` are texts
    that have not changed since they were read; an empty one may be absent."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)

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
