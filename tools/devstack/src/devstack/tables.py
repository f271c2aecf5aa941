"""The one definition of what the platform stores in AWS: tables with their indexes, buckets, and vectors.

The names of the environment variables are part of it, so that what is created and what the services are told cannot
differ. Every key attribute is a string, every table is on demand, and only indexes that deployed accounts have exist.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    partition: str
    sort: str | None = None

    def attributes(self) -> Iterator[str]:
        yield self.partition
        if self.sort is not None:
            yield self.sort


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; `include` names the projected attributes beside the keys, None projects all."""

    name: str
    key: Key
    include: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is the last part of the physical name, `variable` tells the services the whole of it."""

    name: str
    variable: str
    indexes: tuple[Index, ...] = ()
    time_to_live: str | None = None
    stream: bool = False
    key: Key = Key("PK", "SK")


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    variable: str
    versioned: bool = False


@dataclass(frozen=True, slots=True)
class Vectors:
    """A vector bucket with its one index."""

    bucket: str
    bucket_variable: str
    index: str
    index_variable: str
    dimension: int
    not_filterable: tuple[str, ...]


_GSI1 = Key("GSI1PK", "GSI1SK")
_GSI2 = Key("GSI2PK", "GSI2SK")
_GSI3 = Key("GSI3PK", "GSI3SK")
_GSI4 = Key("GSI4PK", "GSI4SK")
_GSI5 = Key("GSI5PK", "GSI5SK")

TABLES: tuple[Table, ...] = (
    Table(
        "user-quotas",
        "DYNAMODB_QUOTA_TABLE",
        indexes=(
            Index("AssignmentTypeIndex", _GSI1),
            Index("UserAssignmentIndex", _GSI2),
            Index("RoleAssignmentIndex", _GSI3),
            Index("UserOverrideIndex", _GSI4),
        ),
    ),
    Table("quota-events", "DYNAMODB_QUOTA_EVENTS_TABLE", indexes=(Index("TierEventIndex", _GSI5),)),
    Table(
        "sessions-metadata",
        "DYNAMODB_SESSIONS_METADATA_TABLE_NAME",
        indexes=(Index("UserTimestampIndex", _GSI1), Index("SessionLookupIndex", Key("GSI_PK", "GSI_SK"))),
        time_to_live="ttl",
    ),
    Table(
        "user-cost-summary",
        "DYNAMODB_COST_SUMMARY_TABLE_NAME",
        indexes=(Index("PeriodCostIndex", _GSI2, include=("lastUpdated", "totalCost", "totalRequests", "userId")),),
    ),
    Table("system-cost-rollup", "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"),
    Table("oidc-state", "DYNAMODB_OIDC_STATE_TABLE_NAME", time_to_live="expiresAt"),
    Table("managed-models", "DYNAMODB_MANAGED_MODELS_TABLE_NAME", indexes=(Index("ModelIdIndex", _GSI1),)),
    Table(
        "users",
        "DYNAMODB_USERS_TABLE_NAME",
        indexes=(
            Index("UserIdIndex", Key("userId")),
            Index("EmailIndex", Key("email")),
            Index("EmailDomainIndex", _GSI2, include=("email", "name", "status", "userId")),
            Index("StatusLoginIndex", _GSI3, include=("email", "emailDomain", "name", "userId")),
        ),
    ),
    Table(
        "app-roles",
        "DYNAMODB_APP_ROLES_TABLE_NAME",
        indexes=(
            Index("JwtRoleMappingIndex", _GSI1),
            Index("ToolRoleMappingIndex", _GSI2, include=("displayName", "enabled", "roleId")),
            Index("ModelRoleMappingIndex", _GSI3, include=("displayName", "enabled", "roleId")),
        ),
    ),
    Table(
        "user-files",
        "DYNAMODB_USER_FILES_TABLE_NAME",
        indexes=(Index("SessionIndex", _GSI1),),
        time_to_live="ttl",
        stream=True,
    ),
    Table("oauth-providers", "DYNAMODB_OAUTH_PROVIDERS_TABLE_NAME", indexes=(Index("EnabledProvidersIndex", _GSI1),)),
    Table("oauth-user-tokens", "DYNAMODB_OAUTH_USER_TOKENS_TABLE_NAME", indexes=(Index("ProviderUsersIndex", _GSI1),)),
    Table(
        "rag-assistants",
        "ASSISTANTS_TABLE_NAME",
        indexes=(
            Index("OwnerStatusIndex", Key("GSI_PK", "GSI_SK")),
            Index("VisibilityStatusIndex", Key("GSI2_PK", "GSI2_SK")),
            Index("SharedWithIndex", Key("GSI3_PK", "GSI3_SK")),
        ),
    ),
)

BUCKETS: tuple[Bucket, ...] = (
    Bucket("user-files", "S3_USER_FILES_BUCKET_NAME"),
    Bucket("rag-documents", "ASSISTANTS_DOCUMENTS_BUCKET_NAME", versioned=True),
)

VECTORS = Vectors(
    "rag-vector-store",
    "ASSISTANTS_VECTOR_STORE_BUCKET_NAME",
    "rag-vector-index",
    "ASSISTANTS_VECTOR_STORE_INDEX_NAME",
    dimension=1024,
    not_filterable=("text",),
)


def table_by_variable(variable: str) -> Table:
    """The table that an environment variable names."""
    return next(table for table in TABLES if table.variable == variable)
