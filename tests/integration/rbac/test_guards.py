"""Guards that look at stored roles, in a service of their own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from devstack.services import running_service
from tests.support import stored
from tests.support.conformance import conforming_client
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform


@pytest.fixture(scope="module")
async def client(tables: Platform) -> AsyncIterator[httpx.AsyncClient]:
    environment = tables.surroundings.environment()
    with running_service("tests.integration.rbac.service:app", environment, health_path="/openapi.json") as service:
        async with await conforming_client(service.base_url, timeout=30) as connected:
            yield connected


def a_user_with(platform: Platform, *, tools: tuple[str, ...] = (), models: tuple[str, ...] = ()) -> dict[str, str]:
    """The headers of somebody whose role grants these."""
    jwt_role = f"Role-{uuid4().hex}"
    platform.store(
        *stored.role(f"role_{uuid4().hex}", jwt_role, enabled=True, **stored.granting(*tools, models=models))
    )
    # Other tests give roles to staff.
    return platform.sign_in("123456789", "AWS-BoiseStateAI", jwt_role).headers


@pytest.mark.parametrize(
    ("tools", "models", "tool_status", "model_status"),
    [
        (("t1",), (), 200, 403),
        ((), ("m1",), 403, 200),
        (("*",), ("*",), 200, 200),
        (("t2",), ("m2",), 403, 403),
        (("t",), ("m1x",), 403, 403),
    ],
    ids=str,
)
async def test_a_role_grants_a_tool_or_a_model(
    tables: Platform,
    client: httpx.AsyncClient,
    tools: tuple[str, ...],
    models: tuple[str, ...],
    tool_status: int,
    model_status: int,
) -> None:
    headers = a_user_with(tables, tools=tools, models=models)
    for path, status, refusal in (
        ("/tool", tool_status, "Access denied to tool: t1"),
        ("/model", model_status, "Access denied to model: m1"),
    ):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        expected = "123456789" if status == 200 else refusal
        assert (answer.json() if status == 200 else answer.json()["detail"]) == expected


async def test_who_is_not_known_is_not_asked_for_roles(tables: Platform, client: httpx.AsyncClient) -> None:
    with tables.proxy.recording() as recording:
        assert (await client.get("/tool")).status_code == 401
        nobody = tables.sign_in("123456789", "Nobody").headers
        assert (await client.get("/tool", headers=nobody)).json()["detail"] == "User does not have required role."
    assert recording.calls == []


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.THROTTLED, 503), (FaultKind.ACCESS_DENIED, 500), (FaultKind.RESET, 503)]
)
async def test_roles_that_cannot_be_read_let_nobody_pass(
    tables: Platform, client: httpx.AsyncClient, kind: FaultKind, status: int
) -> None:
    headers = a_user_with(tables, tools=("*",), models=("*",))
    with tables.proxy.injecting(Fault(kind, "dynamodb")):
        for path in ("/tool", "/model"):
            assert (await client.get(path, headers=headers)).status_code == status
    assert (await client.get("/tool", headers=headers)).status_code == 200, "nothing of the failure is kept"
