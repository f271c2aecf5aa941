"""What the platform remembers of a user, and where it is kept."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

type Kind = Literal["preferences", "facts", "summaries"]

STRATEGY_OF: Mapping[Kind, str] = {
    "preferences": "USER_PREFERENCE",
    "facts": "SEMANTIC",
    "summaries": "SUMMARIZATION",
}
# A strategy that is being made, is being removed, or was never finished holds nothing.
_USABLE = frozenset({"", "ACTIVE"})
# What the service takes literally between two slashes: `*` stands for anything.
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a memory makes records; empty texts are members that the service did not give. `namespace` is a template in
    the service's own words."""

    strategy_id: str
    kind: str
    status: str = ""
    namespace: str | None = None
    configuration: Mapping[str, Any] | None = None  # Any: one member per kind of strategy

    @property
    def is_usable(self) -> bool:
        return self.status in _USABLE


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A long-term record. `score` is the service's relevance, 0 to 1, where it gave one."""

    record_id: str | None
    content: str
    score: float | None
    created_at: datetime | None
    namespaces: tuple[str, ...]

    def is_in(self, namespace: str) -> bool:
        """In exactly this namespace, with or without a slash at its end, or below it: the service itself may match
        what only begins with the same letters."""
        return any(own == namespace or own.startswith(f"{namespace}/") for own in self.namespaces)


def is_segment(text: str) -> bool:
    """Whether an id stands for itself alone in a namespace."""
    return _SEGMENT.fullmatch(text) is not None


def namespace_of(kind: Kind, *, strategy_id: str, user_id: str, session_id: str | None = None) -> str:
    """Without a slash at the end. Of summaries without a session: what lies above those of all sessions."""
    of_user = f"/strategies/{strategy_id}/actors/{user_id}"
    return f"{of_user}/sessions/{session_id}" if kind == "summaries" and session_id is not None else of_user


def usable_ids(strategies: Iterable[Strategy]) -> dict[Kind, str]:
    """The id of the strategy of each kind; of several the last one listed."""
    found = {one.kind: one.strategy_id for one in strategies if one.is_usable}
    return {kind: found[name] for kind, name in STRATEGY_OF.items() if name in found}


def of_namespace(given: str, *, user_id: str, ids: Mapping[Kind, str]) -> tuple[Kind, str | None] | None:
    """The kind, and the session of a summary, that a client's namespace literally denotes among the user's own data;
    None for anything else."""
    match given.split("/"):
        case ["", "preferences", owner] if owner == user_id:
            return "preferences", None
        case ["", "facts", owner] if owner == user_id:
            return "facts", None
        case ["", "summaries", owner, session] if owner == user_id and is_segment(session):
            return "summaries", session
        case ["", "strategies", strategy, "actors", owner, *rest] if owner == user_id:
            return _of_strategy(strategy, rest, ids)
    return None


def _of_strategy(strategy: str, rest: Sequence[str], ids: Mapping[Kind, str]) -> tuple[Kind, str | None] | None:
    kind = next((kind for kind, strategy_id in ids.items() if strategy_id == strategy), None)
    match kind, list(rest):
        case "summaries", ["sessions", session] | ["sessions", session, ""] if is_segment(session):
            return "summaries", session
        case ("preferences" | "facts") as found, [] | [""]:
            return found, None
    return None
