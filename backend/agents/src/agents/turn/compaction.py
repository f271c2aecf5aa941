"""Long conversations: what a turn is shown of them, and how far they are summarised after it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.compaction import Shortening, joined, list_of_questions, next_checkpoint
from agents.turn.limits import until
from apis.shared.costs.models import TokenUsage
from apis.shared.memory.models import MemoryRecord
from apis.shared.memory.service import MemoryService, get_memory_service, memory_mode
from apis.shared.moments import read_in_utc
from apis.shared.result import best_effort
from apis.shared.sessions.metadata import SessionService, get_session_service
from apis.shared.sessions.models import MAX_SUMMARY, CompactionState, Message, SessionRecord, StoredMessage
from apis.shared.settings import CompactionSettings, StorageSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

SUMMARIES_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a turn knows of it. `state` is None where it could not be read: it is not written then either."""

    state: CompactionState | None
    shortening: Shortening

    def checkpoint_in(self, messages: int) -> int:
        """0 where the state's own makes no sense for a conversation of so many messages."""
        checkpoint = self.state.checkpoint if self.state is not None else 0
        return checkpoint if checkpoint < messages else 0

    def summary_in(self, messages: int) -> str | None:
        return self.state.summary if self.state is not None and self.checkpoint_in(messages) else None


class Compactor:
    """The end of a turn waits for the service's summaries at most `seconds`."""

    def __init__(
        self,
        sessions: SessionService,
        memory: MemoryService,
        *,
        threshold: int,
        shortening: Shortening,
        seconds: float = SUMMARIES_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._memory = memory
        self._threshold = threshold
        self._shortening = shortening
        self._seconds = seconds

    def known(self, record: SessionRecord | None) -> Compaction:
        """What the record of the session says."""
        state: CompactionState | None = best_effort(
            CompactionState.read(record.compaction if record is not None else None),
            reason="The whole conversation is a correct input, too; the state is not written in this turn.",
            default=None,
        )
        return Compaction(state, self._shortening)

    async def next_state(
        self,
        user_id: str,
        session_id: str,
        known: Compaction,
        *,
        before: Sequence[StoredMessage],
        turn: Sequence[Message],
        usage: TokenUsage | None,
    ) -> tuple[CompactionState, int] | None:
        """The state after a turn and the tokens of its last call; None when there is nothing to write. `before` and
        `turn` are all that is stored of the conversation."""
        tokens = _prompt_tokens(usage)
        if tokens == 0 or known.state is None:
            return None
        if tokens <= self._threshold:
            return known.state, tokens
        messages = [*(stored.message for stored in before), *turn]
        checkpoint = next_checkpoint(messages, protected_turns=self._shortening.protected_turns)
        if checkpoint is None or checkpoint <= known.state.checkpoint:
            return known.state, tokens
        cut_at = before[checkpoint - 1].created_at if 0 < checkpoint <= len(before) else ""
        summary = await self._summary(user_id, session_id, messages[:checkpoint], cut_at)
        if summary is None:
            return None
        return replace(known.state, checkpoint=checkpoint, summary=summary), tokens

    async def keep(self, user_id: str, sort_key: str, state: CompactionState, tokens: int) -> None:
        await best_effort(
            self._sessions.keep_compaction(user_id, sort_key, state, last_input_tokens=tokens),
            reason="It is computed again from the stored conversation after the next turn.",
            default=False,
        )

    async def _summary(self, user_id: str, session_id: str, messages: Sequence[Message], cut_at: str) -> str | None:
        """The service's own summaries, and the user's questions where these do not reach up to the cut."""
        end = asyncio.get_running_loop().time() + self._seconds
        records = await best_effort(
            until(end, self._memory.summaries(user_id, session_id), what="summaries of a conversation"),
            reason="A list of what the user asked takes the place of the service's summaries.",
            default=list[MemoryRecord](),
        )
        texts = [record.content for record in records if record.content.strip()]
        questions = list_of_questions(messages)
        if not texts:
            return questions
        if questions is None or _reach(records, cut_at):
            return joined(texts)
        return f"{joined(texts, room=MAX_SUMMARY - len(questions) - 2)}\n\n{questions}"


def _prompt_tokens(usage: TokenUsage | None) -> int:
    """Everything that the model read, each token once, whatever the provider's way of counting."""
    if usage is None:
        return 0
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_write_input_tokens or 0)


def _reach(records: Sequence[MemoryRecord], cut_at: str) -> bool:
    """Whether the newest summary is no older than the last message before the cut: the service lags behind."""
    moments = [record.created_at for record in records if record.created_at is not None]
    cut = read_in_utc(cut_at).value_or(None)
    return cut is not None and bool(moments) and max(moments) >= cut


@once
def get_compactor() -> Compactor | None:
    """None where conversations are not compacted."""
    chosen = settings(CompactionSettings)
    if not chosen.compaction_enabled or memory_mode() != "cloud":
        return None
    if settings(StorageSettings).dynamodb_sessions_metadata_table_name is None:
        logger.warning(
            "conversations are shortened but not summarised: the sessions table is not configured",
            extra={"variable": "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"},
        )
    shortening = Shortening(chosen.protected_turns, chosen.compaction_max_tool_content_length)
    return (
        get_memory_service()
        .map(
            lambda service: Compactor(
                get_session_service(), service, threshold=chosen.compaction_token_threshold, shortening=shortening
            )
        )
        .value_or(None)
    )
