"""Messages as events of AgentCore Memory.

Events have a resolution of one second and are read back by time, so each message gets a later second than the one
before it, also across processes: a turn reads the conversation first and goes on from its last event.
"""

import asyncio
import json
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from apis.shared.aws.memory import Event, Memory
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.moments import offset_form
from apis.shared.result import ErrorTable, Failure, Result, Success, all_done, attempt, collect, fold, railway
from apis.shared.sessions.messages.entries import encode_entry, parse_entry
from apis.shared.sessions.models import Message, StoredMessage
from apis.shared.storage.session_folders import is_session_id

MAX_EVENTS = 10_000
MAX_CONVERSATIONAL = 9_000
_STATE_ACTOR = "agent_default"
_REMEMBERED_SESSIONS = 10_000
_CONCURRENT_DELETES = 10
_LATEST_STATES = 5
_NO_JSON = ErrorTable.of((ValueError, lambda _: internal_error(None, entity="Message")))


class AgentCoreMessages:
    """An id that is not a session id has no messages; the service, which refuses it, is not asked."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._last: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    @railway
    async def read(self, user_id: str, session_id: str) -> Result[list[StoredMessage], ErrorDetail]:
        if not is_session_id(session_id):
            return Success([])
        events: list[Event] = []
        async for page in self._memory.event_pages(actor_id=user_id, session_id=session_id):
            events += page.unwrap().events
            if len(events) >= MAX_EVENTS:
                break
        # Newest first as they come; a stable sort then keeps older data right, where one second has several events.
        oldest_first = events[:MAX_EVENTS][::-1]
        oldest_first.sort(key=lambda event: event.timestamp)
        if oldest_first:
            self._remember((user_id, session_id), oldest_first[-1].timestamp)
        messages = collect(_decode(payload) for event in oldest_first for payload in event.payload).unwrap()
        return Success([message for message in messages if message is not None])

    @railway
    async def trimmed(
        self,
        user_id: str,  # noqa: ARG002 - states were not kept by user
        session_id: str,
    ) -> Result[int, ErrorDetail]:
        if not is_session_id(session_id):
            return Success(0)
        page = await self._memory.list_events(actor_id=_STATE_ACTOR, session_id=session_id, limit=_LATEST_STATES)
        # The number only grew. Where the service does not find the states, the whole conversation is shown.
        return Success(
            max((_trimmed(payload) for event in page.unwrap().events for payload in event.payload), default=0)
        )

    @railway
    async def append(
        self, user_id: str, session_id: str, message: Message, *, begins: bool = False
    ) -> Result[None, ErrorDetail]:
        entry = encode_entry(message, 0)
        if not entry["message"]["content"]:
            return Success(None)
        moment = self._next((user_id, session_id))
        writes = [
            self._memory.create_event(
                actor_id=user_id, session_id=session_id, timestamp=moment, payload=[_payload(entry, message["role"])]
            )
        ]
        if begins:
            writes.append(self._mark(session_id, moment))
        return all_done(await asyncio.gather(*writes), what="a message")

    @railway
    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:
        if not is_session_id(session_id):
            return Success(0)
        actors = (user_id, f"session_{session_id}", _STATE_ACTOR)
        counts = await asyncio.gather(*(self._delete_actor(actor, session_id) for actor in actors))
        return all_done(counts, what="events of a deleted conversation").bind(lambda _: collect(counts)).map(sum)

    async def _mark(self, session_id: str, moment: datetime) -> Result[None, ErrorDetail]:
        now = offset_form()
        marker = {"session_id": session_id, "session_type": "AGENT", "created_at": now, "updated_at": now}
        return await self._memory.create_event(
            actor_id=f"session_{session_id}",
            session_id=session_id,
            timestamp=moment,
            payload=[{"blob": json.dumps(marker)}],
        )

    @railway
    async def _delete_actor(self, actor_id: str, session_id: str) -> Result[int, ErrorDetail]:
        events: list[Event] = []
        async for page in self._memory.event_pages(actor_id=actor_id, session_id=session_id):
            if _is_gone(page):
                return Success(0)
            events += page.unwrap().events
        limit = asyncio.Semaphore(_CONCURRENT_DELETES)

        async def delete_one(event: Event) -> Result[None, ErrorDetail]:
            async with limit:
                deleted = await self._memory.delete_event(
                    actor_id=actor_id, session_id=session_id, event_id=event.event_id
                )
            return Success(None) if _is_gone(deleted) else deleted

        outcomes = await asyncio.gather(*(delete_one(event) for event in events))
        deleted = sum(isinstance(outcome, Success) for outcome in outcomes)
        return (
            all_done(outcomes, what="events of a deleted conversation")
            .map(lambda _: len(events))
            .alt(lambda error: error.caused_by(None, actor=actor_id, deleted=f"{deleted} of {len(events)} events"))
        )

    def _next(self, key: tuple[str, str]) -> datetime:
        now = datetime.now(UTC).replace(microsecond=0)
        last = self._last.get(key)
        moment = now if last is None or now > last else last + timedelta(seconds=1)
        self._remember(key, moment)
        return moment

    def _remember(self, key: tuple[str, str], moment: datetime) -> None:
        self._last[key] = max(moment, self._last.get(key, moment))
        self._last.move_to_end(key)
        while len(self._last) > _REMEMBERED_SESSIONS:
            self._last.popitem(last=False)


def _payload(entry: dict[str, Any], role: str) -> dict[str, Any]:
    text = json.dumps(entry, ensure_ascii=False)
    if len(text) + len(role) < MAX_CONVERSATIONAL:
        return {"conversational": {"content": {"text": text}, "role": role.upper()}}
    return {"blob": json.dumps([text, role.lower()], ensure_ascii=False)}


def _decode(payload: Any) -> Result[StoredMessage | None, ErrorDetail]:
    match payload:
        case {"conversational": {"content": {"text": str(text)}}}:
            return parse_entry(text)
        case {"conversational": _}:
            return Failure(internal_error(None, entity="Message"))
        case {"blob": blob}:
            match _document(blob):
                case [str(text), str()]:
                    return parse_entry(text)
    # Session markers and agent states are blobs too.
    return Success(None)


def _document(blob: Any) -> Any:
    """A blob is a document of the service; the framework puts JSON text into it."""
    if not isinstance(blob, str):
        return blob
    return fold(attempt(json.loads, blob, errors=_NO_JSON), success=lambda document: document, failure=lambda _: None)


def _trimmed(payload: Any) -> int:
    match payload:
        case {"blob": blob}:
            match _document(blob):
                case {"conversation_manager_state": {"removed_message_count": int(count)}} if not isinstance(
                    count, bool
                ):
                    return max(count, 0)
    return 0


def _is_gone[T](result: Result[T, ErrorDetail]) -> bool:
    match result:
        case Failure(error):
            return error.context.get("aws_code") == "ResourceNotFoundException"
        case _:
            return False
