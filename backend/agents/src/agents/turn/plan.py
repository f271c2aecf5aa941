"""What a turn knows before its agent runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.config import ModelConfig
from agents.prompt import AttachedFile
from agents.tools.selection import ToolSelection
from apis.shared.costs.models import PricingSnapshot
from apis.shared.quota.events import QuotaWarningEvent
from apis.shared.sessions.models import SessionRecord, StoredMessage
from apis.shared.tools.models import ToolRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """`pricing` is one snapshot for the cost on the wire and in the stored records; None for an unpriced model.

    `warning` is what the user is told first of a quota that is nearly used up.
    `servers` are the records of the external tools of `tools`.
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
    servers: Sequence[ToolRecord] = ()
    warning: QuotaWarningEvent | None = None
