"""The test chat of an assistant: its owner asks, and nothing is kept of it but its usage."""

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.config import DEFAULT_MODEL_ID, resolve_model_config
from agents.events import SearchReport, StreamEvent
from agents.system_prompt import default_prompt
from agents.tools.selection import ToolSelection
from agents.turn.accounting import Account
from agents.turn.gate import Gate, get_gate
from agents.turn.last_work import LastWork
from agents.turn.plan import Plan
from agents.turn.turn import OpenTurn, Turn
from apis.shared.assistants.service import AssistantService, get_assistant_service
from apis.shared.auth.models import User
from apis.shared.costs.service import UsageRecorder, get_usage_recorder
from apis.shared.documents.service import DocumentService, get_document_service
from apis.shared.errors import ErrorDetail, bad_request, validation_error
from apis.shared.knowledge.augmentation import augmented
from apis.shared.knowledge.service import KnowledgeBase, get_knowledge_base
from apis.shared.models.managed_models import get_managed_models, pricing_snapshot
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.quota.events import build_quota_exceeded_response, build_quota_warning_event
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.sessions.models import Message
from apis.shared.wiring import once

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

NO_DOCUMENTS = bad_request("The documents of this assistant must be processed before it can be tested.")


@dataclass(frozen=True, slots=True)
class OpenTestChat:
    session_id: str
    turn: OpenTurn


class TestChats:
    def __init__(
        self,
        *,
        assistants: AssistantService,
        documents: DocumentService,
        knowledge: KnowledgeBase,
        models: ManagedModelRepository,
        usage: UsageRecorder,
        gate: Gate,
    ) -> None:
        self._assistants = assistants
        self._documents = documents
        self._knowledge = knowledge
        self._models = models
        self._usage = usage
        self._gate = gate

    @railway
    async def open(
        self, user: User, assistant_id: str, message: str, session_id: str | None = None
    ) -> Result[OpenTestChat, ErrorDetail]:
        """The default model without tools, with the assistant's instructions alone. `session_id` only names the usage
        records; None makes one up.

        Everything that goes wrong before the model is called is a Failure: `validation_error`, `not_found` for an
        assistant that is not the user's, `bad_request` while no document can be searched, `quota_exceeded`, and
        whatever the stores, the embedding model and the index fail with.
        """
        if not message.strip():
            return Failure(validation_error("The message must not be empty.", field="body.message"))
        if session_id is not None and not _SESSION_ID.fullmatch(session_id):
            return Failure(
                validation_error(
                    "A session id has 1 to 128 letters, digits, underscores and hyphens.", field="body.session_id"
                )
            )
        owned, ready, asked, priced = await asyncio.gather(
            self._assistants.owned(user.user_id, assistant_id),
            self._documents.has_complete(assistant_id),
            self._gate.ask(user),
            self._models.find(DEFAULT_MODEL_ID),
        )
        assistant = owned.unwrap()
        if not ready.unwrap():
            return Failure(NO_DOCUMENTS)
        named = session_id or f"test-{uuid.uuid4().hex[:12]}"
        checked = asked.unwrap()
        if checked is not None:
            self._gate.record(user, checked, named)
        if checked is not None and not checked.allowed:
            return Failure(build_quota_exceeded_response(checked).to_error())
        model = priced.unwrap()
        chunks = (await self._knowledge.search(assistant_id, message)).unwrap()
        warning = None if checked is None else build_quota_warning_event(checked)
        plan = Plan(
            message=augmented(message, chunks),
            config=resolve_model_config(caching_enabled=False),
            pricing=None if model is None else pricing_snapshot(model, datetime.now(UTC)),
            system_prompt=assistant.instructions if assistant.instructions.strip() else default_prompt(),
            tools=ToolSelection(),
            enabled_tools=None,
            files=(),
            history=(),
            memory_context=None,
            session=None,
            opening=(SearchReport(chunks), *(() if warning is None else (warning,))),
        )
        turn = Turn(
            user_id=user.user_id,
            session_id=named,
            plan=plan,
            messages=_Unkept(),
            ending=_UsageOnly(self._usage, user.user_id, named),
        )
        (await turn.prepare()).unwrap()
        return Success(OpenTestChat(named, _Repeatable(turn)))


class _Unkept:
    """The messages of a conversation without a history."""

    async def append(self, _: Message) -> Result[None, ErrorDetail]:
        return Success(None)


class _UsageOnly:
    """The ending of a turn of which only the usage is recorded."""

    def __init__(self, usage: UsageRecorder, user_id: str, session_id: str) -> None:
        self._usage = usage
        self._user_id = user_id
        self._session_id = session_id
        self._last = LastWork(session_id)

    async def answered(self, account: Account) -> Result[None, ErrorDetail]:
        return await self._last.in_time(self._bill(account), name="end a test chat")

    async def failed(self, _: str, account: Account | None) -> Result[None, ErrorDetail]:
        if self._last.has_begun:
            return Success(None)
        return await self._last.whole(self._bill(account), name="end a failed test chat")

    async def close(self, account: Account | None) -> None:
        if not self._last.has_begun:
            self._last.begin(self._bill(account), name="end an aborted test chat")
        await self._last.settle()

    async def _bill(self, account: Account | None) -> Result[None, ErrorDetail]:
        if account is None:
            return Success(None)
        return await self._usage.record(self._user_id, self._session_id, account.messages())


class _Repeatable:
    """Whatever goes wrong in it, the user may ask again."""

    def __init__(self, turn: OpenTurn) -> None:
        self._turn = turn

    async def stream(self) -> AsyncGenerator[Result[StreamEvent, ErrorDetail]]:
        async with aclosing(self._turn.stream()) as items:
            async for item in items:
                yield item.alt(lambda error: error.with_recovery(recoverable=True))

    async def record_failure(self, error: ErrorDetail, text: str) -> Result[None, ErrorDetail]:
        return await self._turn.record_failure(error, text)

    async def close(self) -> None:
        await self._turn.close()


@once
def get_test_chats() -> TestChats:
    return TestChats(
        assistants=get_assistant_service(),
        documents=get_document_service(),
        knowledge=get_knowledge_base(),
        models=get_managed_models(),
        usage=get_usage_recorder(),
        gate=get_gate(),
    )
