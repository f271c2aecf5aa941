"""A run that is stopped: the model call ends, no further tool starts, and nothing is left behind."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

from agents.events import TextDelta
from agents.run import AgentRun
from apis.shared.result import Success
from tests.support.model_server import ModelServer, answer, refusal, tool_call
from tests.unit.agents import sample_tools
from tests.unit.agents.turns import BEDROCK_CLAUDE, Conversation, assistant, built, summary, turn, user

HANGING: dict[str, Any] = {"steps": [{"text": "Hel"}, {"hang": True}]}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(0.005)


async def consume(run: AgentRun) -> None:
    async for event in run.stream([{"text": "hi"}]):
        assert event is not None


async def cancelled(run: AgentRun, when: Callable[[], bool]) -> None:
    task = asyncio.create_task(consume(run))
    await until(when)
    task.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait((task,))
    assert task.cancelled()


async def assert_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is closed by the garbage collector later, with complaints."""
    gc.collect()
    await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [task for task in asyncio.all_tasks() if "AgentRun" in repr(task.get_coro())] == []


async def test_cancelling_ends_the_model_call(provider: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    provider.script(HANGING)
    conversation = Conversation()
    run = await built(conversation)
    await cancelled(run, lambda: run.progress.partial_text == "Hel")
    await until(lambda: provider.requests[0].hung_up)
    assert conversation.messages == [user("hi")]
    assert run.progress.calls == []
    assert run.progress.partial_text == "Hel"
    await assert_quiet(caplog)
    provider.script(answer("Hi"))
    assert summary(await turn(history=conversation.messages))


async def test_cancelling_before_the_first_byte(provider: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    provider.script({"steps": [{"hang": True}]})
    run = await built()
    await cancelled(run, lambda: len(provider.requests) == 1)
    await until(lambda: provider.requests[0].hung_up)
    await assert_quiet(caplog)


async def test_closing_after_the_first_delta(provider: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    provider.script(HANGING)
    run = await built()
    stream = run.stream([{"text": "hi"}])
    async for item in stream:
        if isinstance(item, Success) and isinstance(item.unwrap(), TextDelta):
            break
    await stream.aclose()
    await until(lambda: provider.requests[0].hung_up)
    assert run.progress.partial_text == "Hel"
    await assert_quiet(caplog)


async def test_a_stream_that_is_never_read_does_nothing(provider: ModelServer) -> None:
    run = await built()
    await run.stream([{"text": "hi"}]).aclose()
    assert provider.requests == []


async def test_bedrock_is_left_at_the_next_chunk(provider: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    chunk = {"event": {"contentBlockDelta": {"delta": {"text": "x"}, "contentBlockIndex": 0}}}
    provider.script({"steps": [chunk, *([{"pause_ms": 20}, chunk] * 500)]})
    run = await built(model_id=BEDROCK_CLAUDE)
    await cancelled(run, lambda: len(run.progress.partial_text) >= 3)
    await until(lambda: provider.requests[0].hung_up)
    await assert_quiet(caplog)


async def test_a_bedrock_that_hangs_does_not_hold_the_run(provider: ModelServer) -> None:
    provider.script({"steps": [{"hang": True}]})
    run = await built(model_id=BEDROCK_CLAUDE)
    await cancelled(run, lambda: len(provider.requests) == 1)


@pytest.mark.usefixtures("samples")
async def test_no_further_tool_starts_and_the_next_run_has_its_tools(
    provider: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    both = tool_call(("t1", "waiting", {"name": "first"}), ("t2", "waiting", {"name": "second"}))
    provider.script(both)
    conversation = Conversation()
    run = await built(conversation, tools=["waiting"])
    await cancelled(run, lambda: sample_tools.started == ["first"])
    sample_tools.release.set()
    await asyncio.sleep(0.05)
    assert sample_tools.started == ["first"]
    assert [message["role"] for message in conversation.messages] == ["user", "assistant"]
    assert len(run.progress.calls) == 1
    await assert_quiet(caplog)

    provider.script(both, answer("done"))
    assert summary(await turn(tools=["waiting"], history=[*conversation.messages, assistant("stopped")]))
    assert sample_tools.started == ["first", "first", "second"]


async def test_a_wait_for_a_throttled_model_can_be_cancelled(
    provider: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_RETRY_DELAY_SECONDS", "60")
    provider.script(refusal(429))
    run = await built()
    await cancelled(run, lambda: bool(provider.requests) and provider.requests[0].finished is False)


async def test_a_write_that_hangs_can_be_cancelled(provider: ModelServer) -> None:
    class Slow(Conversation):
        waiting = False

        async def append(self, message: Any) -> Any:
            self.waiting = True
            await asyncio.sleep(60)

    slow = Slow()
    run = await built(slow)
    await cancelled(run, lambda: slow.waiting)
    assert provider.requests == []


async def test_many_runs_side_by_side_do_not_mix(provider: ModelServer) -> None:
    async def one(n: int) -> None:
        conversation = Conversation()
        items = await turn(conversation, prompt=f"number {n}", history=[user(f"history {n}"), assistant("ok")])
        assert summary(items)
        assert conversation.messages[0] == user(f"number {n}")

    await asyncio.gather(*(one(n) for n in range(30)))
    asked = {
        (body["messages"][1]["content"][0]["text"], body["messages"][3]["content"][0]["text"])
        for body in provider.calls
    }
    assert asked == {(f"history {n}", f"number {n}") for n in range(30)}
