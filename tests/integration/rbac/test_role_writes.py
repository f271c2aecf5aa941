"""Writes that fail, race, or do not fit one transaction: no role is ever stored without all that it lists."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.rbac.conftest import RoleEditor, listed
from tests.support import stored
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind

WRITE = "TransactWriteItems"


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


@contextmanager
def answering(roles: RoleEditor, role_id: str, kind: str, reasons: list[Any] | None = None) -> Iterator[None]:
    """The store refuses every transaction of the role so."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "Message": "why"}
    if reasons is not None:
        body |= {"CancellationReasons": [{"Code": reason or "None"} for reason in reasons]}  # type: ignore[dict-item]

    def answer(call: Call) -> Answer | None:
        if call.target.operation != WRITE or f"ROLE#{role_id}" not in call.text:
            return None
        return Answer(400, "application/x-amz-json-1.0", json.dumps(body).encode())

    with roles.platform.proxy.answering(answer):
        yield


@pytest.mark.parametrize(
    "kind", [FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.RESET, FaultKind.ACCESS_DENIED]
)
async def test_f_rbac_07_a_change_that_fails_takes_nothing_away(
    roles: RoleEditor, role_id: str, kind: FaultKind
) -> None:
    await roles.create(role_id, jwtRoleMappings=["Staff"], grantedTools=["t1", "t2"], grantedModels=["m1"])
    before = roles.items(role_id)
    change = {"jwtRoleMappings": ["Faculty"], "grantedTools": ["t3"]}
    with roles.platform.proxy.injecting(Fault(kind, operation=WRITE, containing=role_id)):
        answer = await roles("PATCH", role_id, change)
    assert answer.status_code in {500, 503}
    # After a reset the change was carried out: then all of it.
    if kind is not FaultKind.RESET:
        assert roles.items(role_id) == before
    assert roles.items(role_id).keys() == {"DEFINITION", *roles.listed(role_id)}
    await roles.change(role_id, **change)
    assert roles.items(role_id).keys() == {"DEFINITION", "JWT_MAPPING#Faculty", "TOOL_GRANT#t3", "MODEL_GRANT#m1"}


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.RESET])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_r4_a_change_of_more_than_one_transaction(
    roles: RoleEditor, role_id: str, kind: FaultKind, nth: int
) -> None:
    old, new = names("old", 60), names("new", 60)
    await roles.create(role_id, jwtRoleMappings=["Staff", "Was"], grantedTools=old, displayName="Old")
    change = {"grantedTools": new, "jwtRoleMappings": ["Staff", "Is"], "displayName": "New"}
    with roles.platform.proxy.injecting(Fault(kind, operation=WRITE, nth=nth, containing=role_id)) as injection:
        answer = await roles("PATCH", role_id, change)
    assert injection.hits == 1
    assert answer.status_code == 503
    left = roles.items(role_id)
    assert left.keys() >= listed(left["DEFINITION"])
    await roles.change(role_id, **change)
    items = roles.items(role_id)
    assert items.keys() == {"DEFINITION", *listed(items["DEFINITION"])}
    assert items["DEFINITION"]["grantedTools"] == new
    assert {item.get("displayName", "New") for item in items.values()} == {"New"}


async def test_r4_every_mapping_tool_and_model_may_be_another_one(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, **dict.fromkeys(("jwtRoleMappings", "grantedTools", "grantedModels"), names("old", 33)))
    with roles.platform.proxy.recording(containing=role_id) as recording:
        await roles.change(
            role_id, **dict.fromkeys(("jwtRoleMappings", "grantedTools", "grantedModels"), names("new", 33))
        )
    written = [call for call in recording.calls if call.target.operation == WRITE]
    assert [len(json.loads(call.text.partition(" ")[2])["TransactItems"]) for call in written] == [100, 1, 100]
    assert roles.items(role_id).keys() == {"DEFINITION", *roles.listed(role_id)}
    assert len(roles.items(role_id)) == 100


