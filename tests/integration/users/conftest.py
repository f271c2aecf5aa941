import pytest

from tests.support import stored
from tests.support.platform import Platform, User


@pytest.fixture
def people(tables: Platform) -> Platform:
    """The platform with nobody in the users table."""
    tables.clear(stored.USERS)
    return tables


@pytest.fixture
def staff(tables: Platform) -> User:
    return tables.sign_in("900000003", "Staff")


@pytest.fixture
def admin(tables: Platform) -> User:
    return tables.sign_in("900000001", "Staff", "Admin")
