"""Stored things in the layout of the contract: `platform.store(stored.session(ADA, "s1"), ...)`.

Every builder takes what identifies a thing and fills in the rest; further attributes replace or extend that, and the
value `LEFT_OUT` removes one. None is stored as the NULL that the previous system wrote.
"""

from tests.support.stored.auth import STATES, pending_state
from tests.support.stored.costs import (
    ROLLUPS,
    SUMMARIES,
    cost_record,
    cost_summary,
    known_usage,
    rollup,
    sanitised,
    spent,
)
from tests.support.stored.files import FILES, FILES_BUCKET, file_quota, uploaded_file
from tests.support.stored.knowledge import ASSISTANTS, VECTOR_BUCKET, VECTOR_INDEX
from tests.support.stored.models import MODELS, keys_of_model, managed_model
from tests.support.stored.oauth import (
    NO_SCOPES_HASH,
    OAUTH_PROVIDERS,
    OAUTH_TOKENS,
    oauth_connection,
    oauth_provider,
    oauth_state,
    unencrypted,
)
from tests.support.stored.quota import QUOTA_EVENTS, QUOTAS, quota_assignment, quota_event, quota_override, quota_tier
from tests.support.stored.rbac import ROLES, granting, role, role_mapping, whole_role
from tests.support.stored.sessions import MEMORY, SESSIONS, conversation, payload, session
from tests.support.stored.things import (
    LATE_TTL,
    LEFT_OUT,
    MOMENT,
    Item,
    Row,
    StoredMessage,
    StoredObject,
    StoredVector,
    Thing,
)
from tests.support.stored.tools import TOOLS, tool
from tests.support.stored.users import USERS, person

__all__ = [
    "ASSISTANTS",
    "FILES",
    "FILES_BUCKET",
    "LATE_TTL",
    "LEFT_OUT",
    "MEMORY",
    "MODELS",
    "MOMENT",
    "NO_SCOPES_HASH",
    "OAUTH_PROVIDERS",
    "OAUTH_TOKENS",
    "QUOTAS",
    "QUOTA_EVENTS",
    "ROLES",
    "ROLLUPS",
    "SESSIONS",
    "STATES",
    "SUMMARIES",
    "TOOLS",
    "USERS",
    "VECTOR_BUCKET",
    "VECTOR_INDEX",
    "Item",
    "Row",
    "StoredMessage",
    "StoredObject",
    "StoredVector",
    "Thing",
    "conversation",
    "cost_record",
    "cost_summary",
    "file_quota",
    "granting",
    "keys_of_model",
    "known_usage",
    "managed_model",
    "oauth_connection",
    "oauth_provider",
    "oauth_state",
    "payload",
    "pending_state",
    "person",
    "quota_assignment",
    "quota_event",
    "quota_override",
    "quota_tier",
    "role",
    "role_mapping",
    "rollup",
    "sanitised",
    "session",
    "spent",
    "tool",
    "unencrypted",
    "uploaded_file",
    "whole_role",
]
