import pytest

from tests.integration.assistants.conftest import Assistants
from tests.support.platform import Platform


@pytest.fixture
def in_table(tables: Platform) -> Assistants:
    return Assistants(tables)


@pytest.fixture
def in_files(files: Platform) -> Assistants:
    return Assistants(files)
