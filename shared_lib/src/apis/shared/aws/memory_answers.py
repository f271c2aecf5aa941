"""Answers of AgentCore Memory that the SDK cannot read, or reads without what they say; mended before it does."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apis.shared.errors import service_unavailable
from apis.shared.result import ErrorTable, attempt

type Answer = dict[str, Any]  # Any: the JSON of one operation
type BeforeParse = Callable[..., None]

_NOT_JSON = ErrorTable.of((ValueError, service_unavailable), (RecursionError, service_unavailable))
# As an earlier version of the service called them.
_OLDER_NAMES = {"strategyId": "memoryStrategyId", "type": "memoryStrategyType"}


def _changing(change: Callable[[Answer], bool]) -> BeforeParse:
    """Writes the body again if `change` changed it; a body that is no JSON object is somebody else's to refuse."""

    def before_parse(response_dict: dict[str, Any], **_: object) -> None:
        answer = attempt(json.loads, response_dict.get("body") or b"", errors=_NOT_JSON).value_or(None)
        if isinstance(answer, dict) and change(answer):
            response_dict["body"] = json.dumps(answer).encode()

    return before_parse


def _as_text(answer: Answer) -> bool:
    """A content that is not one text becomes its JSON text: the SDK refuses the whole page otherwise."""
    changed = False
    for record in _objects(answer.get("memoryRecordSummaries")):
        content = record.get("content")
        if isinstance(content, dict) and not (content.keys() == {"text"} and isinstance(content["text"], str)):
            record["content"] = {"text": json.dumps(content, ensure_ascii=False)}
            changed = True
    return changed


def _with_present_names(answer: Answer) -> bool:
    """The SDK leaves out a member that it does not know."""
    changed = False
    memory = answer.get("memory")
    for strategy in _objects(memory.get("strategies") if isinstance(memory, dict) else None):
        for name, older in _OLDER_NAMES.items():
            if older in strategy and name not in strategy:
                strategy[name] = strategy[older]
                changed = True
    return changed


def _objects(value: Any) -> Iterator[Answer]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


RECORDS: Mapping[str, BeforeParse] = {
    "ListMemoryRecords": _changing(_as_text),
    "RetrieveMemoryRecords": _changing(_as_text),
}
STRATEGIES: Mapping[str, BeforeParse] = {"GetMemory": _changing(_with_present_names)}
