"""Opens turns: the checks that answer an HTTP status, and all reading that comes before the agent runs."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

from agents.config import DEFAULT_MODEL_ID, resolve_model_config
from agents.events import Citation
from agents.prompt import AttachedFile, decode_files, not_empty
from agents.system_prompt import default_prompt
from agents.tools.selection import ToolSelection, select_tools
from agents.turn.assistants import Grounding, TurnAssistants, check_attachable, with_instructions
from agents.turn.compaction import Compactor, get_compactor
from agents.turn.conversation import Conversation
from agents.turn.ending import Ending
from agents.turn.gate import Checked, Gate, get_gate, is_admitted
from agents.turn.leases import TurnLeases
from agents.turn.live import Lease, LiveTurns
from agents.turn.memory_context import MemoryContext, get_memory_context
from agents.turn.plan import Plan
from agents.turn.request import TurnRequest, check_request
from agents.turn.turn import BlockedTurn, FailedTurn, OpenTurn, Turn
from apis.shared.assistants.models import Assistant
from apis.shared.assistants.service import get_assistant_service
from apis.shared.costs.service import UsageRecorder, get_usage_recorder
from apis.shared.errors import ErrorDetail, forbidden, status_of
from apis.shared.files.file_resolver import FileResolver, get_file_resolver
from apis.shared.knowledge.service import get_knowledge_base
from apis.shared.lifecycle import background
from apis.shared.logs import bounded
from apis.shared.models.managed_models import can_access_model, get_managed_models, pricing_snapshot
from apis.shared.models.models import ManagedModel
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.quota.events import build_quota_exceeded_event, build_quota_warning_event
from apis.shared.quota.models import QuotaCheckResult
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure, Result, Success, best_effort, collect, fold, railway
from apis.shared.sessions.leases.service import get_leases
from apis.shared.sessions.messages.repository import MessageRepository
from apis.shared.sessions.messages.service import get_messages
from apis.shared.sessions.metadata import SessionService, get_session_service
from apis.shared.sessions.models import Message, SessionRecord, StoredMessage
from apis.shared.tools.access import FilteredTools, ToolAccess, get_tool_access
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

NO_MODEL_ACCESS = forbidden("You do not have access to this model. Please choose another one.")


class TurnService:
    """One per process. `memory` is None where there is no long-term memory, `messages` a Failure where the store is not
    configured, `compactor` None where conversations are not compacted."""

    def __init__(
        self,
        *,
        sessions: SessionService,
        assistants: TurnAssistants,
        messages: Result[MessageRepository, ErrorDetail],
        models: ManagedModelRepository,
        roles: AppRoleService,
        tools: ToolAccess,
        files: FileResolver,
        usage: UsageRecorder,
        memory: MemoryContext | None,
        leases: TurnLeases,
        gate: Gate,
        compactor: Compactor | None,
    ) -> None:
        self._sessions = sessions
        self._assistants = assistants
        self._messages = messages
        self._models = models
        self._roles = roles
        self._tools = tools
        self._files = files
        self._usage = usage
        self._memory = memory
        self._leases = leases
        self._gate = gate
        self._compactor = compactor

    @railway
    async def open(self, request: TurnRequest) -> Result[OpenTurn, ErrorDetail]:
        """Fails only for what the caller can correct: `validation_error`, `not_found`, `conflict` (another turn of
        the session is running) and `forbidden`. Every other failure is the first item of the turn's stream.
        """
        check_request(request).unwrap()
        inline = decode_files(request.files).unwrap()
        lease = (await self._leases.acquire(request.user.user_id, request.session_id)).unwrap()
        opened: Result[OpenTurn, ErrorDetail] | None = None
        try:
            opened = await self._open(request, inline, lease)
        finally:
            if not isinstance(opened, Success):
                await background.finish(self._give_back(lease), name="release the lease of a refused turn")
        return opened

    async def _give_back(self, lease: Lease) -> None:
        await best_effort(
            self._leases.give_back(lease),
            reason="The turn was refused; its lease is released later, or expires.",
            default=None,
        )
        self._leases.release(lease)

    async def _open(
        self, request: TurnRequest, inline: Sequence[AttachedFile], lease: Lease
    ) -> Result[OpenTurn, ErrorDetail]:
        reads = await self._read(request, lease)
        granted = _granted(request, reads)
        refusal = _refusal(reads.session) or _refusal(reads.lease)
        if refusal is None and is_admitted(reads.gate):
            refusal = _refusal(granted) or _refusal(reads.model) or _refusal(_none_empty(reads.files))
        if refusal is not None:
            return Failure(refusal)
        conversation = self._messages.map(
            lambda store: Conversation(
                store, request.user.user_id, request.session_id, history=reads.history.value_or(None)
            )
        )
        planned = _plan(request, inline, reads, granted, owed=conversation.map(lambda known: known.owed).value_or(()))
        is_running = isinstance(planned, Success) and is_admitted(reads.gate)
        claimed, grounded = await asyncio.gather(
            self._claim(request, reads.session, attaches=isinstance(granted, Success)),
            self._assistants.ground(request, granted if is_running else Success(None)),
        )
        refusal = _refusal(claimed)
        if refusal is not None:
            return Failure(refusal)
        planned = _prepared(request, planned, claimed, grounded)
        reads = replace(reads, session=claimed)
        planned = planned.map(self._with_compaction)
        ending = Ending(
            request=request,
            file_names=[file.filename for file in planned.map(lambda plan: plan.files).value_or(inline)],
            conversation=conversation,
            sessions=self._sessions,
            usage=self._usage,
            lease=lease,
            leases=self._leases,
            compactor=self._compactor,
        )
        checked = reads.checked
        if checked is not None and not checked.allowed:
            notice = build_quota_exceeded_event(checked)
            return Success(BlockedTurn(notice, ending, lambda: self._record(request, checked)))
        if checked is not None:
            self._record(request, checked)
        turn = planned.bind(
            lambda plan: conversation.map(
                lambda ready: Turn(
                    user_id=request.user.user_id,
                    session_id=request.session_id,
                    plan=plan,
                    messages=ready,
                    ending=ending,
                )
            )
        )
        return Success(fold(turn, success=_as_open, failure=lambda error: FailedTurn(error, ending)))

    def _with_compaction(self, plan: Plan) -> Plan:
        return plan if self._compactor is None else replace(plan, compaction=self._compactor.known(plan.session))

    async def _read(self, request: TurnRequest, lease: Lease) -> "_Reads":
        """Everything at once: the slowest read decides how long the user waits. Only what another turn may have
        written while its lease was waited for is read again."""
        user = request.user
        confirmed, read, admitted = await asyncio.gather(
            self._leases.confirm(lease),
            asyncio.gather(
                self._assistants.read(request),
                self._permitted_model(request),
                self._tools.filter(user, request.enabled_tools or ()),
                self._history(request),
                self._trimmed(request),
            ),
            self._read_if_admitted(request),
        )
        (session, assistant), *others = read
        reads = _Reads(confirmed, session, assistant, *others, *admitted)
        if not confirmed.value_or(False):
            return reads
        (session, assistant), history, gate = await asyncio.gather(
            self._assistants.read(request),
            self._history(request),
            self._ask_gate_again(request, reads.gate),
        )
        return replace(reads, session=session, assistant=assistant, history=history, gate=gate)

    async def _claim(
        self, request: TurnRequest, session: Result[SessionRecord | None, ErrorDetail], *, attaches: bool
    ) -> Result[SessionRecord | None, ErrorDetail]:
        """Also for a turn that cannot run: what it is told is kept in a session that is the user's, and that stays with
        its assistant."""
        match session:
            case Success(known):
                return await self._assistants.claim(request, known, attaches=attaches)
            case _:
                return session

    async def _read_if_admitted(
        self, request: TurnRequest
    ) -> tuple[Checked, Result[list[AttachedFile], ErrorDetail], str | None]:
        """The gate, and behind it what is paid for or holds content: a search of the memory, files."""
        gate = await self._gate.ask(request.user)
        if not is_admitted(gate):
            return gate, Success([]), None
        files, memory = await asyncio.gather(self._resolved_files(request), self._recall(request))
        return gate, files, memory

    async def _ask_gate_again(self, request: TurnRequest, before: Checked) -> Checked:
        """What the other turn spent may have closed it; what was closed stays so."""
        return await self._gate.ask(request.user) if is_admitted(before) else before

    def _record(self, request: TurnRequest, checked: QuotaCheckResult) -> None:
        self._gate.record(request.user, checked, request.session_id)

    @railway
    async def _permitted_model(self, request: TurnRequest) -> Result[ManagedModel | None, ErrorDetail]:
        """The managed model, None for an id that nobody manages; `forbidden` for one the user may not choose."""
        model_id = request.model_id or DEFAULT_MODEL_ID
        model = (await self._models.find(model_id)).unwrap()
        if model is None:
            logger.warning(
                "model is not managed, usage is recorded without cost", extra={"model_id": bounded(model_id)}
            )
            return Success(None)
        if request.model_id is not None:
            permissions = (await self._roles.resolve_user_permissions(request.user)).unwrap()
            if not can_access_model(request.user, model, permissions):
                return Failure(NO_MODEL_ACCESS)
        return Success(model)

    @railway
    async def _resolved_files(self, request: TurnRequest) -> Result[list[AttachedFile], ErrorDetail]:
        if not request.file_upload_ids:
            return Success([])
        resolved = (await self._files.resolve(request.user.user_id, request.file_upload_ids)).unwrap()
        return Success([AttachedFile(file.filename, file.content_type, file.data) for file in resolved])

    @railway
    async def _history(self, request: TurnRequest) -> Result[list[StoredMessage], ErrorDetail]:
        store = self._messages.unwrap()
        return await store.read(request.user.user_id, request.session_id)

    @railway
    async def _trimmed(self, request: TurnRequest) -> Result[int, ErrorDetail]:
        store = self._messages.unwrap()
        return await store.trimmed(request.user.user_id, request.session_id)

    async def _recall(self, request: TurnRequest) -> str | None:
        if self._memory is None:
            return None
        return await self._memory.recall(request.user.user_id, request.session_id, request.message)


@dataclass(frozen=True, slots=True)
class _Reads:
    lease: Result[bool, ErrorDetail]
    session: Result[SessionRecord | None, ErrorDetail]
    assistant: Result[Assistant | None, ErrorDetail]
    model: Result[ManagedModel | None, ErrorDetail]
    tools: Result[FilteredTools, ErrorDetail]
    history: Result[list[StoredMessage], ErrorDetail]
    trimmed: Result[int, ErrorDetail]
    gate: Checked
    files: Result[list[AttachedFile], ErrorDetail]
    memory_context: str | None

    @property
    def checked(self) -> QuotaCheckResult | None:
        """What the gate found, once it counts: the session was found to be the user's own, and free."""
        known = collect([self.lease.map(lambda _: None), self.session.map(lambda _: None)])
        return known.bind(lambda _: self.gate).value_or(None)


