"""How a turn ends: answered, failed, or left by its client. Each way ends with the session free again."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from agents.files import attachment_marker
from agents.history import MISSING_RESULT
from agents.system_prompt import system_prompt_hash
from agents.turn.accounting import Account
from agents.turn.conversation import Conversation
from agents.turn.live import Lease, LiveTurns
from agents.turn.request import TurnRequest
from apis.shared.costs.service import UsageRecorder
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, all_done, railway
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import ContentBlock, TurnPreferences

logger = logging.getLogger(__name__)

STOPPED_BY_USER = "Session stopped by user"
CLEANUP_SECONDS = 5.0


class Ending:
    """The ending of one turn. The account is None for a turn that never got as far as running.

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
        live: LiveTurns,
    ) -> None:
        self._user_id = request.user.user_id
        self._session_id = request.session_id
        self._typed = request.message + attachment_marker(file_names)
        self._conversation = conversation
        self._sessions = sessions
        self._usage = usage
        self._lease = lease
        self._live = live
        self._answered = False

    def release(self) -> None:
        self._live.release(self._lease)

    async def answered(self, account: Account) -> Result[None, ErrorDetail]:
        """Write session record, then usage: it is recorded even when the session record cannot be, it must not be
        lost. Goes on when the turn is cancelled."""
        self._answered = True
        return await background.finish(self._save_and_bill(account), name="end a turn")

    async def failed(self, text: str, account: Account | None) -> Result[None, ErrorDetail]:
        """Store the user message unless it is stored already, `text` as the assistant's message, the usage of
        completed model calls, and a session record. A failure of the turn-end writes themselves is not stored."""
        try:
            if self._answered:
                return Success(None)
            return all_done(
                await asyncio.gather(
                    self._store([{"text": text}], MISSING_RESULT),
                    self._sessions.ensure_record(self._user_id, self._session_id),
                    self._bill(account),
                ),
                what="a failed turn",
            )
        finally:
            self.release()

    async def left(self, account: Account | None) -> None:
        """Store what was streamed with a stop notice, the usage so far, and a session record, within five seconds.
        Nobody is listening any more: what cannot be stored is told to the operator."""
        try:
            self._lease.aborted.set()
            if not self._answered:
                await self._stop_in_time(account)
        finally:
            self.release()

    async def _stop_in_time(self, account: Account | None) -> None:
        work = background.start(self._stop(account), name="end an aborted turn")
        done, _ = await asyncio.wait((work,), timeout=CLEANUP_SECONDS)
        if not done:
            work.cancel()
            self._log_lost("timeout", {})
            return
        match work.result():
            case Failure(error):
                self._log_lost(error.code.value, error.context)

    async def _stop(self, account: Account | None) -> Result[None, ErrorDetail]:
        partial = account.partial_text if account is not None else ""
        blocks: list[ContentBlock] = [{"text": partial}] if partial.strip() else []
        return all_done(
            await asyncio.gather(
                self._store([*blocks, {"text": STOPPED_BY_USER}], STOPPED_BY_USER),
                self._save_session(account)
                if account is not None
                else self._sessions.ensure_record(self._user_id, self._session_id),
                self._bill(account),
            ),
            what="an aborted turn",
        )

    async def _save_and_bill(self, account: Account) -> Result[None, ErrorDetail]:
        saved = await self._save_session(account)
        billed = await self._bill(account)
        return all_done((saved, billed), what="the end of a turn")

    @railway
    async def _store(self, blocks: list[ContentBlock], missing_result: str) -> Result[None, ErrorDetail]:
        conversation = self._conversation.unwrap()
        return await conversation.end(blocks, user_text=self._typed, missing_result=missing_result)

    async def _save_session(self, account: Account) -> Result[None, ErrorDetail]:
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
