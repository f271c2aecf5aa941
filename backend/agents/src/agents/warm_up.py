"""Gets what the first turn needs before it comes: framework and SDKs, which take one to two seconds to import, and
the quota rules that are the same for everybody."""

import asyncio
import importlib
import logging
import time

from apis.shared.lifecycle import background
from apis.shared.quota.resolver import get_quota_resolver
from apis.shared.quota.service import is_quota_enforcement_enabled
from apis.shared.result import best_effort
from apis.shared.settings import MemorySettings, ModelSettings, StorageSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

_FRAMEWORK = (
    "strands",
    "strands.agent.conversation_manager",
    "strands.hooks",
    "strands.middleware",
    "strands.tools.executors",
    "agents.providers.framework",
    "agents.providers.bedrock",
)
_STORE = ("apis.shared.aws.dynamodb.resolution", "apis.shared.aws.dynamodb.transport")


@once
def warm_up() -> None:
    """Begin to import in a worker thread, once a process; `WARM_UP_AFTER_START` switches it off.

    To be called when the process has shown that it is healthy: the imports compete with what it serves.
    """
    if settings(ModelSettings).warm_up_after_start:
        background.spawn(_load(), name="warm up")


async def _load() -> None:
    started = time.monotonic()
    for module in _modules():
        # One at a time, so that a process that is asked to stop meanwhile does.
        await asyncio.to_thread(importlib.import_module, module)
    if is_quota_enforcement_enabled():
        await best_effort(
            get_quota_resolver().read_ahead(),
            reason="Nobody waits for it: the first turn reads these rules by itself, and fails if it cannot.",
            default=None,
        )
    logger.info("warmed up", extra={"seconds": round(time.monotonic() - started, 2)})


def _modules() -> list[str]:
    keys = settings(ModelSettings)
    modules = list(_FRAMEWORK)
    if keys.openai_api_key is not None:
        modules.append("agents.providers.openai")
    if keys.google_gemini_api_key is not None:
        modules.append("agents.providers.gemini")
    if settings(StorageSettings).dynamodb_sessions_metadata_table_name is not None:
        modules += _STORE
    if settings(MemorySettings).agentcore_memory_type == "dynamodb":
        modules.append("boto3.session")
    return modules
