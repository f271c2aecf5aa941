"""What is stored in the folder of local sessions, when no tables are configured."""

import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from tests.support import stored
from tests.support.stored import Item, Row, StoredMessage, Thing, assistants

_KEYS = frozenset({"PK", "SK", "GSI_PK", "GSI_SK", "GSI1PK", "GSI1SK", "GSI2_PK", "GSI2_SK", "ttl"})
_KEYS_OF_A_COST_RECORD = _KEYS | {"sessionId", "userId", "timestamp", "messageId"}


class LocalFolder:
    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def assistants(self) -> Path:
        """Beside the sessions."""
        return self.root.with_name(f"{self.root.name}-assistants")

    def assistant(self, assistant_id: str) -> Path:
        return self.assistants / f"assistant_{assistant_id}.json"

    def session(self, session_id: str) -> Path:
        return self.root / f"session_{session_id}"

    def messages(self, session_id: str) -> Path:
        return self.session(session_id) / "agents" / "agent_default" / "messages"

    def store(self, thing: Thing) -> None:
        match thing:
            case StoredMessage(session_id=session_id, index=index):
                path = self.messages(session_id) / f"message_{index}.json"
                _write(path, thing.entry(message_id=index))
            case Row(stored.SESSIONS, item) if str(item["SK"]).startswith("C#"):
                path = self.session(item["sessionId"]) / "message-metadata.json"
                known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
                _write(path, {**known, str(item["messageId"]): _without(_KEYS_OF_A_COST_RECORD, item)})
            case Row(stored.SESSIONS, item):
                _write(self.session(item["sessionId"]) / "session-metadata.json", _without(_KEYS, item))
            case Row(assistants.ASSISTANTS, item) if item["SK"] == "METADATA":
                _write(self.assistant(str(item["PK"]).removeprefix("AST#")), _without(_KEYS, item))
            case _:
                raise TypeError(thing)


def is_local(thing: Thing) -> bool:
    """Whether there is a place for it among the local files."""
    return isinstance(thing, StoredMessage) or (
        isinstance(thing, Row) and thing.table in {stored.SESSIONS, assistants.ASSISTANTS}
    )


def _without(names: Set[str], item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in names}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
