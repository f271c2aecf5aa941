"""The wire models of assistants and their shares. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, FailFast, Field

from apis.shared.assistants.models import (
    DEFAULT_NAME,
    AssistantPage,
    AssistantStatus,
    ListedAssistant,
    NewAssistant,
    Visibility,
)
from apis.shared.emails import normal_email
from apis.shared.http import Wire, WireWithoutNulls
from apis.shared.http.bounds import Prose, ShortText, Tags, Title, count_at_most

MOST_EMAILS = 1_000
_LONGEST_EMAIL, _LONGEST_EMAIL_BYTES = 320, 1_000


def _emails(texts: list[str]) -> list[str]:
    """In their normal form, each once; blank ones are dropped."""
    emails = list(dict.fromkeys(email for text in texts if (email := normal_email(text))))
    if not emails:
        msg = "at least one e-mail address is needed"
        raise ValueError(msg)
    if any(len(email) > _LONGEST_EMAIL or len(email.encode()) > _LONGEST_EMAIL_BYTES for email in emails):
        msg = f"an e-mail address has at most {_LONGEST_EMAIL} characters"
        raise ValueError(msg)
    return emails


Emails = Annotated[
    list[ShortText], FailFast(), Field(min_length=1), count_at_most(MOST_EMAILS), AfterValidator(_emails)
]


class CreateAssistantDraftRequest(Wire):
    """An assistant to begin with."""

    name: Annotated[Title | None, Field(description=f"By default `{DEFAULT_NAME}`.")] = None

    def to_assistant(self) -> NewAssistant:
        return NewAssistant(name=self.name or DEFAULT_NAME, status="DRAFT")


class CreateAssistantRequest(Wire):
    """A complete assistant."""

    name: Annotated[Title, Field(description="May be empty.")]
    description: Annotated[Prose, Field(description="For those who choose an assistant; may be empty.")]
    instructions: Annotated[Prose, Field(description="What the model is told; may be empty.")]
    visibility: Annotated[Visibility, Field(description="Who may use it.")] = "PRIVATE"
    tags: Annotated[Tags | None, Field(description="Null as none.")] = None
    image_url: Annotated[ShortText | None, Field(description="Of a picture.")] = None

    def to_assistant(self) -> NewAssistant:
        return NewAssistant(
            name=self.name,
            description=self.description,
            instructions=self.instructions,
            visibility=self.visibility,
            tags=self.tags or [],
            image_url=self.image_url,
        )


class UpdateAssistantRequest(Wire):
    """What is to change. Members that are absent or null stay; empty texts and lists are values."""

    name: Annotated[Title | None, Field(description="What it is called.")] = None
    description: Annotated[Prose | None, Field(description="For those who choose an assistant.")] = None
    instructions: Annotated[Prose | None, Field(description="What the model is told.")] = None
    visibility: Annotated[Visibility | None, Field(description="Who may use it.")] = None
    tags: Annotated[Tags | None, Field(description="All of them.")] = None
    status: Annotated[AssistantStatus | None, Field(description="Any status may follow any other.")] = None
    image_url: Annotated[ShortText | None, Field(description="Of a picture; empty for none.")] = None

    def to_change(self) -> dict[str, Any]:
        """By the names of the members."""
        return self.model_dump(exclude_none=True)


class AssistantResponse(WireWithoutNulls):
    """One assistant. Members without a value are left out."""

    assistant_id: Annotated[str, Field(description="Our id of it.", examples=["ast-0123456789ab"])]
    owner_name: Annotated[str, Field(description="The owner's name when it was made.")]
    name: Annotated[str, Field(description="What it is called.")]
    description: Annotated[str, Field(description="For those who choose an assistant.")]
    instructions: Annotated[str, Field(description="What the model is told.")]
    vector_index_id: Annotated[str, Field(description="Informs only.")]
    visibility: Annotated[Visibility, Field(description="`SHARED`: those with whom it is shared by e-mail.")]
    tags: Annotated[list[str], Field(description="The owner's own words.")]
    usage_count: Annotated[int, Field(description="Always 0.")]
    created_at: Annotated[str, Field(description="UTC, ISO 8601.")]
    updated_at: Annotated[str, Field(description="UTC, ISO 8601.")]
    status: Annotated[AssistantStatus, Field(description="An archived one stays usable.")]
    image_url: Annotated[str | None, Field(description="Of a picture.")] = None
    first_interacted: Annotated[
        bool | None, Field(description="Of one that is shared with the caller: whether it was used. Only in lists.")
    ] = None
    is_shared_with_me: Annotated[bool | None, Field(description="Whether somebody else owns it. Only in lists.")] = None

    @classmethod
    def listed(cls, entry: ListedAssistant) -> Self:
        return cls.of(entry.assistant).model_copy(
            update={"is_shared_with_me": entry.is_shared_with_me, "first_interacted": entry.first_interacted}
        )


class AssistantsListResponse(WireWithoutNulls):
    """The caller's own assistants and those that are shared with the caller."""

    assistants: Annotated[list[AssistantResponse], Field(description="The newest first.")]
    next_token: Annotated[str | None, Field(description="For the next page; absent on the last one.")] = None

    @classmethod
    def of_page(cls, page: AssistantPage) -> Self:
        return cls(
            assistants=[AssistantResponse.listed(entry) for entry in page.assistants], next_token=page.next_token
        )


class ShareAssistantRequest(Wire):
    """Whom to share it with."""

    emails: Annotated[Emails, Field(description="Compared without case; one that is named twice counts once.")]


class UnshareAssistantRequest(Wire):
    """Whom not to share it with any more."""

    emails: Annotated[Emails, Field(description="One that it is not shared with is no error.")]


class AssistantTestChatRequest(BaseModel):
    """One question to an assistant. Unknown members are ignored, nulls count as absent."""

    message: Annotated[Prose, Field(description="Not blank.")]
    session_id: Annotated[str | None, Field(description="Under which its usage is recorded; null: made up.")] = None


class AssistantSharesResponse(Wire):
    """Whom an assistant is shared with."""

    assistant_id: Annotated[str, Field(description="Our id of it.")]
    shared_with: Annotated[list[str], Field(description="All e-mails, ascending.")]
