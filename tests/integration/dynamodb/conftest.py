"""The gateway with connections of its own, so that each test decides what it talks to."""

from collections.abc import AsyncIterator

import pytest

from apis.shared.aws.dynamodb import DynamoClient, Table
from tests.integration.conftest import Aws

VARIABLE = "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"
INDEX = "SessionLookupIndex"


@pytest.fixture
async def client(aws: Aws) -> AsyncIterator[DynamoClient]:
    client = DynamoClient()
    yield client
    await client.aclose()


@pytest.fixture
def table(aws: Aws, client: DynamoClient) -> Table:
    """An empty table behind the fault proxy."""
    aws.clear(VARIABLE)
    return Table(aws.environment[VARIABLE], client)
