"""The wire models of long-term memory. Responses are camelCase without null members; the status is snake_case."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from apis.shared.http import Wire, WireWithoutNulls
from apis.shared.http.bounds import Integer, ShortText, at_most
from apis.shared.memory.models import Kind, Strategy
from apis.shared.memory.models import MemoryRecord as Remembered
from apis.shared.memory.service import MAX_QUERY, Mode


def _says_something(text: str) -> str:
    if not text.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return text


def _absent_if_blank(value: Any) -> Any:  # Any: not validated yet
    return None if isinstance(value, str) and not value.strip() else value


SearchText = Annotated[str, at_most(MAX_QUERY)]
OptionalSearchText = Annotated[SearchText | None, BeforeValidator(_absent_if_blank)]


class MemoryRecord(WireWithoutNulls):
    """Something that is remembered of the caller."""

    model_config = ConfigDict(extra="allow")

    record_id: Annotated[str | None, Field(description="For deleting it.")] = None
    content: Annotated[str, Field(description="As the memory wrote it; it may itself be JSON or XML.")]
    namespace: Annotated[str | None, Field(description="What it belongs to: a label.")] = None
    relevance_score: Annotated[float | None, Field(description="How well it fits the search, 0 to 1.")] = None
    created_at: Annotated[str | None, Field(description="UTC, ISO 8601.")] = None
    updated_at: Annotated[str | None, Field(description="Never filled.")] = None
    metadata: Annotated[dict[str, Any] | None, Field(description="Never filled.")] = None

    @classmethod
    def of_record(cls, record: Remembered, label: str) -> Self:
        return cls(
            record_id=record.record_id,
            content=record.content,
            namespace=label,
            relevance_score=record.score,
            created_at=None if record.created_at is None else record.created_at.isoformat(),
        )


class MemoriesResponse(WireWithoutNulls):
    """What was found, the most relevant first."""

    memories: Annotated[list[MemoryRecord], Field(description="What is remembered.")]
    namespace: Annotated[str, Field(description="What was looked into: a label.")]
    query: Annotated[str | None, Field(description="The caller's own search text.")] = None
    total_count: Annotated[int, Field(description="How many there are in this answer.")]

    @classmethod
    def of_records(cls, records: Sequence[Remembered], *, label: str, query: str | None = None) -> Self:
        return cls(
            memories=[MemoryRecord.of_record(record, label) for record in records],
            namespace=label,
            query=query,
            total_count=len(records),
        )


class AllMemoriesResponse(Wire):
    """Both kinds that belong to no session."""

    preferences: MemoriesResponse
    facts: MemoriesResponse


class MemorySearchRequest(Wire):
    """What to look for."""

    query: Annotated[SearchText, Field(min_length=1, description="In plain words."), AfterValidator(_says_something)]
    namespace: Annotated[
        ShortText | None,
        Field(description="`facts` (also if absent), `preferences`, or a label or namespace of the caller's own."),
    ] = None
    top_k: Annotated[Integer, Field(ge=1, le=50, description="At most so many.")] = 10


class MemoryStrategy(WireWithoutNulls):
    """How the memory makes one kind of records."""

    model_config = ConfigDict(extra="allow")

    strategy_id: Annotated[str, Field(description="`unknown` where the memory names none.")]
    strategy_type: Annotated[str, Field(description="For instance `USER_PREFERENCE`, `SEMANTIC` or `SUMMARIZATION`.")]
    namespace: Annotated[str | None, Field(description="Where its records are kept, as a template.")] = None
    status: Annotated[str | None, Field(description="Only `ACTIVE` ones are used.")] = None
    config: Annotated[dict[str, Any] | None, Field(description="As the service has it.")] = None

    @classmethod
    def of_strategy(cls, strategy: Strategy) -> Self:
        return cls(
            strategy_id=strategy.strategy_id or "unknown",
            strategy_type=strategy.kind or "unknown",
            namespace=strategy.namespace,
            status=strategy.status or None,
            config=None if strategy.configuration is None else dict(strategy.configuration),
        )


class StrategiesResponse(WireWithoutNulls):
    """All strategies of the memory."""

    strategies: Annotated[list[MemoryStrategy], Field(description="In the order of the memory.")]
    memory_id: Annotated[str, Field(description="The memory that has them.")]

    @classmethod
    def of_strategies(cls, strategies: Sequence[Strategy], memory_id: str) -> Self:
        return cls(strategies=[MemoryStrategy.of_strategy(one) for one in strategies], memory_id=memory_id)


class DeleteMemoryResponse(Wire):
    """A record that is gone."""

    deleted_count: Annotated[int, Field(description="Always 1.")]
    message: Annotated[str, Field(description="A sentence for the user.")]


class StrategyIds(BaseModel):
    """Null for a kind that the memory does not have."""

    semantic: Annotated[str | None, Field(description="Of the strategy that makes facts.")] = None
    preference: Annotated[str | None, Field(description="Of the strategy that makes preferences.")] = None
    summary: Annotated[str | None, Field(description="Of the strategy that makes summaries.")] = None


class Namespaces(BaseModel):
    """Where records are kept; `{userId}` and `{sessionId}` stand for ids."""

    preferences: Annotated[str | None, Field(description="Of preferences.")] = None
    facts: Annotated[str | None, Field(description="Of facts.")] = None
    summaries: Annotated[str | None, Field(description="Of the summaries of a session.")] = None


class MemoryStatusResponse(BaseModel):
    """Whether there is a long-term memory, and which."""

    status: Annotated[Literal["available", "unavailable"], Field(description="`available` as a word.")]
    available: Annotated[bool, Field(description="Whether the other operations answer.")]
    mode: Annotated[Mode, Field(description="Where conversations are kept; only `cloud` has a long-term memory.")]
    memory_id: Annotated[str | None, Field(description="Null where there is none.")]
    region: Annotated[str, Field(description="The AWS region of the memory.")]
    strategies: StrategyIds
    namespaces: Namespaces
    error: Annotated[
        str | None,
        Field(
            exclude_if=lambda error: error is None,
            description="What is wrong with the configuration. Absent otherwise.",
        ),
    ] = None

    @classmethod
    def without_memory(cls, mode: Mode, region: str, *, error: str | None) -> Self:
        return cls(
            status="unavailable",
            available=False,
            mode=mode,
            memory_id=None,
            region=region,
            strategies=StrategyIds(),
            namespaces=Namespaces(),
            error=error,
        )

    @classmethod
    def of_memory(cls, memory_id: str, region: str, *, ids: Mapping[Kind, str], patterns: Mapping[Kind, str]) -> Self:
        return cls(
            status="available",
            available=True,
            mode="cloud",
            memory_id=memory_id,
            region=region,
            strategies=StrategyIds(
                semantic=ids.get("facts"), preference=ids.get("preferences"), summary=ids.get("summaries")
            ),
            namespaces=Namespaces(
                preferences=patterns.get("preferences"),
                facts=patterns.get("facts"),
                summaries=patterns.get("summaries"),
            ),
        )
