"""One run of an agent: the model and tool loop of one turn as a stream of Results."""

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from agents.call_input import for_model_call
from agents.characters import whole
from agents.compaction import Shortening
from agents.config import ModelConfig
from agents.events import CallRecord, StreamEvent, TurnSummary
from agents.failures import FILE_REFUSED, LIMIT_REACHED, UNSUPPORTED, RunHalted
from agents.files import named_files, refused_files, too_large
from agents.history import model_history, reduce
from agents.legal import SentFile, legal_prompt
from agents.pipeline import Pipeline
from agents.providers import ProviderModel, build_model
from agents.providers.answer import EMPTY_ANSWER, FAILED_ENDS
from agents.smaller import smaller
from agents.tools.processes import on_behalf_of
from agents.tools.registry import load_tools
from agents.tools.remote import framework_tools
from agents.tools.selection import ToolSelection
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Failure, Result, Success, attempt_stream, error_of, railway
from apis.shared.sessions.models import ContentBlock, Message
from apis.shared.settings import ModelSettings, settings

if TYPE_CHECKING:
    from strands import Agent
    from strands.hooks import AfterToolCallEvent, MessageAddedEvent
    from strands.middleware import InvokeModelContext

    from agents.tools.mcp.servers import RemoteTool

logger = logging.getLogger(__name__)

__all__ = ["EMPTY_ANSWER", "TOOL_FAILED", "AgentRun", "AgentSpec", "MessageSink", "Progress", "build_agent"]

TOOL_FAILED = "Error: the tool failed."


class MessageSink(Protocol):
    """Where completed messages are stored, in order."""

    async def append(self, message: Message) -> Result[None, ErrorDetail]: ...


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """`history` is the stored conversation, oldest first, of which the first `removed_message_count` are never shown to
    the model again: `summary` stands for them, and `shortening` says what is left of old tools' content.
    `memory_context` goes to the model with this turn only."""

    session_id: str
    user_id: str
    config: ModelConfig
    system_prompt: str
    tools: ToolSelection
    history: Sequence[Message]
    memory_context: str | None = None
    remote_tools: "Sequence[RemoteTool]" = ()
    removed_message_count: int = 0
    summary: str | None = None
    shortening: Shortening | None = None


class Progress:
    """What a run has done so far; stays readable after the run was cancelled."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    @property
    def calls(self) -> list[CallRecord]:
        """One entry per completed assistant message."""
        return self._pipeline.calls

    @property
    def partial_text(self) -> str:
        """The text of the assistant message that is not complete yet."""
        return self._pipeline.partial_text

    @property
    def first_delta(self) -> float | None:
        """When the first delta of the turn came, in monotonic seconds."""
        return self._pipeline.first_delta


@railway
async def build_agent(spec: AgentSpec, sink: MessageSink) -> "Result[AgentRun, ErrorDetail]":
    """An agent for one turn. Fails with `agent_error` when the model's provider is not configured."""
    model = (await build_model(spec.config)).unwrap()
    return Success(await asyncio.to_thread(AgentRun, spec, sink, model))


