"""Who may choose a model, and the price that is recorded for it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from apis.shared.auth.models import User
from apis.shared.models.managed_models import can_access_model, pricing_snapshot
from apis.shared.models.models import ManagedModel
from apis.shared.rbac.models import UserEffectivePermissions


def model(
    *, enabled: bool = True, roles: list[str] | None = None, app_roles: list[str] | None = None, read: float | None = 0
) -> ManagedModel:
    return ManagedModel(
        id="1",
        model_id="m",
        model_name="M",
        provider="openai",
        input_price_per_million_tokens=3,
        output_price_per_million_tokens=15,
        cache_read_price_per_million_tokens=read,
        available_to_roles=roles or [],
        allowed_app_roles=app_roles or [],
        enabled=enabled,
    )


@pytest.mark.parametrize(
    ("entry", "granted", "allowed"),
    [
        (model(), ["m"], True),
        (model(), ["*"], True),
        (model(), ["other"], False),
        (model(), [], False),
        (model(roles=["Staff"]), [], True),
        (model(roles=["Faculty"]), [], False),
        (model(roles=["Faculty"]), ["m"], True),
        (model(app_roles=["basic"]), [], False),
        (model(enabled=False), ["*"], False),
        (model(enabled=False, roles=["Staff"]), ["m"], False),
    ],
)
def test_access(entry: ManagedModel, granted: list[str], allowed: bool) -> None:
    user = User("", "000000001", "", ["Staff"])
    permissions = UserEffectivePermissions("000000001", ["basic"], [], granted, None, datetime.now(UTC))
    assert can_access_model(user, entry, permissions) is allowed


def test_a_snapshot_says_when_and_only_the_prices_that_are_defined() -> None:
    in_boise = datetime(2025, 1, 15, 3, 30, 45, 123456, timezone(timedelta(hours=-7)))
    assert pricing_snapshot(model(), in_boise).model_dump(by_alias=True, exclude_none=True) == {
        "inputPricePerMtok": 3,
        "outputPricePerMtok": 15,
        "cacheReadPricePerMtok": 0,
        "currency": "USD",
        "snapshotAt": "2025-01-15T10:30:45.123456Z",
    }
    without = pricing_snapshot(model(read=None), in_boise)
    assert "cacheReadPricePerMtok" not in without.model_dump(by_alias=True, exclude_none=True)
