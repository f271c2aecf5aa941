"""What one turn stores in its conversation, and how it ends the conversation when it was interrupted."""

import asyncio
from collections.abc import Sequence

from agents.history import error_results, tool_use_ids
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, best_effort, railway
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.sessions.models import ContentBlock, Message, StoredMessage


class Conversation:
    """The message sink of one turn. A write goes on when the turn is cancelled, and the ending waits for it.

    `messages_before` is the length of the stored conversation before the turn, None when it could not be read.
    """

    def __init__(self, store: MessageRepository, user_id: str, session_id: str, *, messages_before: int | None) -> None:
        self._store = store
        self._user_id = user_id
        self._session_id = session_id
        self._messages_before = messages_before
        self._stored: list[Message] = []
        self._is_certain = True
        self._writing = asyncio.Lock()

    async def append(self, message: Message) -> Result[None, ErrorDetail]:
        return await background.finish(self._append(message), name="store a message")

    @railway
    async def end(
        self, blocks: list[ContentBlock], *, user_text: str, missing_result: str
    ) -> Result[None, ErrorDetail]:
        """Store `blocks` as the assistant's last words; see `ending`."""
        async with self._writing:
            stored = self._stored if self._is_certain else await self._read_stored()
        for message in ending(stored, user_text=user_text, blocks=blocks, missing_result=missing_result):
            (await self._append(message)).unwrap()
        return Success(None)

    async def _append(self, message: Message) -> Result[None, ErrorDetail]:
        async with self._writing:
            begins = not self._stored and not self._messages_before
            written = await self._store.append(self._user_id, self._session_id, message, begins=begins)
            match written:
                case Success():
                    self._stored.append(message)
                case Failure():
                    # It may have been carried out all the same: an answer can be lost on its way.
                    self._is_certain = False
            return written

    async def _read_stored(self) -> list[Message]:
        """What the store holds of this turn; without the length before it nothing can be told apart."""
        if self._messages_before is None:
            return self._stored
        read = await best_effort(
            self._store.read(self._user_id, self._session_id),
            reason="What the turn knows to be stored is enough to end it; the write that follows reports an outage.",
            default=list[StoredMessage](),
        )
        found = [stored.message for stored in read[self._messages_before :]]
        return max(self._stored, found, key=len)


def ending(
    stored: Sequence[Message], *, user_text: str, blocks: list[ContentBlock], missing_result: str
) -> list[Message]:
    """The messages that end an interrupted turn with `blocks` as the assistant's words, so that roles alternate.

    `stored` is what the turn has stored: without anything the user's message comes first; tool uses without results
    get error results that say `missing_result`; after a complete assistant message there is nothing to add.
    """
    assistant: Message = {"role": "assistant", "content": blocks}
    if not stored:
        return [{"role": "user", "content": [{"text": user_text}]}, assistant]
    if stored[-1]["role"] == "user":
        return [assistant]
    unanswered = tool_use_ids(stored[-1])
    if not unanswered:
        return []
    return [{"role": "user", "content": error_results(unanswered, missing_result)}, assistant]
