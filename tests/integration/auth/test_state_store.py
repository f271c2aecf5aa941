"""States of pending sign-ins, in both stores: taken once, expired in time, in the layout of the table."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from apis.shared.auth.state_store import (
    MAX_IN_MEMORY,
    DynamoStateStore,
    MemoryStateStore,
    OIDCStateData,
    StateStore,
    create_state_store,
)
from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorCode
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind

DATA = OIDCStateData(redirect_uri="https://a/cb", code_verifier="v", nonce="n")
INVALID = (False, None)

type MakeStore = Callable[[], StateStore]


class Clock:
    now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["table", "memory"])
def store(request: pytest.FixtureRequest, aws: Aws, clock: Clock) -> StateStore:
    if request.param == "memory":
        return MemoryStateStore(clock=clock)
    aws.clear(stored.STATES)
    return DynamoStateStore(Table(aws.variables[stored.STATES]), clock=clock)


async def test_a_state_is_taken_once(store: StateStore) -> None:
    (await store.store_state("s", DATA)).unwrap()
    assert (await store.get_and_delete_state("s")).unwrap() == (True, DATA)
    assert (await store.get_and_delete_state("s")).unwrap() == INVALID
    assert (await store.get_and_delete_state("another")).unwrap() == INVALID


async def test_o1_of_several_at_the_same_moment_one_takes_it(store: StateStore) -> None:
    (await store.store_state("s", DATA)).unwrap()
    taken = await asyncio.gather(*(store.get_and_delete_state("s") for _ in range(10)))
    assert sorted(one.unwrap()[0] for one in taken) == [False] * 9 + [True]


async def test_o2_a_later_state_leaves_the_earlier_ones(store: StateStore) -> None:
    for state in ("s1", "s2", "s3"):
        (await store.store_state(state, OIDCStateData(nonce=state))).unwrap()
    assert (await store.get_and_delete_state("s1")).unwrap() == (True, OIDCStateData(nonce="s1"))


@pytest.mark.parametrize(("seconds", "is_good"), [(599.4, True), (600.6, False)])
async def test_a_state_expires(store: StateStore, clock: Clock, seconds: float, is_good: bool) -> None:
    (await store.store_state("s", DATA)).unwrap()
    clock.now += seconds
    assert (await store.get_and_delete_state("s")).unwrap()[0] is is_good
    clock.now -= seconds
    assert (await store.get_and_delete_state("s")).unwrap() == INVALID, "an expired state is gone too"


async def test_the_lifetime_is_the_callers(store: StateStore, clock: Clock) -> None:
    (await store.store_state("s", DATA, ttl_seconds=5)).unwrap()
    clock.now += 6
    assert (await store.get_and_delete_state("s")).unwrap() == INVALID


@pytest.mark.parametrize("data", [None, OIDCStateData(), OIDCStateData(redirect_uri="", nonce="")], ids=str)
async def test_a_state_with_nothing_kept_for_it(store: StateStore, data: OIDCStateData | None) -> None:
    (await store.store_state("s", data)).unwrap()
    assert (await store.get_and_delete_state("s")).unwrap() == (True, None)


@pytest.mark.parametrize("state", ["", "x" * 1_100, "é" * 600, "a\u0000b", "\ud800"], ids=ascii)
async def test_o3_a_state_that_no_store_could_hold_is_invalid_without_asking_it(
    store: StateStore, aws: Aws, state: str
) -> None:
    with aws.proxy.recording() as recording:
        assert (await store.get_and_delete_state(state)).unwrap() == INVALID
    assert recording.calls == []


async def test_the_item(aws: Aws, clock: Clock) -> None:
    store = DynamoStateStore(Table(aws.variables[stored.STATES]), clock=clock)
    (await store.store_state("all", DATA)).unwrap()
    (await store.store_state("some", OIDCStateData(redirect_uri="", nonce="g|123456789"))).unwrap()
    common = {"expiresAt": 1_700_000_600, "created_at": 1_700_000_000}
    assert aws.item(stored.STATES, "STATE#all", "STATE#all") == common | {
        "PK": "STATE#all",
        "SK": "STATE#all",
        "state": "all",
        "redirect_uri": "https://a/cb",
        "code_verifier": "v",
        "nonce": "n",
    }
    assert aws.item(stored.STATES, "STATE#some", "STATE#some") == common | {
        "PK": "STATE#some",
        "SK": "STATE#some",
        "state": "some",
        "nonce": "g|123456789",
    }


@pytest.mark.parametrize(
    ("times", "is_good"),
    [
        ({"expiresAt": 1_700_000_100}, True),
        ({"expiresAt": 1_700_000_000}, False),
        ({"expires_at": 1_700_000_100}, True),
        ({"expires_at": 1_700_000_000}, False),
        ({"expiresAt": 0, "expires_at": 1_700_000_000}, False),
        ({"expiresAt": 1_700_000_100, "expires_at": 1_700_000_000}, True),
        ({"expiresAt": 0}, True),
        ({}, True),
    ],
    ids=str,
)
async def test_stored_times(aws: Aws, clock: Clock, times: dict[str, int], is_good: bool) -> None:
    """Of an older version too; without any, a state does not expire."""
    aws.store(stored.pending_state("old", **{"expiresAt": stored.LEFT_OUT, **times}))
    store = DynamoStateStore(Table(aws.variables[stored.STATES]), clock=clock)
    assert (await store.get_and_delete_state("old")).unwrap()[0] is is_good


async def test_each_operation_is_one_call(aws: Aws) -> None:
    store = create_state_store()
    with aws.proxy.recording() as recording:
        (await store.store_state("s", DATA)).unwrap()
        (await store.get_and_delete_state("s")).unwrap()
    assert [call.target.operation for call in recording.calls] == ["PutItem", "DeleteItem"]


async def test_a_corrupt_item_is_told_without_its_secrets(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.store(stored.pending_state("secret-state", code_verifier=["secret-verifier"], expiresAt="soon"))
    with caplog.at_level(logging.DEBUG):
        error = (await create_state_store().get_and_delete_state("secret-state")).failure()
    assert error.code is ErrorCode.INTERNAL_ERROR
    assert (error.context["entity"], error.context["corrupt_fields"]) == ("_PendingState", "expiresAt, code_verifier")
    assert "secret" not in f"{error} {error.context} {error.cause} {caplog.text}"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.ACCESS_DENIED, ErrorCode.INTERNAL_ERROR),
        (FaultKind.THROTTLED, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.RESET, ErrorCode.SERVICE_UNAVAILABLE),
    ],
)
async def test_a_store_that_fails_is_a_failure(aws: Aws, kind: FaultKind, code: ErrorCode) -> None:
    store = create_state_store()
    with aws.proxy.injecting(Fault(kind, "dynamodb")):
        assert (await store.store_state("s", DATA)).failure().code is code
        assert (await store.get_and_delete_state("s")).failure().code is code


@pytest.mark.parametrize(("table", "kind"), [("states", DynamoStateStore), (None, MemoryStateStore)])
async def test_the_variable_decides_where(configure: Configure, table: str | None, kind: type) -> None:
    configure(**{stored.STATES: table})
    assert type(create_state_store()) is kind


async def test_a_configured_table_that_cannot_be_reached_is_not_replaced_by_memory(
    aws: Aws, configure: Configure
) -> None:
    configure(**{**aws.environment, "AWS_PROFILE": "nobody"})
    error = (await create_state_store().store_state("s", DATA)).failure()
    assert error.code is ErrorCode.INTERNAL_ERROR


async def test_memory_is_bounded(clock: Clock) -> None:
    store = MemoryStateStore(clock=clock)
    for number in range(MAX_IN_MEMORY):
        store._pending[f"s{number}"] = (clock.now + 600, DATA)
    assert (await store.store_state("more", DATA)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
    assert (await store.get_and_delete_state("s0")).unwrap() == (True, DATA)
    (await store.store_state("more", DATA)).unwrap()
    clock.now += 601
    (await store.store_state("later", DATA)).unwrap()
    assert len(store._pending) == 1
