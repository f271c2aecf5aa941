"""Sums of cost records: every digit is kept, and they are those of the totals that the turns added to."""

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.costs.counted import Counted
from apis.shared.costs.formula import calculate_cost, exact, total_of
from apis.shared.costs.models import Attribution, CostRecord, LatencyMetrics, ModelInfo, RecordedUsage
from apis.shared.costs.tally import Span, tallied
from apis.shared.records import parse_record
from tests.unit.costs.test_formula import pricings, usages


def recorded(**members: Any) -> RecordedUsage:
    return parse_record(RecordedUsage, members, key="k").unwrap()


def of_model(model_id: str, cost: Any = 1) -> RecordedUsage:
    return recorded(modelInfo={"modelId": model_id, "modelName": model_id}, cost=cost)


records = st.tuples(st.none() | usages, st.none() | pricings, st.sampled_from(["a.b-1", "a-b-1", "c"])).map(
    lambda made: CostRecord(
        latency=LatencyMetrics(),
        token_usage=made[0],
        model_info=ModelInfo(model_id=made[2], model_name=made[2], provider="p", pricing_snapshot=made[1]),
        attribution=Attribution(user_id="u", session_id="s", timestamp="2025-01-15T10:30:45.123456+00:00"),
        cost=calculate_cost(made[0], made[1]),
    )
)


@given(st.lists(records, max_size=20), st.randoms(use_true_random=False))
def test_the_sum_of_records_is_what_turns_add_to_the_totals(made: list[CostRecord], order: Any) -> None:
    counted = [Counted.of(record, record.attribution.timestamp) for record in made]
    shuffled = list(made)
    order.shuffle(shuffled)

    total = tallied(recorded(**record.stored()) for record in shuffled)

    assert total.total_cost == total_of(exact(one.cost) for one in counted)
    assert Fraction(total.cache_savings) == sum((Fraction(exact(one.savings)) for one in counted), Fraction(0))
    assert total.total_requests == len(made)
    assert total.total_input_tokens == sum(one.usage.input_tokens for one in counted)
    assert total.total_cache_read_tokens == sum(one.usage.cache_read_input_tokens or 0 for one in counted)
    assert total_of(model.cost for model in total.model_breakdown.values()) == total.total_cost
    assert sum(model.requests for model in total.model_breakdown.values()) == len(made)


amounts = st.decimals(-(10**25), 10**25, places=12, allow_nan=False, allow_infinity=False)


@given(st.lists(amounts, max_size=30))
def test_no_digit_of_a_sum_is_lost(made: list[Decimal]) -> None:
    assert Fraction(total_of(made)) == sum(map(Fraction, made), Fraction(0))


def test_m2_tenths_are_tenths() -> None:
    assert total_of(map(exact, (0.7, 0.1, 0.1, 0.1))) == 1


def test_numbers_of_the_store_at_its_ends_are_added_exactly() -> None:
    assert total_of([Decimal("1E+125"), Decimal("1E-130")]) - Decimal("1E+125") in {0, Decimal("1E-130")}
    assert str(total_of([Decimal("9" * 38), Decimal("0.1")])) == "9" * 38 + ".1"


def test_m6_a_cost_of_zero_is_a_request() -> None:
    total = tallied([of_model("m", 0), of_model("m", None)])
    assert (total.total_cost, total.total_requests) == (Decimal(0), 2)


def test_m7_without_a_cache_read_price_all_of_the_input_price_is_saved() -> None:
    tokens = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0, "cacheReadInputTokens": 200}
    prices = {"inputPricePerMtok": 3, "outputPricePerMtok": 15, "cacheReadPricePerMtok": None}
    total = tallied([recorded(tokenUsage=tokens, modelInfo={"pricingSnapshot": prices}, cost=0)])
    assert (total.cache_savings, total.total_cache_read_tokens) == (Decimal("0.0006"), 200)


def test_m11_models_are_told_apart_by_their_real_ids_in_order_of_appearance() -> None:
    total = tallied([of_model("a.b-1"), of_model("z"), of_model("a-b-1"), of_model("a.b-1")])
    assert {model: usage.requests for model, usage in total.model_breakdown.items()} == {"a.b-1": 2, "z": 1, "a-b-1": 1}
    assert list(total.model_breakdown) == ["a.b-1", "z", "a-b-1"]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tokenUsage": None, "modelInfo": {}},
        {"tokenUsage": {}, "modelInfo": {"modelId": None, "modelName": None, "provider": None}, "cost": None},
        {"tokenUsage": {"inputTokens": None, "outputTokens": None, "totalTokens": None}},
        {"modelInfo": {"pricingSnapshot": {"inputPricePerMtok": None, "outputPricePerMtok": None}}},
    ],
)
def test_what_a_record_lacks_is_zero_or_unknown(members: dict[str, Any]) -> None:
    total = tallied([recorded(**members)])
    ((model_id, usage),) = total.model_breakdown.items()
    assert (model_id, usage.model_name, usage.provider, usage.requests) == ("unknown", "Unknown", "unknown", 1)
    assert (total.total_cost, total.cache_savings, total.total_input_tokens) == (Decimal(0), Decimal(0), 0)


@pytest.mark.parametrize(
    "members",
    [
        {"cost": "much"},
        {"cost": float("nan")},
        {"cost": float("inf")},
        {"tokenUsage": []},
        {"tokenUsage": {"inputTokens": "many"}},
        {"modelInfo": "m"},
        {"modelInfo": {"pricingSnapshot": {"inputPricePerMtok": float("nan")}}},
    ],
)
def test_what_is_no_number_is_corrupt(members: dict[str, Any]) -> None:
    assert parse_record(RecordedUsage, members, key="k").failure().context["entity"] == "RecordedUsage"


@pytest.mark.parametrize("month", ["0001-01", "2024-02", "2025-02", "2025-12", "9999-12"])
def test_a_month_is_all_of_its_moments(month: str) -> None:
    span = Span.of_month(month)
    assert span.start.isoformat() == f"{month}-01T00:00:00+00:00"
    last = {"0001-01": 31, "2024-02": 29, "2025-02": 28, "2025-12": 31, "9999-12": 31}[month]
    assert span.end.isoformat() == f"{month}-{last}T23:59:59.999999+00:00"


def test_spans_of_months_meet() -> None:
    months = [f"{year}-{month:02}" for year in (2023, 2024) for month in range(1, 13)]
    for one, following in itertools.pairwise(map(Span.of_month, months)):
        assert (following.start - one.end).total_seconds() == 0.000001
