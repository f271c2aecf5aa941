"""Overrides as times, and as tiers."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from apis.shared.quota.models import UNLIMITED, QuotaOverride, QuotaTier, last_moment


def override(begins: str = "2025-01-01T00:00:00Z", ends: str = "2025-06-30T12:00:00Z", **more: Any) -> QuotaOverride:
    stored = {
        "overrideId": "o1",
        "userId": "1",
        "overrideType": "custom_limit",
        "monthlyCostLimit": Decimal("12.5"),
        "dailyCostLimit": 1,
        "validFrom": begins,
        "validUntil": ends,
        "createdAt": "2025-01-01T00:00:00Z",
        "createdBy": "admin@a.test",
    }
    return QuotaOverride.model_validate({**stored, **more})


@pytest.mark.parametrize(
    ("begins", "ends", "now", "is_active"),
    [
        ("2025-03-01T00:00:00+02:00", "2025-06-30T12:00:00Z", "2025-02-28T22:00:00Z", True),
        ("2025-03-01T00:00:00+02:00", "2025-06-30T12:00:00Z", "2025-02-28T21:59:59.999Z", False),
        ("2025-01-01T00:00:00Z", "2025-06-30T12:00:00Z", "2025-06-30T12:00:00.000Z", True),
        ("2025-01-01T00:00:00Z", "2025-06-30T12:00:00Z", "2025-06-30T12:00:00.000001Z", False),
        ("2025-01-01T00:00:00.500Z", "2025-06-30T12:00:00Z", "2025-01-01T00:00:00Z", False),
        ("2025-01-01", "2025-06-30", "2025-01-01T00:00:00Z", True),
        ("2025-01-01", "2025-06-30", "2025-06-30T23:59:59.999999Z", True),
        ("2025-01-01", "2025-06-30", "2025-07-01T00:00:00Z", False),
        ("2025-01-01T00:00:00", "2025-06-30T12:00:00", "2025-06-30T12:00:00Z", True),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-05:00", "2025-06-30T12:00:00Z", True),
    ],
)
def test_t_3_t_5_times_are_compared_and_not_texts(begins: str, ends: str, now: str, is_active: bool) -> None:
    assert override(begins, ends).is_active(datetime.fromisoformat(now)) is is_active


def test_a_disabled_one_is_never_active() -> None:
    assert not override(enabled=False).is_active(datetime.fromisoformat("2025-02-01T00:00:00Z"))


@pytest.mark.parametrize(
    "corrupt",
    [
        {"validUntil": ""},
        {"validUntil": "2025-13-01"},
        {"validFrom": None},
        {"overrideType": "none"},
        {"monthlyCostLimit": None},
        {"monthlyCostLimit": "NaN"},
    ],
    ids=str,
)
def test_f_qtm_25_what_does_not_fit(corrupt: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        override(**corrupt)


def test_a_custom_limit_as_a_tier() -> None:
    assert override().as_tier() == QuotaTier(
        tier_id="override_o1",
        tier_name="Custom Override",
        monthly_cost_limit=Decimal("12.5"),
        created_at="2025-01-01T00:00:00Z",
        updated_at="2025-01-01T00:00:00Z",
        created_by="admin@a.test",
    )


@pytest.mark.parametrize("limit", [None, 5])
def test_f_qtm_33_no_limit_as_a_tier(limit: int | None) -> None:
    tier = override(overrideType="unlimited", monthlyCostLimit=limit).as_tier()
    assert (tier.tier_name, tier.action_on_limit, tier.monthly_cost_limit) == ("Unlimited Override", "warn", UNLIMITED)
    assert tier.is_unlimited


@pytest.mark.parametrize(
    ("limit", "is_unlimited"), [("999998.99", False), ("999999", True), ("1000000", True), ("0", False)]
)
def test_m_4_where_limits_end(limit: str, is_unlimited: bool) -> None:
    assert QuotaTier(tier_id="t", tier_name="T", monthly_cost_limit=Decimal(limit)).is_unlimited is is_unlimited


def test_of_an_unlimited_tier_no_day_is_limited() -> None:
    tier = QuotaTier(
        tier_id="t", tier_name="T", monthly_cost_limit=UNLIMITED, daily_cost_limit=Decimal(5), period_type="daily"
    )
    assert (tier.period, tier.limit) == ("monthly", UNLIMITED)


@pytest.mark.parametrize("day", ["2025-06-30", "20250630", "2025-W27-1", "2025W271"])
def test_p_6_a_date_is_all_of_its_day_however_it_is_written(day: str) -> None:
    assert last_moment(day) == "2025-06-30T23:59:59.999999Z"
