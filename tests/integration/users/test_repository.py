"""The writes of the users table that no endpoint makes yet, and the look-up by the index of ids."""

import uuid

import pytest

from apis.shared.errors import ErrorCode
from apis.shared.result import Success
from apis.shared.users.models import UserProfile
from apis.shared.users.repository import get_user_repository
from tests.integration.conftest import Aws, Configure
from tests.support.fault_proxy import Fault, FaultKind


@pytest.fixture
def ada() -> UserProfile:
    return UserProfile(
        user_id=uuid.uuid4().hex[:9],
        email="ada@example.edu",
        name="Ada",
        status="active",
        email_domain="example.edu",
        roles=["Staff"],
        picture="https://example.edu/ada.png",
        created_at="2025-01-15T10:30:00Z",
        last_login_at="2025-01-15T10:30:00Z",
    )


async def test_somebody_is_created_once(aws: Aws, ada: UserProfile) -> None:
    users = get_user_repository()
    assert await users.create_user(ada) == Success(True)
    assert await users.create_user(ada.model_copy(update={"name": "Another"})) == Success(False)
    assert await users.get_user(ada.user_id) == Success(ada)
    assert await users.get_user_by_user_id(ada.user_id) == Success(ada)


async def test_a_change_keeps_the_first_contact_and_moves_the_status(aws: Aws, ada: UserProfile) -> None:
    users = get_user_repository()
    (await users.create_user(ada)).unwrap()
    changed = ada.model_copy(update={"status": "suspended", "picture": None, "created_at": "2030-01-01T00:00:00Z"})
    assert await users.update_user(changed) == Success(None)
    assert await users.get_user(ada.user_id) == Success(changed.model_copy(update={"created_at": ada.created_at}))
    suspended, _ = (await users.list_users_by_status("suspended")).unwrap()
    assert ada.user_id in {one.user_id for one in suspended}
    of_domain, _ = (await users.list_users_by_domain("EXAMPLE.edu")).unwrap()
    assert ada.user_id in {one.user_id for one in of_domain}


async def test_nobody_is_changed_who_is_not_there(aws: Aws, ada: UserProfile) -> None:
    users = get_user_repository()
    assert (await users.update_user(ada)).failure().code is ErrorCode.NOT_FOUND
    assert await users.get_user(ada.user_id) == Success(None)
    assert await users.get_user_by_user_id(ada.user_id) == Success(None)


async def test_f_users_02_the_index_of_ids_cannot_be_read(aws: Aws, ada: UserProfile) -> None:
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query")):
        failed = await get_user_repository().get_user_by_user_id(ada.user_id)
    assert failed.failure().code is ErrorCode.SERVICE_UNAVAILABLE


async def test_without_a_table_nothing_is_written(aws: Aws, configure: Configure, ada: UserProfile) -> None:
    configure(DYNAMODB_USERS_TABLE_NAME=None)
    assert (await get_user_repository().create_user(ada)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