class AgentRun:
    """Use `build_agent`. A run streams once."""

    def __init__(self, spec: AgentSpec, sink: MessageSink, model: ProviderModel) -> None:
        self._pipeline = Pipeline(input_includes_cached=spec.config.provider != "bedrock")
        self.progress = Progress(self._pipeline)
        self._spec = spec
        self._sink = sink
        self._errors = model.errors
        self._sent: Sequence[SentFile] = ()
        self._attached: Sequence[str] = ()
        self._agent = self._make(model)

    async def stream(
        self, prompt: Sequence[ContentBlock]
    ) -> AsyncGenerator[Result[StreamEvent | TurnSummary, ErrorDetail]]:
        """The events of the turn, then exactly one `TurnSummary` or Failure.

        Each message is stored when it is complete; a failure to store it ends the run. Cancelling or closing the
        stream stops the model call, and no further tool starts.
        """
        queue: asyncio.Queue[Result[StreamEvent | TurnSummary, ErrorDetail] | None] = asyncio.Queue()
        # A task of its own: the framework can be cancelled, but not closed at a `yield` (its context managers then
        # end in other contexts than they began in, and leave the connection to the garbage collector).
        running = asyncio.create_task(self._run(prompt, queue))
        running.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (item := await queue.get()) is not None:
                yield item
            running.result()
        finally:
            running.cancel()
            await asyncio.wait((running,))

    async def _run(
        self,
        prompt: Sequence[ContentBlock],
        queue: "asyncio.Queue[Result[StreamEvent | TurnSummary, ErrorDetail] | None]",
    ) -> None:
        self._attached = [file.name for file in named_files({"content": prompt})]
        on_behalf_of.set(self._spec.user_id)
        async for item in attempt_stream(self._events, prompt, errors=self._errors):
            match item:
                case Failure(error):
                    queue.put_nowait(Failure(self._told(error)))
                    return
                case _:
                    queue.put_nowait(item)
        end = FAILED_ENDS.get(self._pipeline.stop_reason or "")
        queue.put_nowait(Success(TurnSummary(tuple(self.progress.calls))) if end is None else Failure(end))

    def _told(self, error: ErrorDetail) -> ErrorDetail:
        """A refusal of files, with their names: what the refusal itself says is for the provider's eyes."""
        if error == FILE_REFUSED:
            names = _refused_names(self._sent, error.context) or self._attached
        elif error == UNSUPPORTED:
            # It does not say what it does not support. The files that came with the message are the most likely, and
            # a conversation that went on with them might be refused for ever.
            names = self._attached
        else:
            return error
        return refused_files(names).caused_by(error.cause, **error.context) if names else error

    async def _events(self, prompt: Sequence[ContentBlock]) -> AsyncIterator[StreamEvent]:
        events: AsyncIterator[Any] = self._agent.stream_async(list(prompt))  # type: ignore[arg-type]  # our block type is open
        async for event in events:
            for item in self._pipeline.feed(event):
                yield item

    def _make(self, model: ProviderModel) -> "Agent":
        from strands import Agent, ModelRetryStrategy  # noqa: PLC0415 - lazy: the framework stays out of the start
        from strands.hooks import AfterToolCallEvent, MessageAddedEvent  # noqa: PLC0415 - lazy: as above
        from strands.middleware import InvokeModelStage  # noqa: PLC0415 - lazy: as above
        from strands.tools.executors import SequentialToolExecutor  # noqa: PLC0415 - lazy: as above

        history: Any = model_history(
            self._spec.history, removed=self._spec.removed_message_count, shortening=self._spec.shortening
        )
        agent = Agent(
            agent_id="default",
            model=model.model,
            messages=history,
            tools=[*load_tools(self._spec.tools.local), *framework_tools(self._spec.remote_tools)],
            system_prompt=legal_prompt(self._spec.system_prompt),
            callback_handler=None,
            conversation_manager=_overflow_manager(),
            tool_executor=SequentialToolExecutor(),
            retry_strategy=ModelRetryStrategy(initial_delay=settings(ModelSettings).model_retry_delay_seconds),
            load_tools_from_directory=False,
        )
        agent.hooks.add_callback(MessageAddedEvent, self._store)
        agent.hooks.add_callback(AfterToolCallEvent, _after_tool)
        agent.add_middleware(InvokeModelStage.Input, self._model_input)
        return agent

    async def _store(self, event: "MessageAddedEvent") -> None:
        content: list[Any] = [block for block in event.message["content"] if block.get("text", "x").strip()]
        # What is stored is also what later calls of this turn, and the tools, are given.
        event.message["content"] = content = whole(content) or [{"text": EMPTY_ANSWER}]
        message: Message = {"role": event.message["role"], "content": content}
        match await self._kept(message):
            case Success(kept):
                content[:] = kept["content"]
            case Failure(error) if error.code is ErrorCode.BAD_REQUEST:
                raise RunHalted(too_large(message).caused_by(error.cause, **error.context))
            case Failure(error):
                raise RunHalted(error)

    async def _kept(self, message: Message) -> Result[Message, ErrorDetail]:
        """What the store took of it."""
        stored = await self._sink.append(message)
        for less in smaller(message):
            error = error_of(stored)
            if error is None or error.code is not ErrorCode.BAD_REQUEST:
                break
            logger.warning("tool results are too large to be stored", extra={"results": len(less["content"])})
            message = less
            stored = await self._sink.append(message)
        return stored.map(lambda _: message)

    async def _model_input(self, context: "InvokeModelContext") -> "InvokeModelContext":
        if len(self.progress.calls) >= settings(ModelSettings).max_model_calls_per_turn:
            raise RunHalted(LIMIT_REACHED)
        call = for_model_call(
            list(context.messages),
            config=self._spec.config,
            memory_context=self._spec.memory_context,
            summary=self._spec.summary,
        )
        self._sent = call.files
        return context.replace(messages=call.messages)


def _refused_names(sent: Sequence[SentFile], told: Mapping[str, str]) -> list[str]:
    """The file at the place that the provider named, else all of the kind that it named."""
    place, kind = told.get("file_place"), told.get("file_kind")
    exact = [file.name for file in sent if f"{file.message}.{file.position}" == place]
    return exact or [file.name for file in sent if not kind or file.kind == kind]


async def _after_tool(event: "AfterToolCallEvent") -> None:
    if event.exception is not None and event.selected_tool is not None:
        _describe_failure(event, event.exception)
    event.result = whole(event.result)


def _describe_failure(event: "AfterToolCallEvent", exception: Exception) -> None:
    """What a tool raised is for the operator; the model learns that it failed, and which arguments were wrong."""
    text = _wrong_arguments(exception)
    if text is None:
        text = TOOL_FAILED
        # Not its text, which may quote what a user wrote.
        at = traceback.extract_tb(exception.__traceback__)[-1:]
        raised = {"raised": type(exception).__qualname__, "at": [f"{f.filename}:{f.lineno}" for f in at]}
        logger.warning("tool failed", extra={"tool": event.tool_use["name"], **raised})
    event.result = {"toolUseId": event.tool_use["toolUseId"], "status": "error", "content": [{"text": text}]}


def _wrong_arguments(exception: Exception) -> str | None:
    if not isinstance(exception.__cause__, ValidationError):
        return None
    problems = exception.__cause__.errors(include_input=False, include_url=False, include_context=False)
    return f"Error: {'; '.join(f'{".".join(map(str, one["loc"]))}: {one["msg"]}' for one in problems)}"


def _overflow_manager() -> Any:
    """Only a context overflow shortens what the model sees; the stored conversation is never trimmed."""
    from strands.agent.conversation_manager import ConversationManager  # noqa: PLC0415 - lazy: as above
    from strands.types.exceptions import ContextWindowOverflowException  # noqa: PLC0415 - lazy: as above

    class OverflowManager(ConversationManager):
        def apply_management(self, agent: "Agent", **_: Any) -> None:
            pass

        def reduce_context(self, agent: "Agent", e: Exception | None = None, **_: Any) -> None:
            if not reduce(agent.messages):
                raise e or ContextWindowOverflowException

    return OverflowManager()
