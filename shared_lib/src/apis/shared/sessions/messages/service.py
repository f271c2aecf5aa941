"""Which store holds the messages of this deployment."""

from apis.shared.aws.memory import Memory
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.messages.agentcore import AgentCoreMessages
from apis.shared.sessions.messages.local import LocalMessages
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.settings import MemorySettings, StorageSettings, settings
from apis.shared.wiring import once


@once
def get_messages() -> Result[MessageRepository, ErrorDetail]:
    """Fails with `internal_error` when the variables contradict each other."""
    memory = settings(MemorySettings)
    match memory.agentcore_memory_type:
        case "file":
            return Success(LocalMessages(settings(StorageSettings).sessions_dir))
        case "dynamodb" if memory.agentcore_memory_id is not None:
            return Success(AgentCoreMessages(Memory(memory.agentcore_memory_id)))
        case _:
            text = "The configuration of the message store is not valid."
            error = ErrorDetail(code=ErrorCode.INTERNAL_ERROR, message=text, detail=text)
            return Failure(error.caused_by(None, variables="AGENTCORE_MEMORY_TYPE, AGENTCORE_MEMORY_ID"))