@pytest.mark.parametrize(
    "tools",
    [["c", "b", "a"], ["a", "a", "b", "c", "c"], ["a", "b", "renamed"], ["*"], []],
    ids=["another order", "duplicates", "one renamed", "wildcard", "none"],
)
async def test_r5_no_item_is_put_and_deleted_at_once(roles: RoleEditor, role_id: str, tools: list[str]) -> None:
    await roles.create(role_id, grantedTools=["a", "b", "c"])
    await roles.change(role_id, grantedTools=tools)
    assert roles.items(role_id).keys() == {"DEFINITION", *(f"TOOL_GRANT#{tool}" for tool in tools)}


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize(
    ("kind", "reasons", "status"),
    [
        ("TransactionCanceledException", [None, "TransactionConflict"], 409),
        ("TransactionCanceledException", ["ThrottlingError"], 503),
        ("TransactionCanceledException", ["ProvisionedThroughputExceeded", "None"], 503),
        ("TransactionCanceledException", ["ConditionalCheckFailed"], {"create": 400, "update": 409, "delete": 409}),
        ("TransactionCanceledException", ["ThrottlingError", "TransactionConflict"], 409),
        (
            "TransactionCanceledException",
            ["TransactionConflict", "ConditionalCheckFailed"],
            {"create": 400, "update": 409, "delete": 409},
        ),
        ("TransactionCanceledException", ["ItemCollectionSizeLimitExceeded", "ThrottlingError"], 503),
        ("TransactionCanceledException", ["ValidationError"], 500),
        ("TransactionInProgressException", None, 503),
        ("TransactionConflictException", None, 409),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else None,
)
async def test_r6_why_a_transaction_was_not_done(
    roles: RoleEditor, role_id: str, operation: str, kind: str, reasons: list[Any] | None, status: Any
) -> None:
    if operation != "create":
        roles.platform.store(*stored.whole_role(role_id, grantedTools=["t"]))
    before = roles.items(role_id)
    requests = {
        "create": ("POST", "", {"roleId": role_id, "displayName": "A"}),
        "update": ("PATCH", role_id, {"displayName": "A"}),
        "delete": ("DELETE", role_id, None),
    }
    with answering(roles, role_id, kind, reasons):
        answer = await roles(*requests[operation])
    assert answer.status_code == (status[operation] if isinstance(status, dict) else status), answer.text
    assert roles.items(role_id) == before


async def together(roles: RoleEditor, role_id: str, *requests: tuple[str, str, Any]) -> list[int]:
    """The statuses of requests that all read the role before any of them writes it."""
    with roles.platform.proxy.holding("Query", containing=f'"ROLE#{role_id}"') as hold:
        running = [asyncio.create_task(roles(*request)) for request in requests]
        await hold.has(len(requests))
    return [answer.status_code for answer in await asyncio.gather(*running)]


async def test_r11_of_two_who_save_a_role_one_wins(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, grantedTools=["t"])
    saved = [{"grantedTools": ["first"]}, {"grantedTools": ["second"]}]
    statuses = await together(roles, role_id, *(("PATCH", role_id, body) for body in saved))
    assert sorted(statuses) == [200, 409]
    won = saved[statuses.index(200)]["grantedTools"]
    items = roles.items(role_id)
    assert items["DEFINITION"]["grantedTools"] == won
    assert items.keys() == {"DEFINITION", f"TOOL_GRANT#{won[0]}"}


async def test_f_rbac_08_without_a_time_of_the_last_change_one_wins_too(roles: RoleEditor, role_id: str) -> None:
    roles.platform.store(*stored.role(role_id))
    statuses = await together(roles, role_id, *[("PATCH", role_id, {"priority": 1})] * 2)
    assert sorted(statuses) == [200, 409]


async def test_changes_of_several_transactions_do_not_mix(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, grantedTools=names("old", 60))
    bodies = [{"grantedTools": names(prefix, 60)} for prefix in ("first", "second")]
    statuses = await together(roles, role_id, *(("PATCH", role_id, body) for body in bodies))
    assert sorted(statuses) in ([200, 409], [409, 409])
    items = roles.items(role_id)
    assert items.keys() >= listed(items["DEFINITION"])
    await roles.change(role_id)
    assert roles.items(role_id).keys() == {"DEFINITION", *roles.listed(role_id)}


async def test_f_rbac_12_a_role_that_vanishes_meanwhile(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, grantedTools=["t"])
    statuses = await together(roles, role_id, ("DELETE", role_id, None), ("PATCH", role_id, {"grantedTools": ["u"]}))
    if statuses[0] == 204:
        assert statuses[1] == 404
        assert roles.items(role_id) == {}
    else:
        assert statuses == [409, 200]
        assert roles.items(role_id).keys() == {"DEFINITION", "TOOL_GRANT#u"}


async def test_f_rbac_06_of_two_who_create_a_role_one_wins(roles: RoleEditor, role_id: str) -> None:
    parent = f"{role_id}_parent"
    await roles.create(parent)
    bodies = [
        {"roleId": role_id, "displayName": name, "grantedTools": [name], "inheritsFrom": [parent]}
        for name in ("a", "b")
    ]
    with roles.platform.proxy.holding("GetItem", containing=parent) as hold:
        creating = [asyncio.create_task(roles("POST", "", body)) for body in bodies]
        await hold.has(2)
    statuses = [answer.status_code for answer in await asyncio.gather(*creating)]
    assert sorted(statuses) == [201, 400]
    won = bodies[statuses.index(201)]["displayName"]
    assert roles.items(role_id).keys() == {"DEFINITION", f"TOOL_GRANT#{won}"}


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.RESET])
async def test_f_rbac_09_a_deletion_that_fails_is_whole_or_not_done(
    roles: RoleEditor, role_id: str, kind: FaultKind
) -> None:
    await roles.create(role_id, jwtRoleMappings=["Staff"], grantedTools=["t"])
    before = roles.items(role_id)
    with roles.platform.proxy.injecting(Fault(kind, operation=WRITE, containing=role_id)):
        assert (await roles("DELETE", role_id)).status_code == 503
    assert roles.items(role_id) == ({} if kind is FaultKind.RESET else before)


