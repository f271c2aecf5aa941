"""The roles that every deployment has, made when the App API has shown that it is healthy."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import batched

import httpx
import pytest

from apis.app_api.main import app
from apis.app_api.roles.service import seed_roles
from apis.shared.lifecycle import background
from apis.shared.rbac.admin_service import get_app_role_admin_service, system_roles
from apis.shared.result import suppression_counts
from devstack.services import APP_API, running_service
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.aws_access import AwsAccess
from tests.support.fault_proxy import Fault, FaultKind

SITE = "apis.app_api.roles.service:_seed_one"


@pytest.fixture
def empty(aws: Aws) -> Aws:
    aws.clear(stored.ROLES)
    return aws


async def rested() -> None:
    """Until all that runs in the background is done, which no stop of a process waits for."""
    await asyncio.gather(*background._tasks)


async def seeded() -> None:
    """As after the first healthy answer of a process."""
    seed_roles()
    await rested()


def definition(aws: Aws, role_id: str) -> dict[str, object]:
    return aws.item(stored.ROLES, f"ROLE#{role_id}", "DEFINITION")


async def test_both_are_made_with_their_items(empty: Aws) -> None:
    await seeded()
    admin, default = definition(empty, "system_admin"), definition(empty, "default")
    assert admin["effectivePermissions"] == {"tools": ["*"], "models": ["*"], "quotaTier": None}
    assert (admin["displayName"], admin["priority"]) == ("System Administrator", 1000)
    assert (admin["grantedTools"], admin["grantedModels"], admin["jwtRoleMappings"]) == (["*"], ["*"], [])
    assert default["effectivePermissions"] == {"tools": [], "models": [], "quotaTier": "tier_basic"}
    assert (default["displayName"], default["priority"], default["grantedTools"]) == ("Default User", 0, [])
    for role in (admin, default):
        assert (role["isSystemRole"], role["enabled"], role["createdBy"]) == (True, True, "system")
    assert [item["SK"] for item in empty.items(stored.ROLES, "ROLE#system_admin")] == [
        "DEFINITION",
        "MODEL_GRANT#*",
        "TOOL_GRANT#*",
    ]
    assert [item["SK"] for item in empty.items(stored.ROLES, "ROLE#default")] == ["DEFINITION"]


async def test_not_before_the_process_has_answered_that_it_is_healthy(empty: Aws) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        with empty.proxy.recording() as recording:
            await client.get("/openapi.json")
            await rested()
        assert recording.calls == []
        assert (await client.get("/health")).status_code == 200
    await rested()
    assert definition(empty, "default")


async def test_what_is_there_stays_as_it_is(empty: Aws) -> None:
    empty.store(*stored.role("default", enabled=False))
    before = definition(empty, "default")
    with empty.proxy.recording() as recording:
        await seeded()
    assert definition(empty, "default") == before
    assert definition(empty, "system_admin")
    assert sorted(call.target.operation for call in recording.calls) == ["GetItem", "GetItem", "TransactWriteItems"]


async def test_it_is_done_once_a_process(empty: Aws) -> None:
    await seeded()
    with empty.proxy.recording() as recording:
        await seeded()
    assert recording.calls == []


async def test_two_processes_that_start_at_once(empty: Aws) -> None:
    admin = get_app_role_admin_service()
    assert admin is not None
    (role, _) = system_roles()
    with empty.proxy.holding("GetItem", containing="ROLE#system_admin") as hold:
        starting = [asyncio.create_task(admin.seed(role)) for _ in range(2)]
        await hold.has(2)
    assert sorted([(await one).unwrap() for one in starting]) == [False, True]


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
async def test_f_rbac_01_one_that_fails_does_not_keep_the_other(
    empty: Aws, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = suppression_counts().get(SITE, 0)
    with empty.proxy.injecting(Fault(FaultKind.THROTTLED, operation=operation, containing="ROLE#system_admin")):
        await seeded()
    assert definition(empty, "system_admin") == {}
    assert definition(empty, "default")
    assert suppression_counts()[SITE] == before + 1
    (warning,) = [record for record in caplog.records if record.getMessage() == "suppressed failure"]
    assert (warning.levelname, warning.__dict__["site"]) == ("WARNING", SITE)


async def test_f_rbac_19_without_a_table_nothing_is_made(empty: Aws, configure: Configure) -> None:
    configure(**{stored.ROLES: ""})
    before = suppression_counts()
    with empty.proxy.recording() as recording:
        await seeded()
    assert recording.calls == []
    assert suppression_counts() == before


@pytest.fixture
def crowded(aws: Aws, configure: Configure) -> Iterator[AwsAccess]:
    """A roles table of its own, in which whole pages of a scan hold no role."""
    dynamodb, name = aws.dynamodb, "crowded-app-roles"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        BillingMode="PAY_PER_REQUEST",
    )
    access = AwsAccess(aws.endpoint, {**aws.variables, stored.ROLES: name})
    items = [
        {"PK": {"S": f"USER#{number}"}, "SK": {"S": "TOOL_PREFERENCES"}, "note": {"S": "x" * 1_000}}
        for number in range(5_000)
    ]
    for some in batched(items, 25, strict=True):
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": item}} for item in some]})
    configure(**{stored.ROLES: name})
    yield access
    dynamodb.delete_table(TableName=name)


async def test_r9_roles_among_thousands_of_other_items(aws: Aws, crowded: AwsAccess) -> None:
    crowded.store(*stored.whole_role("last", priority=5, enabled=False))
    await seeded()
    admin = get_app_role_admin_service()
    assert admin is not None
    with aws.proxy.recording() as recording:
        listed = (await admin.list_roles()).unwrap()
    assert [role.role_id for role in listed] == ["system_admin", "last", "default"]
    assert len(recording.calls) > 4
    assert [role.role_id for role in (await admin.list_roles(enabled_only=True)).unwrap()] == [
        "system_admin",
        "default",
    ]


@asynccontextmanager
async def started(aws: Aws, **variables: str) -> AsyncIterator[httpx.AsyncClient]:
    with running_service(APP_API, {**aws.environment, "ENVIRONMENT": "development", **variables}) as service:
        async with httpx.AsyncClient(base_url=service.base_url, trust_env=False) as client:
            yield client
        begun = time.monotonic()
        service.terminate()
        await asyncio.to_thread(service.wait)
        assert time.monotonic() - begun < 3, "the stop waited for the roles"


async def test_f_rbac_02_neither_start_nor_health_nor_stop_wait_for_the_table(empty: Aws) -> None:
    with empty.proxy.injecting(Fault(FaultKind.TIMEOUT, table=empty.variables[stored.ROLES])) as hanging:
        async with started(empty) as client:
            async with asyncio.timeout(20):
                while not hanging.hits:  # noqa: ASYNC110 - it happens in another process
                    await asyncio.sleep(0.02)
            begun = time.monotonic()
            answer = await client.get("/health")
            assert answer.status_code == 200
            assert time.monotonic() - begun < 3


async def test_f_rbac_19_the_operations_without_a_table(aws: Aws) -> None:
    admin = {
        "ENABLE_AUTHENTICATION": "false",
        "DEV_USER_ROLES": '["Developer", "Admin"]',
        "ADMIN_JWT_ROLES": '["Developer"]',
    }
    async with started(aws, **{stored.ROLES: ""}, **admin) as client:
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "basic"),
            ("PATCH", "basic"),
            ("DELETE", "basic"),
            ("POST", "basic/sync"),
        ):
            answer = await client.request(method, f"/admin/roles/{path}", json={"roleId": "basic", "displayName": "B"})
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), f"{method} {path}"
        assert (await client.get("/admin/roles/cache/stats")).status_code == 200
        assert (await client.get("/health")).headers["x-suppressed-failures"] == "0"
