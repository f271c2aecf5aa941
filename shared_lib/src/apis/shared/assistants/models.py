"""An assistant and its shares, as stored, and what their owners say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from apis.shared.errors import ErrorDetail, forbidden, not_found
from apis.shared.records import Record, Texts

Visibility = Literal["PRIVATE", "PUBLIC", "SHARED"]
AssistantStatus = Literal["DRAFT", "COMPLETE", "ARCHIVED"]

DEFAULT_NAME: Final = "Untitled Assistant"
DEFAULT_INDEX: Final = "assistants-index"
_LONGEST_NAMED_ID = 200

NO_ACCESS: Final = forbidden("Access denied: you may not use this assistant.")


class Assistant(Record):
    """A system prompt with documents, and who may use it. Old records may lack all but the two ids.

    `owner_name` is the owner's at the creation. `vector_index_id` is a note of former times: no index is addressed by
    it.
    """

    assistant_id: str
    owner_id: str
    owner_name: str = ""
    name: str = DEFAULT_NAME
    description: str = ""
    instructions: str = ""
    vector_index_id: str = DEFAULT_INDEX
    visibility: Visibility = "PRIVATE"
    tags: Texts = Field(default_factory=list)
    usage_count: int = 0
    created_at: str = ""
    updated_at: str = Field(default_factory=lambda known: str(known["created_at"]))
    status: AssistantStatus = "COMPLETE"
    image_url: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, document: Any) -> Any:  # Any: not validated yet
        if not isinstance(document, Mapping):
            return document
        return {name: value for name, value in document.items() if value is not None}

    def is_open_to(self, user_id: str, *, has_share: bool) -> bool:
        """Whether this user may read and use it: a share counts only while the owner has not made it private."""
        match self.visibility:
            case "PUBLIC":
                return True
            case "SHARED":
                return has_share or self.owner_id == user_id
            case "PRIVATE":
                return self.owner_id == user_id


class Share(Record):
    """That one e-mail may use one assistant. `first_interacted`: its recipient has used it."""

    email: str
    assistant_id: str
    first_interacted: bool = False


@dataclass(frozen=True, slots=True)
class ListedAssistant:
    """One entry of somebody's list; `first_interacted` is None for their own."""

    assistant: Assistant
    first_interacted: bool | None = None

    @property
    def is_shared_with_me(self) -> bool:
        return self.first_interacted is not None


@dataclass(frozen=True, slots=True)
class AssistantPage:
    """`next_token` is None when there is nothing left."""

    assistants: list[ListedAssistant]
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class OwnPage:
    """Some of the owner's assistants; `next_token` as above."""

    assistants: list[Assistant]
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class NewAssistant:
    """What the owner says of an assistant to be made."""

    name: str
    description: str = ""
    instructions: str = ""
    visibility: Visibility = "PRIVATE"
    tags: list[str] = field(default_factory=list)
    image_url: str | None = None
    status: AssistantStatus = "COMPLETE"


type AssistantChange = Mapping[str, Any]
"""New values of members of an `Assistant`, by their names. Any: each member has its own type."""


def as_stored(change: AssistantChange) -> dict[str, Any]:
    """By the names of the stored attributes."""
    return {str(Assistant.model_fields[name].alias): value for name, value in change.items()}


def document_of(assistant: Assistant) -> dict[str, Any]:
    """As it is stored: what has no value is left out."""
    return {name: value for name, value in assistant.model_dump(by_alias=True).items() if value is not None}


def assistant_not_found(assistant_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id is."""
    named = f": {assistant_id}" if len(assistant_id) <= _LONGEST_NAMED_ID else ""
    return not_found(f"Assistant not found{named}")