async def test_f_rbac_10_a_role_with_more_items_than_a_transaction_deletes(roles: RoleEditor, role_id: str) -> None:
    """The definition goes first; deleting again removes what is left, and a new role is not in its way."""
    await roles.create(role_id, jwtRoleMappings=["Staff"], grantedTools=["t"])
    key = f"ROLE#{role_id}"
    for number in range(150):
        roles.platform.put(stored.ROLES, {"PK": key, "SK": f"TOOL_GRANT#obsolete{number}", "roleId": role_id})
    with roles.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation=WRITE, nth=2, containing=role_id)):
        assert (await roles("DELETE", role_id)).status_code == 503
    left = roles.items(role_id)
    assert len(left) == 53
    assert not left.keys() & {"DEFINITION", "JWT_MAPPING#Staff"}
    assert (await roles("GET", role_id)).status_code == 404
    assert (await roles("DELETE", role_id)).status_code == 204
    assert roles.items(role_id) == {}
    assert (await roles("DELETE", role_id)).status_code == 404


async def test_obsolete_items_go_with_the_next_change(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, grantedTools=["t"])
    key = f"ROLE#{role_id}"
    for number in range(150):
        roles.platform.put(stored.ROLES, {"PK": key, "SK": f"TOOL_GRANT#obsolete{number}", "roleId": role_id})
    await roles.change(role_id)
    assert roles.items(role_id).keys() == {"DEFINITION", "TOOL_GRANT#t"}


async def test_a_role_too_large_for_the_store(roles: RoleEditor, role_id: str) -> None:
    """Its parents grant more than an item holds."""
    many = [f"{'x' * 990}{number}" for number in range(99)]
    parents = []
    for number in range(5):
        parents.append(f"{role_id}_{number}")
        await roles.create(parents[-1], grantedTools=[f"{number}{name}" for name in many])
    answer = await roles("POST", "", {"roleId": role_id, "displayName": "A", "inheritsFrom": parents})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert roles.items(role_id) == {}
