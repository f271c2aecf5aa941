"""What moto's AgentCore Memory lacks for conversations of some length: pages, and the newest event first."""

from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_timestamp
from moto.bedrockagentcore.responses import BedrockAgentCoreResponse
from moto.core.responses import ActionResult

_DEFAULT_PAGE = 20


def install() -> None:
    """Change moto's class in this process; to be called once, before the first request."""
    BedrockAgentCoreResponse.list_events = _list_events  # type: ignore[method-assign]  # mends moto in place


def _list_events(self: BedrockAgentCoreResponse) -> ActionResult:
    params = self._get_params()
    oldest_first = self.backend.list_events(
        memory_id=params["memoryId"], actor_id=params["actorId"], session_id=params["sessionId"], max_results=None
    )
    oldest_first.sort(key=lambda event: _moment(event.event_timestamp))
    newest_first = oldest_first[::-1]
    start = int(params.get("nextToken") or 0)
    end = start + int(params.get("maxResults") or _DEFAULT_PAGE)
    with_payloads = params.get("includePayloads", True)
    events = [event.to_dict(include_payload=with_payloads) for event in newest_first[start:end]]
    return ActionResult({"events": events, "nextToken": str(end) if end < len(newest_first) else None})


def _moment(given: Any) -> datetime:
    """The event's time in whatever form it was sent. Any: moto stores what it got."""
    moment = given if isinstance(given, datetime) else parse_timestamp(given)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
