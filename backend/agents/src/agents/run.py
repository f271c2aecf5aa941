"""One run of an agent: the model and tool loop of one turn as a stream of Results."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agents.call_input import for_model_call
from agents.config import ModelConfig
from agents.events import CallRecord, StreamEvent, TurnSummary
from agents.history import drop_oldest, model_history, replace_latest_tool_result
from agents.pipeline import Pipeline
from agents.providers import RunHalted, build_model, run_errors
from agents.tools.registry import load_tools
from agents.tools.selection import ToolSelection
from apis.shared.errors import ErrorDetail
from apis.shared.result import Failure, Result, Success, attempt_stream, railway
from apis.shared.sessions.models import ContentBlock, Message
from apis.shared.settings import ModelSettings, settings

if TYPE_CHECKING:
    from strands import Agent
    from strands.hooks import AfterToolCallEvent, MessageAddedEvent
    from strands.middleware import InvokeModelContext
    from strands.models import Model

logger = logging.getLogger(__name__)

EMPTY_ANSWER = "(The model gave no answer.)"
TOOL_FAILED = "Error: the tool failed."


class MessageSink(Protocol):
    """Where completed messages are stored, in order."""

    async def append(self, message: Message) -> Result[None, ErrorDetail]: ...


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """`history` is the stored conversation, oldest first; `memory_context` goes to the model with this turn only."""

    session_id: str
    user_id: str
    config: ModelConfig
    system_prompt: str
    tools: ToolSelection
    history: Sequence[Message]
    memory_context: str | None = None


@dataclass(slots=True)
class Progress:
    """What a run has done so far; stays readable after the run was cancelled."""

    calls: list[CallRecord] = field(default_factory=list)
    partial_text: str = ""
    first_delta: float | None = None


@railway
async def build_agent(spec: AgentSpec, sink: MessageSink) -> "Result[AgentRun, ErrorDetail]":
    """An agent for one turn. Fails with `agent_error` when the model's provider is not configured."""
    model = (await build_model(spec.config)).unwrap()
    return Success(await asyncio.to_thread(AgentRun, spec, sink, model))


class AgentRun:
    """Use `build_agent`. A run streams once."""

    def __init__(self, spec: AgentSpec, sink: MessageSink, model: "Model") -> None:
        self.progress = Progress()
        self._spec = spec
        self._sink = sink
        self._pipeline = Pipeline(input_includes_cached=spec.config.provider != "bedrock")
        self._cancelled = threading.Event()
        self._agent = self._make(model)

    async def stream(
        self, prompt: Sequence[ContentBlock]
    ) -> AsyncGenerator[Result[StreamEvent | TurnSummary, ErrorDetail]]:
        """The events of the turn, then exactly one `TurnSummary` or Failure.

        Each message is stored when it is complete; a failure to store it ends the run. Cancelling or closing the
        stream stops the model call and starts no further tool.
        """
        source = attempt_stream(self._events, prompt, errors=run_errors())
        try:
            async for item in source:
                yield item
                if isinstance(item, Failure):
                    return
            yield Success(TurnSummary(tuple(self.progress.calls)))
        finally:
            self._cancelled.set()
            await source.aclose()

    async def _events(self, prompt: Sequence[ContentBlock]) -> AsyncIterator[StreamEvent]:
        events: Any = self._agent.stream_async(list(prompt), cancel_signal=self._cancelled)  # type: ignore[arg-type]  # our block type is open
        try:
            async for event in events:
                for item in self._pipeline.feed(event):
                    yield item
                self.progress.calls = self._pipeline.calls
                self.progress.partial_text = self._pipeline.partial_text
                self.progress.first_delta = self._pipeline.first_delta
        finally:
            await events.aclose()

    def _make(self, model: "Model") -> "Agent":
        from strands import Agent  # noqa: PLC0415 - lazy: the framework stays out of the start
        from strands.event_loop._retry import ModelRetryStrategy  # noqa: PLC0415 - lazy: as above
        from strands.hooks import AfterToolCallEvent, MessageAddedEvent  # noqa: PLC0415 - lazy: as above
        from strands.middleware import InvokeModelStage  # noqa: PLC0415 - lazy: as above
        from strands.tools.executors import SequentialToolExecutor  # noqa: PLC0415 - lazy: as above

        history: Any = model_history(self._spec.history)
        agent = Agent(
            agent_id="default",
            model=model,
            messages=history,
            tools=load_tools(self._spec.tools.local),
            system_prompt=self._spec.system_prompt,
            callback_handler=None,
            conversation_manager=_overflow_manager(),
            tool_executor=SequentialToolExecutor(),
            retry_strategy=ModelRetryStrategy(initial_delay=settings(ModelSettings).model_retry_delay_seconds),
            load_tools_from_directory=False,
        )
        agent.hooks.add_callback(MessageAddedEvent, self._store)
        agent.hooks.add_callback(AfterToolCallEvent, _hide_exception)
        agent.add_middleware(InvokeModelStage.Input, self._model_input)
        return agent

    async def _store(self, event: "MessageAddedEvent") -> None:
        content: list[Any] = [block for block in event.message["content"] if block.get("text", "x").strip()]
        if not content:
            content = [{"text": EMPTY_ANSWER}]
            event.message["content"] = content
        message: Message = {"role": event.message["role"], "content": content}
        match await self._sink.append(message):
            case Failure(error):
                raise RunHalted(error)

    async def _model_input(self, context: "InvokeModelContext") -> "InvokeModelContext":
        messages = for_model_call(
            list(context.messages), config=self._spec.config, memory_context=self._spec.memory_context
        )
        return context.replace(messages=messages)


async def _hide_exception(event: "AfterToolCallEvent") -> None:
    """What a tool raised is for the operator; the model learns that it failed."""
    if event.exception is not None:
        logger.warning("tool failed", extra={"tool": event.tool_use["name"]}, exc_info=event.exception)
        event.result = {
            "toolUseId": event.tool_use["toolUseId"],
            "status": "error",
            "content": [{"text": TOOL_FAILED}],
        }


def _overflow_manager() -> Any:
    """Only a context overflow shortens what the model sees; the stored conversation is never trimmed."""
    from strands.agent.conversation_manager import ConversationManager  # noqa: PLC0415 - lazy: as above
    from strands.types.exceptions import ContextWindowOverflowException  # noqa: PLC0415 - lazy: as above

    class OverflowManager(ConversationManager):
        def apply_management(self, agent: "Agent", **_: Any) -> None:
            pass

        def reduce_context(self, agent: "Agent", e: Exception | None = None, **_: Any) -> None:
            if not replace_latest_tool_result(agent.messages) and not drop_oldest(agent.messages):
                raise e or ContextWindowOverflowException

    return OverflowManager()
