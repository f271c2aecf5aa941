"""How a turn ends: answered, failed, or left by its client. Each way ends with the session free again."""

import asyncio
from collections.abc import Sequence

from agents.files import attachment_marker
from agents.history import MISSING_RESULT
from agents.system_prompt import system_prompt_hash
from agents.turn.accounting import Account
from agents.turn.compaction import Compactor
from agents.turn.conversation import Conversation
from agents.turn.last_work import LastWork
from agents.turn.leases import TurnLeases
from agents.turn.live import Lease
from agents.turn.request import TurnRequest
from apis.shared.costs.service import UsageRecorder
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Result, Success, all_done, best_effort, error_of, railway
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import CompactionState, ContentBlock, TurnPreferences

STOPPED_BY_USER = "Session stopped by user"


class Ending:
    """The ending of one turn: `answered`, `told` or `failed`, whichever is called first, and in any case `close`. The
    account is None for a turn that never got as far as running.

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
        self._last = LastWork(self._session_id)
        self._compactor = compactor

    async def close(self, account: Account | None) -> None:
        """Free the session. A turn that has not ended was left by its client: what was streamed is stored with a stop
        notice, the usage so far, and a session record. All within four seconds."""
        self._lease.aborted.set()
        try:
            if not self._last.has_begun:
                self._last.begin(self._left(account), name="end an aborted turn")
                if not await self._last.settle():
                    self._last.give_up()
                    background.spawn(self._free(), name="release the lease of an aborted turn")
            else:
                await self._last.settle()
        finally:
            self._leases.release(self._lease)

    async def answered(self, account: Account) -> Result[None, ErrorDetail]:
        """Write session record, then usage: it is recorded even when the session record cannot be, it must not be
        lost. Fails with `not_found` when the session was deleted meanwhile: then nothing of the turn stays."""
        return await self._last.in_time(self._answered(account), name="end a turn")

    async def told(self, text: str) -> Result[None, ErrorDetail]:
        """For a turn that does not run: store the user message, and `text` as the assistant's message."""
        return await self._last.in_time(self._failed(text, None), name="end a turn that did not run")

    async def failed(self, text: str, account: Account | None) -> Result[None, ErrorDetail]:
        """Store the user message unless it is stored already, `text` as the assistant's message, the usage of
        completed model calls, and a session record. Does nothing after `answered` or `told`: a failure of the turn-end
        writes themselves is not stored."""
        if self._last.has_begun:
            return Success(None)
        return await self._last.whole(self._failed(text, account), name="end a failed turn")

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
        # A lease that is not given back takes nothing from what is stored, which is what the client is told of.
        await self._free()
        return all_done((stored, ensured, billed), what="a failed turn")

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
            reason="What the turn says and stores is complete; the lease is released later, or expires.",
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
        if account is None:
            return Success(None)
        return await self._usage.record(self._user_id, self._session_id, account.messages())
