"""AgentCore Memory: the events of a conversation."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apis.shared.aws.client import ServiceClient, agentcore
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient

PAGE_SIZE = 100

type Payload = Mapping[str, Any]  # Any: {"conversational": ...} or {"blob": <JSON document>}


@dataclass(frozen=True, slots=True)
class Event:
    event_id: str
    timestamp: datetime
    payload: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first, as the service gives it; `next_token` is None on the last page."""

    events: list[Event]
    next_token: str | None


class Memory:
    """One memory resource. Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(
        self,
        memory_id: str,
        client: "ServiceClient[BedrockAgentCoreClient]" = agentcore,
    ) -> None:
        self.memory_id = memory_id
        self.client = client

    async def create_event(
        self, *, actor_id: str, session_id: str, timestamp: datetime, payload: list[Payload]
    ) -> Result[None, ErrorDetail]:
        answer = await self.client.call(
            lambda client: client.create_event(
                memoryId=self.memory_id,
                actorId=actor_id,
                sessionId=session_id,
                eventTimestamp=timestamp,
                payload=payload,  # type: ignore[arg-type]  # the stubs have a closed dictionary per payload kind
            )
        )
        return answer.map(lambda _: None)

    async def list_events(
        self, *, actor_id: str, session_id: str, token: str | None = None, limit: int = PAGE_SIZE
    ) -> Result[EventPage, ErrorDetail]:
        following: dict[str, str] = {} if token is None else {"nextToken": token}
        answer = await self.client.call(
            lambda client: client.list_events(
                memoryId=self.memory_id,
                actorId=actor_id,
                sessionId=session_id,
                includePayloads=True,
                maxResults=limit,
                **following,  # type: ignore[arg-type]  # nextToken may be absent, never null
            )
        )
        return answer.map(
            lambda page: EventPage(
                [
                    Event(event["eventId"], event["eventTimestamp"], tuple(event.get("payload", ())))
                    for event in page["events"]
                ],
                page.get("nextToken"),
            )
        )

    async def event_pages(self, *, actor_id: str, session_id: str) -> AsyncIterator[Result[EventPage, ErrorDetail]]:
        """Every page, newest events first, fetched as it is asked for; a Failure is the last one."""
        token: str | None = None
        while True:
            page = await self.list_events(actor_id=actor_id, session_id=session_id, token=token)
            yield page
            token = page.map(lambda value: value.next_token).value_or(None)
            if token is None:
                return

    async def delete_event(self, *, actor_id: str, session_id: str, event_id: str) -> Result[None, ErrorDetail]:
        answer = await self.client.call(
            lambda client: client.delete_event(
                memoryId=self.memory_id, actorId=actor_id, sessionId=session_id, eventId=event_id
            )
        )
        return answer.map(lambda _: None)
