"""One chat turn: run the agent, stream its events, and store, bill and end the turn whatever happens."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from agents.events import StreamEvent, TurnMetadata, TurnSummary
from agents.history import MISSING_RESULT
from agents.prompt import AttachedFile, attachment_marker, build_prompt
from agents.run import AgentRun, AgentSpec, build_agent
from agents.system_prompt import system_prompt_hash
from agents.turn.accounting import message_usage, turn_metadata
from agents.turn.conversation import Conversation
from agents.turn.limits import TURN_LIMIT_SECONDS, within_limits
from agents.turn.live import Lease, LiveTurns
from agents.turn.plan import Plan
from agents.turn.request import TurnRequest
from apis.shared.costs.models import PricingSnapshot
from apis.shared.costs.service import UsageRecorder
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background, shutdown
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import ContentBlock, TurnPreferences

logger = logging.getLogger(__name__)

STOPPED_BY_USER = "Session stopped by user"
CLEANUP_SECONDS = 5.0


class Turn:
    """The stream of one turn and its ending. `stream` is consumed once, then `record_failure` if it failed."""

    def __init__(
        self,
        *,
        request: TurnRequest,
        plan: Result[Plan, ErrorDetail],
        attached: Sequence[AttachedFile],
        lease: Lease,
        live: LiveTurns,
        sessions: SessionService,
        messages: Result[MessageRepository, ErrorDetail],
        usage: UsageRecorder,
    ) -> None:
        self._request = request
        self._plan = plan
        self._attached = attached
        self._lease = lease
        self._live = live
        self._sessions = sessions
        self._conversation = messages.map(
            lambda store: Conversation(
                store,
                request.user.user_id,
                request.session_id,
                messages_before=plan.map(lambda known: len(known.history)).value_or(None),
            )
        )
        self._usage = usage
        self._started = time.monotonic()
        self._run: AgentRun | None = None
        self._answered = False

    async def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        """The events, then the turn-end writes. A Failure is the last item; the caller then awaits `record_failure`.

        Closing or cancelling the stream before its end is the client hanging up: the agent is stopped, what was
        streamed is stored, and the session is free again within five seconds.
        """
        failed = False
        try:
            async with aclosing(self._events()) as events:
                async for item in events:
                    failed = isinstance(item, Failure)
                    yield item
        finally:
            cause = sys.exception()
            # A bug reaches the adapter as an exception and is recorded by it like a failure.
            failed = failed or isinstance(cause, Exception)
            if not failed and cause is not None:
                await self._after_hang_up()
            if not failed:
                self._live.release(self._lease)

    async def record_failure(self, _: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        """Store the failed turn: the user message unless it is stored already, `text` as the assistant's message,
        the usage of completed model calls, and a session record. A failure of the turn-end writes themselves is
        not stored.
        """
        try:
            if self._answered:
                return Success(None)
            stored, ensured, billed = await asyncio.gather(
                self._store_ending([{"text": text}], MISSING_RESULT),
                self._sessions.ensure_record(self._request.user.user_id, self._request.session_id),
                self._bill(),
            )
            return collect((stored, ensured, billed)).map(lambda _: None)
        finally:
            self._live.release(self._lease)

    async def _events(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        match await self._build():
            case Failure(error):
                yield Failure(error)
                return
            case Success((run, prompt)):
                async with aclosing(self._answer(run, prompt)) as items:
                    async for item in items:
                        yield item

    @railway
    async def _build(self) -> Result[tuple[AgentRun, Sequence[ContentBlock]], ErrorDetail]:
        plan = self._plan.unwrap()
        prompt = build_prompt(self._request.message, plan.files)
        conversation = self._conversation.unwrap()
        spec = AgentSpec(
            session_id=self._request.session_id,
            user_id=self._request.user.user_id,
            config=plan.config,
            system_prompt=plan.system_prompt,
            tools=plan.tools,
            history=[stored.message for stored in plan.history],
            memory_context=plan.memory_context,
        )
        self._run = (await build_agent(spec, conversation)).unwrap()
        return Success((self._run, prompt))

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
                        if any(call.usage is not None for call in run.progress.calls):
                            yield Success(self._metadata(run))
                        yield Failure(error)
                        return
        yield Success(self._metadata(run))
        self._answered = True
        match await background.finish(self._end(), name="end a turn"):
            case Failure(error):
                yield Failure(_saved_incompletely(error))

    def _metadata(self, run: AgentRun) -> TurnMetadata:
        return turn_metadata(
            run.progress.calls,
            pricing=self._pricing,
            elapsed_ms=int((time.monotonic() - self._started) * 1000),
            first_delta_ms=self._first_delta_ms(run),
        )

    def _first_delta_ms(self, run: AgentRun) -> int | None:
        first = run.progress.first_delta
        return None if first is None else int((first - self._started) * 1000)

    async def _end(self) -> Result[None, ErrorDetail]:
        """Session record, then usage. Usage is recorded even when the session record cannot be: it must not be lost."""
        saved = await self._save_session()
        billed = await self._bill()
        return collect((saved, billed)).map(lambda _: None)

    @railway
    async def _save_session(self) -> Result[None, ErrorDetail]:
        plan = self._plan.unwrap()
        return await self._sessions.complete_turn(
            self._request.user.user_id,
            self._request.session_id,
            TurnPreferences(
                last_model=plan.config.model_id,
                last_temperature=plan.config.temperature,
                enabled_tools=None if plan.enabled_tools is None else list(plan.enabled_tools),
                system_prompt_hash=system_prompt_hash(plan.system_prompt),
            ),
            plan.session,
        )

    @railway
    async def _bill(self) -> Result[None, ErrorDetail]:
        run = self._run
        if run is None or not run.progress.calls:
            return Success(None)
        plan = self._plan.unwrap()
        return await self._usage.record(
            self._request.user.user_id,
            self._request.session_id,
            message_usage(
                run.progress.calls,
                config=plan.config,
                pricing=plan.pricing,
                messages_before=len(plan.history),
                first_delta_ms=self._first_delta_ms(run),
            ),
        )

    @property
    def _pricing(self) -> PricingSnapshot | None:
        return self._plan.map(lambda plan: plan.pricing).value_or(None)

    async def _after_hang_up(self) -> None:
        self._lease.aborted.set()
        work = background.start(self._store_stop(), name="end an aborted turn")
        done, _ = await asyncio.wait((work,), timeout=CLEANUP_SECONDS)
        if not done:
            work.cancel()
            self._log_lost("timeout", {})
            return
        match work.result():
            case Failure(error):
                # Nobody is listening any more: the operator is the only one to tell.
                self._log_lost(error.code.value, error.context)

    def _log_lost(self, code: str, context: Mapping[str, str]) -> None:
        logger.error(
            "an aborted turn could not be stored completely",
            extra={"session_id": self._request.session_id, "code": code, **context},
        )

    async def _store_stop(self) -> Result[None, ErrorDetail]:
        if self._answered:
            return Success(None)
        partial = self._run.progress.partial_text if self._run is not None else ""
        blocks: list[ContentBlock] = [{"text": partial}] if partial.strip() else []
        stored, saved, billed = await asyncio.gather(
            self._store_ending([*blocks, {"text": STOPPED_BY_USER}], STOPPED_BY_USER),
            self._save_session(),
            self._bill(),
        )
        return collect((stored, saved, billed)).map(lambda _: None)

    @railway
    async def _store_ending(self, blocks: list[ContentBlock], missing_result: str) -> Result[None, ErrorDetail]:
        conversation = self._conversation.unwrap()
        return await conversation.end(blocks, user_text=self._typed(), missing_result=missing_result)

    def _typed(self) -> str:
        names = [file.filename for file in self._plan.map(lambda plan: plan.files).value_or(self._attached)]
        return self._request.message + attachment_marker(names)


def _saved_incompletely(error: ErrorDetail) -> ErrorDetail:
    """The same failure, told for what it means here: the answer is complete, its record is not."""
    told = error.model_copy(update={"message": "The answer was produced but could not be saved completely."})
    return told.caused_by(error.cause, **error.context).with_recovery(recoverable=False)
