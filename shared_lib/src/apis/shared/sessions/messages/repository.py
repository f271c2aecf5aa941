"""The messages of a conversation: one door, AgentCore Memory or local files behind it."""

from typing import Protocol

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from apis.shared.sessions.models import Message, StoredMessage


class MessageRepository(Protocol):
    async def read(self, user_id: str, session_id: str) -> Result[list[StoredMessage], ErrorDetail]:
        """All messages, oldest first; an unknown session is empty. A message that cannot be read is
        `internal_error`: leaving it out would shift the index of all that follow."""
        ...

    async def trimmed(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        """How many of the first messages an earlier version of the system no longer showed to the model."""
        ...

    async def append(
        self, user_id: str, session_id: str, message: Message, *, begins: bool = False
    ) -> Result[None, ErrorDetail]:
        """Store a complete message after all others. `begins`: it is the first of its conversation."""
        ...

    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        """Delete what is stored of the conversation; how many entries there were."""
        ...
