"""What a turn knows before its agent runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.config import ModelConfig
from agents.events import StreamEvent
from agents.prompt import AttachedFile
from agents.tools.selection import ToolSelection
from agents.turn.compaction import Compaction
from apis.shared.costs.models import PricingSnapshot, StoredCitation
from apis.shared.sessions.models import SessionRecord, StoredMessage
from apis.shared.tools.models import ToolRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """`pricing` is one snapshot for the cost on the wire and in the stored records; None for an unpriced model.

    `message` is what the model receives and the store keeps: the user's, with what an assistant's documents say.
    `opening` is streamed first: a warning of the quota, then one event for each of the `citations`.
    `trimmed` messages at the front were never shown again by an earlier version of the system. `compaction` is None
    where conversations are not compacted.
    `servers` are the records of the external tools of `tools`.
    `enabled_tools` are the permitted ids of the request, None when it named none.
    """

    message: str
    config: ModelConfig
    pricing: PricingSnapshot | None
    system_prompt: str
    tools: ToolSelection
    enabled_tools: Sequence[str] | None
    files: Sequence[AttachedFile]
    history: Sequence[StoredMessage]
    memory_context: str | None
    session: SessionRecord | None
    opening: Sequence[StreamEvent] = ()
    citations: Sequence[StoredCitation] = ()
    trimmed: int = 0
    servers: Sequence[ToolRecord] = ()
    compaction: Compaction | None = None

    @property
    def removed(self) -> int:
        """How many of the first messages are not shown to the model; what makes no sense does not count."""
        count = len(self.history)
        checkpoint = self.compaction.checkpoint_in(count) if self.compaction is not None else 0
        return max(checkpoint, self.trimmed if self.trimmed < count else 0)

    @property
    def summary(self) -> str | None:
        return self.compaction.summary_in(len(self.history)) if self.compaction is not None else None
