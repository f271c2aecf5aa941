"""Who may choose a model, and the price that is recorded for it."""

from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.auth.models import User
from apis.shared.models.managed_models import accessible_models, can_access_model, pricing_snapshot
from apis.shared.models.models import ManagedModel, newest_first, that_counts
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


MOMENTS = st.sampled_from(
    [
        "",
        "2025-01-15T10:30:00+00:00",
        "2025-01-15 10:30:00.000001+00:00",
        "2025-01-15T10:30:00.000001Z",
        "2025-01-15T12:30:00.5+02:00",
        "2025-01-15T11:30:00",
    ]
)
MODELS = st.lists(
    st.builds(
        lambda record_id, model_id, at, enabled: model(enabled=enabled).model_copy(
            update={"id": record_id, "model_id": model_id, "created_at": at}
        ),
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from(["m", "n"]),
        MOMENTS,
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)


@given(MODELS, st.randoms())
def test_neither_order_nor_choice_depends_on_the_order_of_the_store(models: list[ManagedModel], random: Random) -> None:
    shuffled = random.sample(models, len(models))
    assert newest_first(shuffled) == newest_first(models)
    assert that_counts(shuffled) == that_counts(models)
    listed = newest_first(models)
    assert [one.created for one in listed] == sorted((one.created for one in models), reverse=True)


@given(MODELS)
def test_m10_the_picker_offers_what_a_turn_goes_by(models: list[ManagedModel]) -> None:
    """Of two entries with one id, made in a race, the oldest counts: also when it is disabled."""
    user = User("", "000000001", "", ["Staff"])
    offered = accessible_models(
        user, models, UserEffectivePermissions("000000001", [], [], ["*"], None, datetime.now(UTC))
    )
    for model_id in ("m", "n"):
        counting = that_counts(one for one in models if one.model_id == model_id)
        assert [one for one in offered if one.model_id == model_id] == (
            [counting] if counting is not None and counting.enabled else []
        )


def test_two_spellings_of_one_moment_are_told_apart_by_the_id() -> None:
    first = model().model_copy(update={"id": "b", "created_at": "2025-01-15 10:30:00.5+00:00"})
    second = model().model_copy(update={"id": "a", "created_at": "2025-01-15T10:30:00.500000Z"})
    assert that_counts([first, second]) == second
    assert newest_first([first, second]) == [second, first]
