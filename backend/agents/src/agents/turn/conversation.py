"""What one turn stores in its conversation, and how it ends the conversation when it was interrupted."""

import asyncio
from collections.abc import Sequence

from agents.history import MISSING_RESULT, error_results, tool_use_ids
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, best_effort, railway
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.sessions.models import ContentBlock, Message, StoredMessage

NOT_ANSWERED = "(This message was not answered.)"


class Conversation:
    """The message sink of one turn. A write goes on when the turn is cancelled, and the ending waits for it.

    `history` is the stored conversation before the turn, None when it could not be read. What an earlier turn left
    unanswered in it is answered before the first message of this one.
    """

    def __init__(
        self, store: MessageRepository, user_id: str, session_id: str, *, history: Sequence[StoredMessage] | None
    ) -> None:
        self._store = store
        self._user_id = user_id
        self._session_id = session_id
        self._before = 0
        self._owed: Sequence[Message] = ()
        self._paid = 0
        self._stored: list[Message] = []
        self._is_certain = True
        self._is_known = history is not None
        self._writing = asyncio.Lock()
        if history is not None:
            self._learn(history)

    @property
    def owed(self) -> Sequence[Message]:
        """What is stored before the turn's own messages, as part of the conversation before it."""
        return self._owed

    @property
    def stored(self) -> Sequence[Message]:
        """The turn's own messages that are stored."""
        return tuple(self._stored)

    async def append(self, message: Message) -> Result[None, ErrorDetail]:
        return await background.finish(self._append(message), name="store a message")

    @railway
    async def end(
        self, blocks: list[ContentBlock], *, user_text: str, missing_result: str
    ) -> Result[None, ErrorDetail]:
        """Store `blocks` as the assistant's last words; see `ending`."""
        async with self._writing:
            if not (self._is_known and self._is_certain):
                await self._look()
            stored = tuple(self._stored)
        for message in ending(stored, user_text=user_text, blocks=blocks, missing_result=missing_result):
            (await self._append(message)).unwrap()
        return Success(None)

    async def discard(self) -> Result[None, ErrorDetail]:
        """Delete what is stored of the conversation: its session was deleted meanwhile."""
        return (await self._store.delete(self._user_id, self._session_id)).map(lambda _: None)

    def _learn(self, history: Sequence[StoredMessage]) -> None:
        self._before = len(history)
        self._owed = repairs([stored.message for stored in history])

    async def _append(self, message: Message) -> Result[None, ErrorDetail]:
        async with self._writing:
            for owed in self._owed[self._paid :]:
                paid = await self._write(owed)
                if isinstance(paid, Failure):
                    return paid
                self._paid += 1
            written = await self._write(message)
            if isinstance(written, Success):
                self._stored.append(message)
            return written

    async def _write(self, message: Message) -> Result[None, ErrorDetail]:
        begins = not (self._before or self._paid or self._stored)
        written = await self._store.append(self._user_id, self._session_id, message, begins=begins)
        # It may have been carried out all the same: an answer can be lost on its way.
        self._is_certain = self._is_certain and isinstance(written, Success)
        return written

    async def _look(self) -> None:
        """See what the store holds of this turn, or, when it could not be read before the turn, of what was before."""
        read = await best_effort(
            self._store.read(self._user_id, self._session_id),
            reason="What the turn knows to be stored is enough to end it; the write that follows reports an outage.",
            default=None,
        )
        if read is None:
            return
        if not self._is_known:
            self._learn(read)
            self._is_known = True
            return
        found = [stored.message for stored in read[self._before :]]
        self._paid = max(self._paid, min(len(found), len(self._owed)))
        self._stored = max(self._stored, found[len(self._owed) :], key=len)


def repairs(history: Sequence[Message]) -> list[Message]:
    """The messages that answer what an earlier turn, whose ending could not be stored, left at the end of `history`."""
    if not history:
        return []
    notice: list[ContentBlock] = [{"text": NOT_ANSWERED}]
    return ending(history[-1:], user_text="", blocks=notice, missing_result=MISSING_RESULT)


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
