"""What an assistant adds to a turn: its rules, its instructions, and what its documents say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from agents.turn.request import TurnRequest
from apis.shared.assistants.models import Assistant
from apis.shared.assistants.service import AssistantService
from apis.shared.costs.models import StoredCitation
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.knowledge.augmentation import augmented
from apis.shared.knowledge.service import KnowledgeBase
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, fold, railway
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import SessionRecord, StoredMessage

BOUND_TO_ANOTHER = bad_request("Cannot change assistants mid-session. Please start a new session.")
NOT_NEW = bad_request("Assistants can only be attached to new sessions. Please start a new session.")


@dataclass(frozen=True, slots=True)
class Grounding:
    """`message` takes the place of the user's, for the model and for the store."""

    message: str
    citations: Sequence[StoredCitation] = ()


class TurnAssistants:
    def __init__(self, assistants: AssistantService, knowledge: KnowledgeBase, sessions: SessionService) -> None:
        self._assistants = assistants
        self._knowledge = knowledge
        self._sessions = sessions

    async def read(
        self, request: TurnRequest
    ) -> tuple[Result[SessionRecord | None, ErrorDetail], Result[Assistant | None, ErrorDetail]]:
        """The session, and the assistant that answers in it: that of the request, or where the endpoint goes on with it
        the session's own. Fail with `not_found` and `forbidden`."""
        check = self._sessions.check_turn(request.user.user_id, request.session_id)
        if request.assistant_id or not request.endpoint.continues_assistant:
            session, assistant = await asyncio.gather(check, self._find(request, request.assistant_id))
            return session, assistant
        session = await check
        return session, await self._find(request, fold(session, success=_bound, failure=lambda _: None))

    async def claim(
        self, request: TurnRequest, session: SessionRecord | None, *, attaches: bool
    ) -> Result[SessionRecord | None, ErrorDetail]:
        """Make a new session the user's and, if the request `attaches` an assistant, note that. The record as it is
        then. Fails with `not_found` when somebody else was faster."""
        user_id, assistant_id = request.user.user_id, request.assistant_id
        if attaches and assistant_id and _bound(session) != assistant_id:
            return await self._sessions.attach_assistant(
                user_id, request.session_id, assistant_id, title=request.endpoint.new_title, known=session
            )
        if session is None:
            return (await self._sessions.reserve(user_id, request.session_id)).map(lambda _: None)
        return Success(session)

    @railway
    async def ground(
        self, request: TurnRequest, granted: Result[Assistant | None, ErrorDetail]
    ) -> Result[Grounding, ErrorDetail]:
        """Search the assistant's documents for what the message asks. Fails as `KnowledgeBase.search`."""
        assistant = granted.unwrap()
        if assistant is None:
            return Success(Grounding(request.message))
        if assistant.owner_id != request.user.user_id:
            background.spawn(
                self._assistants.mark_opened(request.user, assistant.assistant_id), name="mark a share as opened"
            )
        chunks = (await self._knowledge.search(assistant.assistant_id, request.message)).unwrap()
        citations = [chunk.citation(assistant.assistant_id) for chunk in chunks]
        return Success(Grounding(augmented(request.message, chunks), citations))

    async def _find(self, request: TurnRequest, assistant_id: str | None) -> Result[Assistant | None, ErrorDetail]:
        if not assistant_id:
            return Success(None)
        return await self._assistants.visible_to(request.user, assistant_id)


def check_attachable(
    request: TurnRequest, session: SessionRecord | None, history: Sequence[StoredMessage]
) -> Result[None, ErrorDetail]:
    """An assistant answers a whole session or none of it. Fails with `bad_request`."""
    bound = _bound(session)
    if not request.assistant_id or bound == request.assistant_id:
        return Success(None)
    if bound is not None:
        return Failure(BOUND_TO_ANOTHER)
    return Failure(NOT_NEW) if history else Success(None)


def with_instructions(prompt: str, instructions: str) -> str:
    """Appended: the default prompt stays in force."""
    return f"{prompt}\n\n## Instructions of this assistant\n\n{instructions}"


def _bound(session: SessionRecord | None) -> str | None:
    return (session.preferences.assistant_id or None) if session is not None and session.preferences else None
