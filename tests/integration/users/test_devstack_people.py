"""Whom `make run` starts with, read by the product."""

from collections.abc import Iterator

import pytest

from apis.app_api.users.service import get_user_administration
from apis.shared.users.repository import UserList
from apis.shared.users.service import get_user_directory
from devstack.people import PEOPLE, seed_people
from tests.integration.conftest import Aws
from tests.support import stored


@pytest.fixture
def seeded(aws: Aws) -> Iterator[None]:
    aws.clear(stored.USERS, stored.QUOTAS)
    seed_people(aws.dynamodb, aws.environment)
    yield
    aws.clear(stored.USERS, stored.QUOTAS)


async def test_they_are_listed_and_have_a_quota(seeded: None) -> None:
    directory, administration = get_user_directory(), get_user_administration()
    listed = [
        one.user_id
        for status in ("active", "suspended")
        for one in (await directory.page(UserList.of_status(status), 25, None)).unwrap().users
    ]
    assert listed == [person.user_id for person in PEOPLE]
    assert [one.name for one in (await directory.search("hopper", 5)).unwrap()] == ["Grace Hopper"]
    for person in PEOPLE:
        detail = (await administration.detail(person.user_id)).unwrap()
        assert detail.profile.roles == list(person.roles)
        assert (detail.quota_status.tier_name, detail.quota_status.matched_by) == ("Starter", "default_tier")
