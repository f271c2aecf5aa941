"""Which store holds the leases of this deployment: the one of the session records."""

from apis.shared.aws.dynamodb import Table
from apis.shared.sessions.leases.dynamodb import DynamoLeases
from apis.shared.sessions.leases.local import LocalLeases
from apis.shared.sessions.leases.repository import LeaseRepository
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once


@once
def get_leases() -> LeaseRepository:
    storage = settings(StorageSettings)
    table = storage.dynamodb_sessions_metadata_table_name
    return DynamoLeases(Table(table)) if table else LocalLeases(storage.sessions_dir)
