"""The parts of a turn by themselves: its right to run, its limits, its ending, its accounting."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agents.config import resolve_model_config
from agents.events import CallRecord, Metrics
from agents.turn import live as live_module
from agents.turn.accounting import message_usage, turn_metadata
from agents.turn.conversation import ending
from agents.turn.limits import STOPPING, TIME_LIMIT, within_limits
from agents.turn.live import LiveTurns
from apis.shared.costs.models import PricingSnapshot, TokenUsage
from apis.shared.errors import ErrorCode, ErrorDetail, not_found
from apis.shared.lifecycle import Shutdown
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.models import Message
from tests.unit.agents.turns import tokens

type Items = AsyncGenerator[Result[int, ErrorDetail]]


class TestLiveTurns:
    async def test_a_session_is_free_again_when_its_turn_is_released(self) -> None:
        live = LiveTurns()
        lease = (await live.acquire("u", "s")).unwrap()
        live.release(lease)
        assert isinstance(await live.acquire("u", "s"), Success)

    async def test_other_sessions_and_other_users_do_not_wait(self) -> None:
        live = LiveTurns()
        for key in (("u", "s"), ("u", "t"), ("v", "s")):
            assert isinstance(await live.acquire(*key), Success)

    async def test_a_running_turn_is_a_conflict(self) -> None:
        live = LiveTurns()
        (await live.acquire("u", "s")).unwrap()
        async with asyncio.timeout(live_module.LIVE_TURN_WAIT_SECONDS + 1):
            refused = await live.acquire("u", "s")
        assert refused.failure().code is ErrorCode.CONFLICT

    async def test_a_turn_that_ends_in_a_moment_is_waited_for(self) -> None:
        live = LiveTurns()
        lease = (await live.acquire("u", "s")).unwrap()
        asyncio.get_running_loop().call_later(0.05, live.release, lease)
        assert isinstance(await live.acquire("u", "s"), Success)

    async def test_an_aborted_turn_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_module, "LIVE_TURN_WAIT_SECONDS", 0.01)
        live = LiveTurns()
        lease = (await live.acquire("u", "s")).unwrap()
        lease.aborted.set()
        asyncio.get_running_loop().call_later(0.2, live.release, lease)
        assert isinstance(await live.acquire("u", "s"), Success)

    async def test_an_aborted_turn_that_does_not_end_is_a_conflict(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_module, "ABORTED_TURN_WAIT_SECONDS", 0.05)
        live = LiveTurns()
        (await live.acquire("u", "s")).unwrap().aborted.set()
        assert isinstance(await live.acquire("u", "s"), Failure)

    async def test_of_many_that_wait_one_gets_the_session(self) -> None:
        live = LiveTurns()
        lease = (await live.acquire("u", "s")).unwrap()
        waiting = asyncio.gather(*(live.acquire("u", "s") for _ in range(5)))
        asyncio.get_running_loop().call_later(0.05, live.release, lease)
        assert sum(isinstance(one, Success) for one in await waiting) == 1

    async def test_a_second_release_does_not_free_the_next_turn(self) -> None:
        live = LiveTurns()
        first = (await live.acquire("u", "s")).unwrap()
        live.release(first)
        (await live.acquire("u", "s")).unwrap()
        live.release(first)
        assert isinstance(await live.acquire("u", "s"), Failure)


class TestLimits:
    closed = False

    async def endless(self, *first: Result[int, ErrorDetail]) -> Items:
        try:
            for item in first:
                yield item
            await asyncio.Event().wait()
        finally:
            self.closed = True

    async def test_items_pass_and_the_end_is_the_end(self) -> None:
        async def two() -> Items:
            yield Success(1)
            yield Success(2)

        assert [one async for one in within_limits(two(), seconds=5, shutdown=Shutdown())] == [Success(1), Success(2)]

    async def test_nothing_follows_a_failure(self) -> None:
        failure: Result[int, ErrorDetail] = Failure(not_found("x"))
        items = within_limits(self.endless(Success(1), failure, Success(2)), seconds=5, shutdown=Shutdown())
        assert [one async for one in items] == [Success(1), failure]
        assert self.closed

    async def test_the_time_limit_ends_the_source(self) -> None:
        items = within_limits(self.endless(Success(1)), seconds=0.05, shutdown=Shutdown())
        assert [one async for one in items] == [Success(1), Failure(TIME_LIMIT)]
        assert self.closed
        assert (TIME_LIMIT.code, TIME_LIMIT.recoverable) == (ErrorCode.TIMEOUT, True)

    async def test_a_process_that_stops_ends_the_source(self) -> None:
        shutdown = Shutdown()
        asyncio.get_running_loop().call_later(0.05, shutdown.begin)
        items = within_limits(self.endless(Success(1)), seconds=5, shutdown=shutdown)
        assert [one async for one in items] == [Success(1), Failure(STOPPING)]
        assert self.closed
        assert (STOPPING.code, STOPPING.recoverable) == (ErrorCode.SERVICE_UNAVAILABLE, True)

    async def test_a_bug_of_the_source_is_raised(self) -> None:
        async def broken() -> Items:
            yield Success(1)
            msg = "a bug"
            raise KeyError(msg)

        with pytest.raises(KeyError):
            _ = [one async for one in within_limits(broken(), seconds=5, shutdown=Shutdown())]

    async def test_closing_it_closes_the_source(self) -> None:
        items = within_limits(self.endless(Success(1)), seconds=5, shutdown=Shutdown())
        assert await anext(items) == Success(1)
        await items.aclose()
        assert self.closed


USER: Message = {"role": "user", "content": [{"text": "hi"}]}
CALLS: Message = {
    "role": "assistant",
    "content": [{"toolUse": {"toolUseId": name, "name": "calculator", "input": {}}} for name in ("t1", "t2")],
}
SAID: Message = {"role": "assistant", "content": [{"text": "Hello."}]}
RESULTS: Message = {
    "role": "user",
    "content": [{"toolResult": {"toolUseId": name, "status": "success", "content": []}} for name in ("t1", "t2")],
}
END: Message = {"role": "assistant", "content": [{"text": "stopped"}]}
MISSING: Message = {
    "role": "user",
    "content": [
        {"toolResult": {"toolUseId": name, "status": "error", "content": [{"text": "no result"}]}}
        for name in ("t1", "t2")
    ],
}


@pytest.mark.parametrize(
    ("stored", "added"),
    [
        ([], [USER, END]),
        ([USER], [END]),
        ([USER, CALLS], [MISSING, END]),
        ([USER, CALLS, RESULTS], [END]),
        ([USER, SAID], []),
        ([USER, CALLS, RESULTS, SAID], []),
    ],
)
def test_an_interrupted_turn_ends_with_alternating_roles(stored: list[Message], added: list[Message]) -> None:
    assert ending(stored, user_text="hi", blocks=END["content"], missing_result="no result") == added
    roles = [message["role"] for message in (*stored, *added)]
    assert roles == ["user", "assistant"] * (len(roles) // 2)


PRICES = PricingSnapshot(
    input_price_per_mtok=1.0,
    output_price_per_mtok=5.0,
    cache_read_price_per_mtok=0.1,
    cache_write_price_per_mtok=1.25,
    snapshot_at="2025-01-01T00:00:00Z",
)


def call(usage: TokenUsage | None, **times: Any) -> CallRecord:
    given: dict[str, Any] = {"metrics": Metrics(), "started": 10.0, "first_text": None, "ended": 10.5} | times
    return CallRecord(usage=usage, **given)


WORKED = [
    call(tokens(1000, 200, 1200, cache_write_input_tokens=5000)),
    call(tokens(300, 100, 400, cache_read_input_tokens=6000)),
]


class TestAccounting:
    def test_the_turn_is_the_sum_of_its_calls(self) -> None:
        metadata = turn_metadata(WORKED, pricing=PRICES, elapsed_ms=1500, first_delta_ms=120)
        assert metadata.payload() == {
            "usage": {
                "inputTokens": 1300,
                "outputTokens": 300,
                "totalTokens": 1600,
                "cacheReadInputTokens": 6000,
                "cacheWriteInputTokens": 5000,
            },
            "metrics": {"latencyMs": 1500, "timeToFirstByteMs": 120},
            "cost": pytest.approx(0.00965, rel=1e-12),
        }

    def test_without_prices_there_is_no_cost(self) -> None:
        payload = turn_metadata(WORKED, pricing=None, elapsed_ms=1, first_delta_ms=None).payload()
        assert payload.keys() == {"usage", "metrics"}
        assert payload["metrics"] == {"latencyMs": 1}

    def test_a_call_without_usage_costs_nothing_and_hides_nothing(self) -> None:
        metadata = turn_metadata([call(None), WORKED[1]], pricing=PRICES, elapsed_ms=1, first_delta_ms=None)
        assert metadata.usage == WORKED[1].usage
        assert metadata.cost == pytest.approx(0.0014, rel=1e-12)

    def test_each_message_has_its_place_in_the_conversation(self) -> None:
        recorded = message_usage(
            [*WORKED, call(None)],
            config=resolve_model_config(model_id="gpt-x"),
            pricing=PRICES,
            messages_before=4,
            first_delta_ms=120,
        )
        assert [one.message_index for one in recorded] == [5, 7, 9]
        assert [one.usage.input_tokens if one.usage else None for one in recorded] == [1000, 300, None]
        assert {(one.model_id, one.provider) for one in recorded} == {("gpt-x", "openai")}
        assert len({one.timestamp for one in recorded}) == 3, "timestamps are part of the key"

    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            ({"metrics": Metrics(420, 126)}, (126, 420)),
            ({"metrics": Metrics(420, None)}, (99, 420)),
            ({"metrics": Metrics(0, None)}, (99, 500)),
        ],
    )
    def test_the_times_of_the_first_message(self, times: dict[str, Any], expected: tuple[int, int]) -> None:
        (recorded,) = message_usage(
            [call(None, **times)],
            config=resolve_model_config(),
            pricing=None,
            messages_before=0,
            first_delta_ms=99,
        )
        latency = recorded.latency
        assert (latency.time_to_first_token, latency.end_to_end_latency) == expected

    def test_a_later_message_without_a_time_of_its_own_has_none(self) -> None:
        recorded = message_usage(
            [call(None), call(None)], config=resolve_model_config(), pricing=None, messages_before=0, first_delta_ms=99
        )
        assert [one.latency.time_to_first_token for one in recorded] == [99, 0]
