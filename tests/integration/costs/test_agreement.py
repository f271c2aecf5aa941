"""Whoever asks is told the same number: records, summaries, rollups and ranking agree after any order of turns."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apis.shared.costs.formula import total_of
from apis.shared.costs.models import LatencyMetrics, PricingSnapshot, TokenUsage
from apis.shared.costs.service import (
    AssistantMessageUsage,
    get_cost_reports,
    get_cost_summaries,
    get_system_rollups,
    get_usage_recorder,
    get_user_ranking,
)
from apis.shared.costs.tally import Span
from apis.shared.result import Success
from tests.integration.conftest import Aws
from tests.support import stored
from tests.support.worked_example import PRICING, USAGE

# Years that no other test counts in.
FIRST_YEAR = 2070
MODELS = ["a.b-1", "a-b-1", "gpt-4.1"]


def a_turn(chosen: random.Random, month: datetime) -> list[AssistantMessageUsage]:
    """One to three answers, some of a model that nobody has priced."""
    at = month + timedelta(seconds=chosen.randrange(28 * 86_400), microseconds=chosen.randrange(10**6))
    prices = [chosen.choice([0, 0.1, 0.3, 3, 15, 1.2345678901]) for _ in range(4)]
    return [
        AssistantMessageUsage(
            message_index=2 * index + 1,
            model_id=chosen.choice(MODELS),
            provider="p",
            usage=TokenUsage(
                input_tokens=chosen.randrange(10_000),
                output_tokens=chosen.randrange(10_000),
                cache_read_input_tokens=chosen.choice([None, chosen.randrange(10_000)]),
                cache_write_input_tokens=chosen.choice([None, chosen.randrange(10_000)]),
            ),
            latency=LatencyMetrics(),
            timestamp=at + timedelta(milliseconds=index),
            pricing=chosen.choice(
                [
                    None,
                    PricingSnapshot(
                        input_price_per_mtok=prices[0],
                        output_price_per_mtok=prices[1],
                        cache_read_price_per_mtok=prices[2],
                        cache_write_price_per_mtok=prices[3],
                        snapshot_at="2025-01-15T10:30:45Z",
                    ),
                ]
            ),
        )
        for index in range(chosen.randint(1, 3))
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_m14_all_totals_agree_whatever_the_order_of_turns(aws: Aws, seed: int) -> None:
    chosen = random.Random(seed)
    start = datetime(FIRST_YEAR + seed, 2, 1, tzinfo=UTC)
    month, span = f"{start:%Y-%m}", Span.of_month(f"{start:%Y-%m}")
    users = [f"agreeing-{seed}-{number}" for number in range(3)]
    turns = [(chosen.choice(users), a_turn(chosen, start)) for _ in range(8)]

    async def end(user_id: str, number: int, messages: list[AssistantMessageUsage], pause: float) -> None:
        await asyncio.sleep(pause)
        assert await get_usage_recorder().record(user_id, f"s{number}", messages) == Success(None)

    await asyncio.gather(*(end(user, number, turn, chosen.random() / 20) for number, (user, turn) in enumerate(turns)))

    summed = {user: (await get_cost_summaries().read(user, month)).unwrap() for user in users}
    reported = {user: (await get_cost_reports().report(user, span)).unwrap() for user in users}
    for user, summary in summed.items():
        report = reported[user]
        assert summary.model_copy(update={"model_breakdown": {}}) == report.model_copy(update={"model_breakdown": {}})
        # The summary merges what is one map key; the report tells real ids apart.
        merged: Counter[str] = Counter()
        for model_id, usage in report.model_breakdown.items():
            merged[stored.sanitised(model_id)] += usage.requests
        assert {model: usage.requests for model, usage in summary.model_breakdown.items()} == merged
        assert total_of(usage.cost for usage in summary.model_breakdown.values()) == summary.total_cost

    everything = total_of(summary.total_cost for summary in summed.values())
    requests = sum(summary.total_requests for summary in summed.values())
    active = [user for user, summary in summed.items() if summary.total_requests]
    rollups = get_system_rollups()
    of_month = (await rollups.of_month(month)).unwrap()
    assert of_month is not None
    assert (of_month.total_cost, of_month.total_requests) == (everything, requests)
    assert of_month.active_users == len(active)
    assert of_month.total_cache_savings == total_of(summary.cache_savings for summary in summed.values())
    days = (await rollups.days(span.start.date(), span.end.date())).unwrap()
    assert (total_of(day.total_cost for day in days), sum(day.total_requests for day in days)) == (everything, requests)
    models = (await rollups.models(month)).unwrap()
    assert total_of(model.total_cost for model in models) == everything
    assert sum(model.total_requests for model in models) == requests

    ranked = (await get_user_ranking().top(month, 10)).unwrap()
    assert {user.user_id: user.total_cost for user in ranked} == {user: summed[user].total_cost for user in active}
    assert [user.total_cost for user in ranked] == sorted((user.total_cost for user in ranked), reverse=True)


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the machine is, which no period may depend on."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(("zone", "year"), [("Pacific/Kiritimati", 2080), ("America/Boise", 2082)], indirect=["zone"])
async def test_t1_a_message_counts_where_its_own_time_is(aws: Aws, year: int) -> None:
    """A turn over midnight of New Year."""
    moments = [datetime(year, 12, 31, 23, 59, 58, tzinfo=UTC), datetime(year + 1, 1, 1, 0, 0, 4, tzinfo=UTC)]
    messages = [
        AssistantMessageUsage(
            message_index=2 * index + 1,
            model_id="m",
            provider="p",
            usage=USAGE,
            latency=LatencyMetrics(),
            timestamp=moment,
            pricing=PRICING,
        )
        for index, moment in enumerate(moments)
    ]
    user = uuid.uuid4().hex[:9]
    assert await get_usage_recorder().record(user, "s", messages) == Success(None)
    rollups = get_system_rollups()
    for moment in moments:
        month, day = f"{moment:%Y-%m}", moment.date()
        of_user = (await get_cost_summaries().read(user, month)).unwrap()
        reported = (await get_cost_reports().report(user, Span.of_month(month))).unwrap()
        of_all = (await rollups.of_month(month)).unwrap()
        of_day = (await rollups.of_day(day.isoformat())).unwrap()
        assert of_all is not None
        assert of_day is not None
        for total in (of_user, reported, of_all, of_day):
            assert (total.total_requests, str(total.total_cost)) == (1, "0.010935")
