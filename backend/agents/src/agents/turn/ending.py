"""How a turn ends: answered, failed, or left by its client. Each way ends with the session free again."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from agents.files import attachment_marker
from agents.history import MISSING_RESULT
from agents.system_prompt import system_prompt_hash
from agents.turn.accounting import Account
from agents.turn.compaction import Compactor
from agents.turn.conversation import Conversation
from agents.turn.leases import TurnLeases
from agents.turn.limits import STOPPING
from agents.turn.live import Lease
from agents.turn.request import TurnRequest
from apis.shared.costs.service import UsageRecorder
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.lifecycle import background, shutdown
from apis.shared.result import Failure, Result, Success, all_done, best_effort, error_of, railway
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import CompactionState, ContentBlock, TurnPreferences

logger = logging.getLogger(__name__)

STOPPED_BY_USER = "Session stopped by user"
CLEANUP_SECONDS = 4.0
# In a process that stops: the rest of its grace period is for telling the client.
GRACE_SECONDS = 1.0


class Ending:
    """The ending of one turn: `answered` or `failed`, whichever is called first, and in any case `close`. The account
    is None for a turn that never got as far as running.

    `conversation` is a Failure where no store is configured. `file_names` are told in the user's message if it has
    to be stored here.
    """

    def __init__(
        self,
        *,
        request: TurnRequest,
        file_names: Sequence[str],
        conversation: Result[Conversation, ErrorDetail],
        sessions: SessionService,
        usage: UsageRecorder,
        lease: Lease,
        leases: TurnLeases,
        compactor: Compactor | None,
    ) -> None:
        self._user_id = request.user.user_id
        self._session_id = request.session_id
        self._typed = request.message + attachment_marker(file_names)
        self._conversation = conversation
        self._sessions = sessions
        self._usage = usage
        self._lease = lease
        self._leases = leases
        self._compactor = compactor
        self._work: asyncio.Task[Result[None, ErrorDetail]] | None = None
        self._is_told = False

    async def close(self, account: Account | None) -> None:
        """Free the session. A turn that has not ended was left by its client: what was streamed is stored with a stop
        notice, the usage so far, and a session record. All within four seconds."""
        self._lease.aborted.set()
        try:
            if self._work is not None:
                await asyncio.wait((self._work,), timeout=CLEANUP_SECONDS)
                self._tell_operator(self._work)
            else:
                await self._leave(account)
        finally:
            self._leases.release(self._lease)

    async def answered(self, account: Account) -> Result[None, ErrorDetail]:
        """Write session record, then usage: it is recorded even when the session record cannot be, it must not be
        lost. Fails with `not_found` when the session was deleted meanwhile: then nothing of the turn stays."""
        work = self._begin(self._answered(account), name="end a turn")
        if await shutdown.wait_for(work, grace=GRACE_SECONDS):
            self._is_told = True
            return work.result()
        return Failure(STOPPING)

    async def failed(self, text: str, account: Account | None) -> Result[None, ErrorDetail]:
        """Store the user message unless it is stored already, `text` as the assistant's message, the usage of
        completed model calls, and a session record. Does nothing after `answered`: a failure of the turn-end writes
        themselves is not stored."""
        if self._work is not None:
            return Success(None)
        ended = await asyncio.shield(self._begin(self._failed(text, account), name="end a failed turn"))
        self._is_told = True
        return ended

    def _begin(
        self, ending: Coroutine[Any, Any, Result[None, ErrorDetail]], *, name: str
    ) -> asyncio.Task[Result[None, ErrorDetail]]:
        """In a task of its own, which goes on when the turn is cancelled."""
        self._work = background.start(ending, name=name)
        return self._work

    async def _leave(self, account: Account | None) -> None:
        work = self._begin(self._left(account), name="end an aborted turn")
        await asyncio.wait((work,), timeout=CLEANUP_SECONDS)
        if not work.done():
            work.cancel()
            background.spawn(self._free(), name="release the lease of an aborted turn")
        self._tell_operator(work)

    def _tell_operator(self, work: asyncio.Task[Result[None, ErrorDetail]]) -> None:
        """What could not be stored, unless the client heard of it: nobody else is listening any more."""
        if self._is_told:
            return
        if not work.done() or work.cancelled():
            self._log_lost("timeout", {})
            return
        error = error_of(work.result())
        if error is not None:
            self._log_lost(error.code.value, error.context)

    async def _answered(self, account: Account) -> Result[None, ErrorDetail]:
        saved = await self._unless_deleted(await self._save_session(account))
        billed, freed, compacted = await asyncio.gather(
            self._bill(account), self._leases.give_back(self._lease), self._compacted(account)
        )
        place = saved.value_or("")
        if self._compactor is not None and compacted is not None and place:
            await self._compactor.keep(self._user_id, place, *compacted)
        return all_done((saved, billed, freed), what="the end of a turn")

    async def _compacted(self, account: Account) -> tuple[CompactionState, int] | None:
        """What to keep of the conversation's state, once the costs are recorded."""
        known = account.plan.compaction
        if self._compactor is None or known is None or not account.calls:
            return None
        return await self._compactor.next_state(
            self._user_id,
            self._session_id,
            known,
            before=account.plan.history,
            turn=self._conversation.map(lambda conversation: conversation.stored).value_or(()),
            usage=account.calls[-1].usage,
        )

    async def _failed(self, text: str, account: Account | None) -> Result[None, ErrorDetail]:
        stored, ensured, billed = await asyncio.gather(
            self._store([{"text": text}], MISSING_RESULT),
            self._sessions.ensure_record(self._user_id, self._session_id),
            self._bill(account),
        )
        ensured = await self._unless_deleted(ensured)
        freed = await self._leases.give_back(self._lease)
        return all_done((stored, ensured, billed, freed), what="a failed turn")

    async def _left(self, account: Account | None) -> Result[None, ErrorDetail]:
        partial = account.partial_text if account is not None else ""
        blocks: list[ContentBlock] = [{"text": partial}] if partial.strip() else []
        told, stored, saved, billed = await asyncio.gather(
            self._leases.abort(self._lease),
            self._store([*blocks, {"text": STOPPED_BY_USER}], STOPPED_BY_USER),
            self._left_session(account),
            self._bill(account),
        )
        saved = await self._unless_deleted(saved)
        freed = await self._leases.give_back(self._lease)
        return all_done((stored, saved, billed, told, freed), what="an aborted turn")

    async def _free(self) -> None:
        await best_effort(
            self._leases.give_back(self._lease),
            reason="Nobody waits for the answer any more; the lease is released later, or expires.",
            default=None,
        )

    async def _left_session(self, account: Account | None) -> Result[None, ErrorDetail]:
        if account is None:
            return await self._sessions.ensure_record(self._user_id, self._session_id)
        return (await self._save_session(account)).map(lambda _: None)

    @railway
    async def _unless_deleted[T](self, saved: Result[T, ErrorDetail]) -> Result[T, ErrorDetail]:
        """The deletion of the session promised that its messages go: those that came after it, too."""
        error = error_of(saved)
        if error is not None and error.code is ErrorCode.NOT_FOUND:
            (await self._conversation.unwrap().discard()).unwrap()
        return saved

    @railway
    async def _store(self, blocks: list[ContentBlock], missing_result: str) -> Result[None, ErrorDetail]:
        conversation = self._conversation.unwrap()
        return await conversation.end(blocks, user_text=self._typed, missing_result=missing_result)

    async def _save_session(self, account: Account) -> Result[str, ErrorDetail]:
        """Where the record is now."""
        plan = account.plan
        return await self._sessions.complete_turn(
            self._user_id,
            self._session_id,
            TurnPreferences(
                last_model=plan.config.model_id,
                last_temperature=plan.config.temperature,
                enabled_tools=None if plan.enabled_tools is None else list(plan.enabled_tools),
                system_prompt_hash=system_prompt_hash(plan.system_prompt),
            ),
            plan.session,
        )

    async def _bill(self, account: Account | None) -> Result[None, ErrorDetail]:
        if account is None or not account.calls:
            return Success(None)
        return await self._usage.record(self._user_id, self._session_id, account.messages())

    def _log_lost(self, code: str, context: Mapping[str, str]) -> None:
        logger.error(
            "an aborted turn could not be stored completely",
            extra={"session_id": self._session_id, "code": code, **context},
        )
