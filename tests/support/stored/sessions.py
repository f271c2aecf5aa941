import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.stored.things import MOMENT, Row, StoredMessage, row_of

SESSIONS: Final = "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"
MEMORY: Final = "AGENTCORE_MEMORY_ID"


def session(user_id: str, session_id: str, *, at: str = MOMENT, **attributes: Any) -> Row:
    """An active session after one turn, last used `at`."""
    return row_of(
        SESSIONS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"S#ACTIVE#{at}#{session_id}",
            "GSI_PK": f"SESSION#{session_id}",
            "GSI_SK": "META",
            "sessionId": session_id,
            "userId": user_id,
            "title": "Old",
            "status": "active",
            "createdAt": at,
            "lastMessageAt": at,
            "messageCount": 1,
        },
        attributes,
    )


def conversation(user_id: str, session_id: str, *messages: Mapping[str, Any] | str) -> Iterator[StoredMessage]:
    """Messages a second apart; a text is said by user and assistant in turn."""
    begin = datetime(2026, 1, 5, 3, 39, 13, tzinfo=UTC)
    for index, said in enumerate(messages):
        role = "assistant" if index % 2 else "user"
        message = {"role": role, "content": [{"text": said}]} if isinstance(said, str) else said
        yield StoredMessage(user_id, session_id, index, message, begin + timedelta(seconds=index))


def payload(message: StoredMessage) -> dict[str, Any]:
    """A message as the payload of an event; long ones are blobs."""
    text = json.dumps(message.entry())
    if len(text) + len(message.role) >= 9000:
        return {"blob": json.dumps([text, message.role])}
    return {"conversational": {"content": {"text": text}, "role": message.role.upper()}}