def _as_open(turn: OpenTurn) -> OpenTurn:
    return turn


def _refusal[T](check: Result[T, ErrorDetail]) -> ErrorDetail | None:
    """The failure of a check that the caller can correct; outages of a store are shown in the stream."""
    return fold(
        check,
        success=lambda _: None,
        failure=lambda error: error if status_of(error.code) < HTTPStatus.INTERNAL_SERVER_ERROR else None,
    )


def _none_empty(files: Result[list[AttachedFile], ErrorDetail]) -> Result[list[AttachedFile], ErrorDetail]:
    """Of uploaded files, what is checked of those in the request; that they cannot be read is shown in the stream."""
    return collect(not_empty(file) for file in files.value_or([]))


@railway
def _granted(request: TurnRequest, reads: _Reads) -> Result[Assistant | None, ErrorDetail]:
    """The assistant that may answer in this session, None without one."""
    check_attachable(request, reads.session.unwrap(), reads.history.unwrap()).unwrap()
    return reads.assistant


@railway
def _prepared(
    request: TurnRequest,
    planned: Result[Plan, ErrorDetail],
    claimed: Result[SessionRecord | None, ErrorDetail],
    grounded: Result[Grounding, ErrorDetail],
) -> Result[Plan, ErrorDetail]:
    plan = planned.unwrap()
    session = claimed.unwrap()
    grounding = grounded.unwrap()
    cited = [Citation(source, is_typed=request.endpoint.typed_citations) for source in grounding.citations]
    return Success(
        replace(
            plan,
            session=session,
            message=grounding.message,
            citations=grounding.citations,
            opening=(*plan.opening, *cited),
        )
    )


