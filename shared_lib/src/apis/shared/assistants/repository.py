"""Where assistants are: one door, a table or local files behind it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from apis.shared.assistants.models import Assistant, AssistantChange, AssistantStatus, OwnPage, Share
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result


@dataclass(frozen=True, slots=True)
class Known:
    """An assistant, and whether there is a share of it for whoever asks."""

    assistant: Assistant
    has_share: bool


class AssistantRepository(Protocol):
    """An assistant that cannot be read is `internal_error`, never left out. Local files know no shares: there are none,
    and making one is `service_unavailable`. E-mails are in their normal form."""

    async def find(self, assistant_id: str, email: str = "") -> Result[Known | None, ErrorDetail]:
        """With the share for `email`, in one round trip; an empty one has none. What was just changed is seen."""
        ...

    async def own(
        self, owner_id: str, statuses: Collection[AssistantStatus], *, limit: int | None, token: str | None
    ) -> Result[OwnPage, ErrorDetail]:
        """A page of those with one of `statuses`, or all of them without `limit`. Fails with `bad_request` for a token
        that is none of this owner's."""
        ...

    async def shared_with(self, email: str) -> Result[list[tuple[Share, Assistant]], ErrorDetail]:
        """With their shares, whatever the assistants' visibility. A share whose assistant is gone is none."""
        ...

    async def add(self, assistant: Assistant) -> Result[None, ErrorDetail]:
        """Fails with `bad_request` when it is too large to be stored."""
        ...

    async def change(self, owner_id: str, assistant_id: str, change: AssistantChange) -> Result[Assistant, ErrorDetail]:
        """The assistant as it is then. Fails with `not_found` when the owner has none with this id, and as `add`."""
        ...

    async def remove(self, owner_id: str, assistant_id: str) -> Result[None, ErrorDetail]:
        """The assistant alone. Fails with `not_found`."""
        ...

    async def shares(self, assistant_id: str) -> Result[list[Share], ErrorDetail]:
        """By e-mail, ascending."""
        ...

    async def share(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:
        """Shares that there are already stay as they are. All are tried; a Failure names those that were not written in
        its metadata."""
        ...

    async def unshare(self, assistant_id: str, emails: Sequence[str]) -> Result[None, ErrorDetail]:
        """Absent ones count as removed. All are tried."""
        ...

    async def remove_shares(self, assistant_id: str) -> Result[None, ErrorDetail]:
        """All of them, also those that cannot be read."""
        ...

    async def mark_opened(self, assistant_id: str, email: str) -> Result[None, ErrorDetail]:
        """Note in the share that its recipient has used it; without a share there is nothing to note."""
        ...
