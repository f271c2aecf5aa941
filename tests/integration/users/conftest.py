from collections.abc import Iterator

import pytest

from tests.support import stored
from tests.support.platform import Platform, User


@pytest.fixture
def people(tables: Platform) -> Iterator[Platform]:
    """The platform with nobody in the users table; whom a test stores, it leaves to no other."""
    tables.clear(stored.USERS)
    yield tables
    tables.clear(stored.USERS)


@pytest.fixture
def staff(tables: Platform) -> User:
    return tables.sign_in("900000003", "Staff")


@pytest.fixture
def admin(tables: Platform) -> User:
    return tables.sign_in("900000001", "Staff", "Admin")
