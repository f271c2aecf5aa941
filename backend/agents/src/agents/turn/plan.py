"""What a turn knows before its agent runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.config import ModelConfig
from agents.prompt import AttachedFile
from agents.tools.selection import ToolSelection
from agents.turn.compaction import Compaction
from apis.shared.costs.models import PricingSnapshot
from apis.shared.quota.events import QuotaWarningEvent
from apis.shared.sessions.models import SessionRecord, StoredMessage


@dataclass(frozen=True, slots=True)
class Plan:
    """`pricing` is one snapshot for the cost on the wire and in the stored records; None for an unpriced model.

    `warning` is what the user is told first of a quota that is nearly used up.
    `trimmed` messages at the front were never shown again by an earlier version of the system. `compaction` is None
    where conversations are not compacted.
    `enabled_tools` are the permitted ids of the request, None when it named none.
    """

    config: ModelConfig
    pricing: PricingSnapshot | None
    system_prompt: str
    tools: ToolSelection
    enabled_tools: Sequence[str] | None
    files: Sequence[AttachedFile]
    history: Sequence[StoredMessage]
    memory_context: str | None
    session: SessionRecord | None
    warning: QuotaWarningEvent | None = None
    trimmed: int = 0
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
