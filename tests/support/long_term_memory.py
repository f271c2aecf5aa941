"""Plays the long-term records of AgentCore Memory as its documentation describes them; moto has none.

`namespace` is taken as it is, `namespacePath` stands for a namespace and all below it. `is_older` plays the service
before that: `namespace` is the beginning of a name, and there is no other parameter. A page has 20 records unless asked
otherwise. A deleted record stays listed while `lists_deleted`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call

REMEMBERED = "what do I like"
STRATEGY = "preferences-1"

type Item = dict[str, Any]

_PAGE = 20
_ONE_STRATEGY: Sequence[Item] = ({"strategyId": STRATEGY, "name": "p", "type": "USER_PREFERENCE", "status": "ACTIVE"},)
ALL_STRATEGIES: Sequence[Item] = (
    {"strategyId": "sem-1", "name": "f", "type": "SEMANTIC", "status": "ACTIVE"},
    {"strategyId": "pref-1", "name": "p", "type": "USER_PREFERENCE", "status": "ACTIVE"},
    {"strategyId": "sum-1", "name": "s", "type": "SUMMARIZATION", "status": "ACTIVE"},
)


@dataclass
class LongTermMemory:
    memory_id: str
    strategies: Sequence[Item] = _ONE_STRATEGY
    records: list[Item] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    is_older: bool = False
    lists_deleted: bool = False

    def reset(self) -> None:
        self.strategies, self.records, self.deleted = _ONE_STRATEGY, [], []
        self.is_older = self.lists_deleted = False

    def remember(self, namespace: str | None, text: str, *, score: float | None = None, **members: Any) -> str:
        """The id of the new record; it answers every search, with this relevance."""
        record_id = f"mem-{uuid4()}"
        record = {
            "memoryRecordId": record_id,
            "content": {"text": text},
            "memoryStrategyId": STRATEGY,
            "namespaces": [] if namespace is None else [namespace],
            "createdAt": 1_735_787_045.0,
            **({} if score is None else {"score": score}),
            **members,
        }
        self.records.append(record)
        return str(record["memoryRecordId"])

    def __call__(self, call: Call) -> Answer | None:
        """None for what the endpoint itself answers."""
        match call.target.operation:
            case "GetMemory":
                return _answer({"memory": self._memory()})
            case "RetrieveMemoryRecords":
                asked = _asked(call)
                return self._page(asked, self._found(asked, call.text))
            case "ListMemoryRecords":
                asked = _asked(call)
                return self._page(asked, [_without_score(record) for record in self._matching(asked)])
            case "BatchDeleteMemoryRecords":
                return _answer(self._delete(_asked(call)["records"]))
        return None

    def _memory(self) -> Item:
        return {
            "id": self.memory_id,
            "name": "memory",
            "arn": "arn:aws:bedrock-agentcore:us-west-2:123456789012:memory/m",
            "eventExpiryDuration": 90,
            "status": "ACTIVE",
            "createdAt": 1.0,
            "updatedAt": 1.0,
            "strategies": [dict(strategy) for strategy in self.strategies],
        }

    def _found(self, asked: Mapping[str, Any], text: str) -> list[Item]:
        found = sorted(self._matching(asked), key=lambda record: -_number(record.get("score")))
        namespace = str(asked.get("namespace", ""))
        if REMEMBERED in text and f"/{STRATEGY}/" in namespace and not namespace.endswith("/"):
            found.append(
                {
                    "memoryRecordId": "mem-0000000000000000000000000000000000000000",
                    "content": {"text": "likes python"},
                    "memoryStrategyId": STRATEGY,
                    "namespaces": [namespace],
                    "createdAt": 1.0,
                    "score": 0.9,
                }
            )
        return found[: int(asked["searchCriteria"].get("topK", 10))]

    def _matching(self, asked: Mapping[str, Any]) -> list[Item]:
        return [
            record
            for record in self.records
            if (self.lists_deleted or record["memoryRecordId"] not in self.deleted)
            and any(self._is_meant(asked, namespace) for namespace in record.get("namespaces") or ("",))
        ]

    def _is_meant(self, asked: Mapping[str, Any], namespace: str) -> bool:
        if "namespacePath" in asked:
            path = str(asked["namespacePath"]).rstrip("/")
            return namespace == path or namespace.startswith(f"{path}/")
        return namespace.startswith(asked["namespace"]) if self.is_older else namespace == asked["namespace"]

    def _page(self, asked: Mapping[str, Any], records: Sequence[Item]) -> Answer:
        if self.is_older and "namespacePath" in asked:
            body = json.dumps({"message": "1 validation error detected: namespace must not be null"}).encode()
            return Answer(400, "application/json", body, (("x-amzn-errortype", "ValidationException"),))
        start = int(unquote(asked.get("nextToken", "0")))
        end = start + int(asked.get("maxResults", _PAGE))
        token = {"nextToken": str(end)} if end < len(records) else {}
        return _answer({"memoryRecordSummaries": records[start:end], **token})

    def _delete(self, asked: Iterable[Mapping[str, str]]) -> Item:
        outcome: Item = {"successfulRecords": [], "failedRecords": []}
        for one in asked:
            record_id = one["memoryRecordId"]
            if record_id in self.deleted or all(record["memoryRecordId"] != record_id for record in self.records):
                failed = {"memoryRecordId": record_id, "status": "FAILED", "errorCode": 404}
                outcome["failedRecords"].append(failed)
            else:
                self.deleted.append(record_id)
                outcome["successfulRecords"].append({"memoryRecordId": record_id, "status": "SUCCEEDED"})
        return outcome


def _asked(call: Call) -> Item:
    return dict(json.loads(call.text.partition(" ")[2]))


def _answer(body: Item) -> Answer:
    return Answer(200, "application/json", json.dumps(body).encode())


def _number(score: Any) -> float:
    return float(score) if isinstance(score, int | float) else 0.0


def _without_score(record: Item) -> Item:
    return {name: value for name, value in record.items() if name != "score"}
