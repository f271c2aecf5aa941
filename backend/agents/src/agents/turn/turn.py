"""One chat turn: run the agent, stream its events, and end the turn whatever happens."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Protocol

from agents.events import (
    ContentBlockStop,
    MessageStart,
    MessageStop,
    NoticeBlockStart,
    StreamEvent,
    TextDelta,
    TurnSummary,
)
from agents.files import check_readable
from agents.prompt import build_prompt
from agents.run import AgentRun, AgentSpec, MessageSink, build_agent
from agents.tools.remote import OpenTools, open_tools
from agents.turn.accounting import Account
from agents.turn.ending import Ending
from agents.turn.limits import TURN_LIMIT_SECONDS, within_limits
from agents.turn.plan import Plan
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.lifecycle import shutdown
from apis.shared.quota.events import QuotaExceededEvent
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.sessions.models import ContentBlock

if TYPE_CHECKING:
    from agents.tools.mcp.servers import RemoteTool


class OpenTurn(Protocol):
    """`stream` is consumed once, then `record_failure` if it failed, and whatever happened, `close`."""

    def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        """The events of the turn. A Failure is the last item. Closing the stream stops the agent."""
        ...

    async def record_failure(self, error: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        """Store the failed turn with `text` as the assistant's message."""
        ...

    async def close(self) -> None:
        """Free the session. A turn that has not ended was left by its client: what was streamed is stored first,
        within five seconds."""
        ...


class TurnEnding(Protocol):
    """How a turn ends: by `answered` or `failed`, whichever is called first, and in any case `close`."""

    async def answered(self, account: Account) -> Result[None, ErrorDetail]: ...

    async def failed(self, text: str, account: Account | None) -> Result[None, ErrorDetail]: ...

    async def close(self, account: Account | None) -> None: ...


class FailedTurn:
    """A turn that cannot run: `error` is all that its stream holds."""

    def __init__(self, error: ErrorDetail, ending: Ending) -> None:
        self._error = error
        self._ending = ending

    async def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        yield Failure(self._error)

    async def record_failure(self, _: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        return await self._ending.failed(text, None)

    async def close(self) -> None:
        await self._ending.close(None)


class BlockedTurn:
    """A turn that the quota does not allow. What the user is told is stored as the answer, before the stream ends.

    `record` is called once the user has been told, or has left.
    """

    def __init__(self, notice: QuotaExceededEvent, ending: Ending, record: Callable[[], None]) -> None:
        self._notice = notice
        self._ending = ending
        self._record = record

    async def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        try:
            yield Success(MessageStart())
            yield Success(NoticeBlockStart(0))
            yield Success(TextDelta(0, self._notice.message))
            yield Success(ContentBlockStop(0))
            yield Success(MessageStop("quota_exceeded"))
            yield Success(self._notice)
        finally:
            self._record()
        match await self._ending.told(self._notice.message):
            case Failure(error):
                yield Failure(error.without_message())

    async def record_failure(self, _: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        return await self._ending.failed(text, None)

    async def close(self) -> None:
        await self._ending.close(None)


class Turn:
    """A turn that runs. `messages` is where it stores what is said."""

    def __init__(self, *, user_id: str, session_id: str, plan: Plan, messages: MessageSink, ending: TurnEnding) -> None:
        self._user_id = user_id
        self._session_id = session_id
        self._messages = messages
        self._ending = ending
        self._account = Account(plan)
        self._built: Result[_Built, ErrorDetail] | None = None

    async def prepare(self) -> Result[None, ErrorDetail]:
        """Build the agent of a turn without tools on servers before its stream, for those who tell its failure
        otherwise. Fails as `build_agent`, and with `validation_error` for a file that the model cannot read."""
        self._built = await self._build(())
        return self._built.map(lambda _: None)

    async def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        plan = self._account.plan
        for event in plan.opening:
            yield Success(event)
        match await open_tools(plan.tools, plan.servers, self._user_id):
            case Failure(error):
                yield Failure(error)
            case Success(tools):
                with closing(tools):
                    async with aclosing(self._with_tools(tools)) as items:
                        async for item in items:
                            yield item

    async def _with_tools(self, tools: OpenTools) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        match self._built if self._built is not None else await self._build(tools.tools):
            case Failure(error):
                yield Failure(error)
            case Success((run, prompt)):
                async with aclosing(self._answer(run, prompt)) as items:
                    async for item in items:
                        yield item

    async def record_failure(self, _: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        return await self._ending.failed(text, self._account)

    async def close(self) -> None:
        await self._ending.close(self._account)

    @railway
    async def _build(self, remote: "Sequence[RemoteTool]") -> Result["_Built", ErrorDetail]:
        plan = self._account.plan
        check_readable(plan.files, plan.config.provider).unwrap()
        prompt = build_prompt(plan.message, plan.files)
        spec = AgentSpec(
            session_id=self._session_id,
            user_id=self._user_id,
            config=plan.config,
            system_prompt=plan.system_prompt,
            tools=plan.tools,
            remote_tools=remote,
            history=[stored.message for stored in plan.history],
            memory_context=plan.memory_context,
            removed_message_count=plan.removed,
            summary=plan.summary,
            shortening=plan.compaction.shortening if plan.compaction is not None else None,
        )
        run = (await build_agent(spec, self._messages)).unwrap()
        self._account.progress = run.progress
        return Success((run, prompt))

    async def _answer(
        self, run: AgentRun, prompt: Sequence[ContentBlock]
    ) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        limited = within_limits(run.stream(prompt), seconds=TURN_LIMIT_SECONDS, shutdown=shutdown)
        async with aclosing(limited) as items:
            async for item in items:
                match item:
                    case Success(event):
                        if not isinstance(event, TurnSummary):
                            yield Success(event)
                    case Failure(error):
                        if any(call.usage is not None for call in self._account.calls):
                            yield Success(self._account.metadata())
                        yield Failure(error)
                        return
        yield Success(self._account.metadata())
        match await self._ending.answered(self._account):
            case Failure(error):
                yield Failure(_saved_incompletely(error))


type _Built = tuple[AgentRun, Sequence[ContentBlock]]


def _saved_incompletely(error: ErrorDetail) -> ErrorDetail:
    """The same failure, told for what it means here: the answer is complete, its record is not."""
    text = "The answer was produced but could not be saved completely."
    if error.code is ErrorCode.NOT_FOUND:
        text = "The conversation was deleted while it was answered; the answer is not kept."
    told = error.model_copy(update={"message": text})
    return told.caused_by(error.cause, **error.context).with_recovery(recoverable=False)
