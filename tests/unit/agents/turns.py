"""Turns against the scripted provider, as a service would run them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.config import resolve_model_config
from agents.events import StreamEvent, TurnSummary
from agents.run import AgentRun, AgentSpec, MessageSink, build_agent
from agents.tools.selection import select_tools
from apis.shared.costs.models import TokenUsage
from apis.shared.errors import ErrorDetail
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.models import Message
from tests.support.model_server import Reply, events

type Item = Result[StreamEvent | TurnSummary, ErrorDetail]

BEDROCK_CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


@dataclass
class Conversation:
    """Where messages are stored; the append with the number `refuses` fails with `refusal`."""

    messages: list[Message] = field(default_factory=list)
    refuses: int | None = None
    refusal: ErrorDetail | None = None

    async def append(self, message: Message) -> Result[None, ErrorDetail]:
        if self.refusal is not None and len(self.messages) == self.refuses:
            return Failure(self.refusal)
        self.messages.append(message)
        return Success(None)


async def built(
    conversation: MessageSink | None = None,
    *,
    model_id: str = "gpt-test",
    tools: Sequence[str] = (),
    history: Sequence[Message] = (),
    **settings: Any,
) -> AgentRun:
    spec = AgentSpec(
        session_id="s1",
        user_id="u1",
        config=resolve_model_config(
            model_id=model_id,
            caching_enabled=settings.pop("caching", None),
            max_tokens=settings.pop("max_tokens", None),
        ),
        system_prompt=settings.pop("system_prompt", "You are a test."),
        tools=select_tools(tools),
        history=history,
        **settings,
    )
    return (await build_agent(spec, conversation or Conversation())).unwrap()


async def turn(conversation: Conversation | None = None, *, prompt: str = "hi", **settings: Any) -> list[Item]:
    run = await built(conversation, **settings)
    return [item async for item in run.stream([{"text": prompt}])]


def wire(items: Sequence[Item]) -> list[tuple[str, Any]]:
    """Names and payloads of the events, without the end of the run."""
    events = [item.unwrap() for item in items if isinstance(item, Success)]
    return [(event.event, event.payload()) for event in events if not isinstance(event, TurnSummary)]


def summary(items: Sequence[Item]) -> TurnSummary:
    last = items[-1].unwrap()
    assert isinstance(last, TurnSummary)
    assert not any(isinstance(item, Failure) or isinstance(item.unwrap(), TurnSummary) for item in items[:-1])
    return last


def failure(items: Sequence[Item]) -> ErrorDetail:
    """The failure that ended the run; nothing else failed."""
    assert all(isinstance(item, Success) for item in items[:-1])
    return items[-1].failure()


def tokens(input: int = 0, output: int = 0, total: int = 0, **cached: int) -> TokenUsage:  # noqa: A002 - as in the usage itself
    return TokenUsage(input_tokens=input, output_tokens=output, total_tokens=total, **cached)


def bedrock_answer(*deltas: str, cached: int | None = None) -> Reply:
    counters = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    if cached is not None:
        counters["cacheReadInputTokens"] = cached
    return events(
        {"messageStart": {"role": "assistant"}},
        *({"contentBlockDelta": {"delta": {"text": delta}, "contentBlockIndex": 0}} for delta in deltas),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": counters, "metrics": {"latencyMs": 420}}},
    )


def user(text: str) -> Message:
    return {"role": "user", "content": [{"text": text}]}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": [{"text": text}]}


def uses(*ids: str) -> Message:
    return {"role": "assistant", "content": [{"toolUse": {"toolUseId": i, "name": "t", "input": {}}} for i in ids]}


def results(*ids: str, text: str = "r") -> Message:
    content = [{"toolResult": {"toolUseId": i, "status": "success", "content": [{"text": text}]}} for i in ids]
    return {"role": "user", "content": content}