@railway
def _plan(
    request: TurnRequest,
    inline: Sequence[AttachedFile],
    reads: _Reads,
    granted: Result[Assistant | None, ErrorDetail],
    *,
    owed: Sequence[Message],
) -> Result[Plan, ErrorDetail]:
    reads.lease.unwrap()
    session = reads.session.unwrap()
    checked = reads.gate.unwrap()
    assistant = granted.unwrap()
    model = reads.model.unwrap()
    permitted = reads.tools.unwrap()
    selection = _runnable(permitted)
    files = reads.files.unwrap()
    caching = request.caching_enabled
    if caching is None and request.model_id is not None and model is not None:
        caching = model.supports_caching
    warning = None if checked is None else build_quota_warning_event(checked)
    return Success(
        Plan(
            message=request.message,
            config=resolve_model_config(
                model_id=request.model_id,
                temperature=request.temperature,
                caching_enabled=caching,
                provider=request.provider,
                max_tokens=request.max_tokens,
            ),
            pricing=pricing_snapshot(model, datetime.now(UTC)) if model is not None else None,
            system_prompt=_system_prompt(request, assistant),
            tools=selection,
            servers=[permitted.external[tool_id] for tool_id in selection.external],
            enabled_tools=None if request.enabled_tools is None else permitted.allowed,
            files=(*inline, *files),
            history=[*reads.history.unwrap(), *(StoredMessage(message, "") for message in owed)],
            memory_context=reads.memory_context,
            session=session,
            opening=() if warning is None else (warning,),
            trimmed=reads.trimmed.unwrap(),
        )
    )


def _system_prompt(request: TurnRequest, assistant: Assistant | None) -> str:
    """An assistant's instructions take the place of a prompt in the request."""
    if assistant is not None and assistant.instructions.strip():
        return with_instructions(default_prompt(), assistant.instructions)
    return request.system_prompt or default_prompt()


def _runnable(permitted: FilteredTools) -> ToolSelection:
    """The tools that this turn runs with."""
    selection = select_tools(permitted.allowed, external=permitted.external)
    left_out = {"unknown": selection.unknown, "denied": permitted.denied}
    for kind, ids in left_out.items():
        if ids:
            logger.info("tools left out", extra={"kind": kind, "count": len(ids), "tools": bounded(ids)})
    return selection


@once
def get_turn_service() -> TurnService:
    return TurnService(
        sessions=get_session_service(),
        assistants=TurnAssistants(get_assistant_service(), get_knowledge_base(), get_session_service()),
        messages=get_messages(),
        models=get_managed_models(),
        roles=get_app_role_service(),
        tools=get_tool_access(),
        files=get_file_resolver(),
        usage=get_usage_recorder(),
        memory=get_memory_context(),
        leases=TurnLeases(LiveTurns(), get_leases()),
        gate=get_gate(),
        compactor=get_compactor(),
    )
