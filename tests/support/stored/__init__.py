"""Stored things in the layout of the contract: `platform.store(stored.session(ADA, "s1"), ...)`.

Every builder takes what identifies a thing and fills in the rest; further attributes replace or extend that, and the
value `LEFT_OUT` removes one. None is stored as the NULL that the previous system wrote.
"""

import base64
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

SESSIONS: Final = "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"
SUMMARIES: Final = "DYNAMODB_COST_SUMMARY_TABLE_NAME"
ROLLUPS: Final = "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"
ROLES: Final = "DYNAMODB_APP_ROLES_TABLE_NAME"
TOOLS: Final = ROLES
USERS: Final = "DYNAMODB_USERS_TABLE_NAME"
QUOTAS: Final = "DYNAMODB_QUOTA_TABLE"
QUOTA_EVENTS: Final = "DYNAMODB_QUOTA_EVENTS_TABLE"
MODELS: Final = "DYNAMODB_MANAGED_MODELS_TABLE_NAME"
FILES: Final = "DYNAMODB_USER_FILES_TABLE_NAME"
FILES_BUCKET: Final = "S3_USER_FILES_BUCKET_NAME"
VECTOR_BUCKET: Final = "ASSISTANTS_VECTOR_STORE_BUCKET_NAME"
VECTOR_INDEX: Final = "ASSISTANTS_VECTOR_STORE_INDEX_NAME"
STATES: Final = "DYNAMODB_OIDC_STATE_TABLE_NAME"
MEMORY: Final = "AGENTCORE_MEMORY_ID"

MOMENT: Final = "2025-01-15T10:30:45.123456+00:00"
LATE_TTL: Final = 4_000_000_000
LEFT_OUT: Final = object()

type Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """An item of the table whose name is in the environment variable `table`."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation: an event of AgentCore Memory, or a local file."""

    user_id: str
    session_id: str
    index: int
    message: Mapping[str, Any]
    at: datetime

    @property
    def role(self) -> str:
        return str(self.message["role"])

    def entry(self, *, message_id: int = 0) -> dict[str, Any]:
        """The JSON that is stored; only local files number their messages."""
        return {
            "message": _without_bytes(self.message),
            "message_id": message_id,
            "redact_message": None,
            "created_at": self.at.isoformat(),
            "updated_at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket whose name is in the environment variable `bucket`, or that is named so."""

    bucket: str
    key: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector of the one index."""

    key: str
    numbers: Sequence[float]
    metadata: Mapping[str, Any]


type Thing = Row | StoredMessage | StoredObject | StoredVector


def session(user_id: str, session_id: str, *, at: str = MOMENT, **attributes: Any) -> Row:
    """An active session after one turn, last used `at`."""
    return _row(
        SESSIONS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"S#ACTIVE#{at}#{session_id}",
            "GSI_PK": f"SESSION#{session_id}",
            "GSI_SK": "META",
            "sessionId": session_id,
            "userId": user_id,
            "title": "Old",
            "status": "active",
            "createdAt": at,
            "lastMessageAt": at,
            "messageCount": 1,
        },
        attributes,
    )


def conversation(user_id: str, session_id: str, *messages: Mapping[str, Any] | str) -> Iterator[StoredMessage]:
    """Messages a second apart; a text is said by user and assistant in turn."""
    begin = datetime(2026, 1, 5, 3, 39, 13, tzinfo=UTC)
    for index, said in enumerate(messages):
        role = "assistant" if index % 2 else "user"
        message = {"role": role, "content": [{"text": said}]} if isinstance(said, str) else said
        yield StoredMessage(user_id, session_id, index, message, begin + timedelta(seconds=index))


def cost_record(user_id: str, session_id: str, message_index: int, **attributes: Any) -> Row:
    """What the assistant message at `message_index` used and cost, at the moment of its `attribution`."""
    attribution = {"userId": user_id, "sessionId": session_id, "timestamp": MOMENT}
    at = attributes.get("attribution", attribution)["timestamp"]
    return _row(
        SESSIONS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"C#{at}#{uuid.uuid4()}",
            "GSI1PK": f"USER#{user_id}",
            "GSI1SK": at,
            "GSI_PK": f"SESSION#{session_id}",
            "GSI_SK": f"C#{at}",
            "sessionId": session_id,
            "userId": user_id,
            "timestamp": at,
            "messageId": message_index,
            "ttl": LATE_TTL,
            "latency": {"timeToFirstToken": 250, "endToEndLatency": 1500},
            "tokenUsage": {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500},
            "modelInfo": {"modelId": "m", "modelName": "A model"},
            "attribution": attribution,
        },
        attributes,
    )


def known_usage(user_id: str, model_id: str, now: datetime) -> Iterator[Row]:
    """What tells that the user has been counted today, this month, and with this model."""
    day, month, model = f"{now:%Y-%m-%d}", f"{now:%Y-%m}", sanitised(model_id)
    counted = {"requests": 1, "inputTokens": 10, "outputTokens": 5, "cacheReadTokens": 0, "cacheWriteTokens": 0}
    yield Row(
        SUMMARIES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"PERIOD#{month}",
            "GSI2PK": f"PERIOD#{month}",
            "GSI2SK": f"COST#{'0' * 15}",
            "userId": user_id,
            "totalCost": 0,
            "cacheSavings": 0,
            "totalRequests": 1,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "totalCacheReadTokens": 0,
            "totalCacheWriteTokens": 0,
            "lastUpdated": now.isoformat(),
            "periodStart": f"{month}-01T00:00:00Z",
            "periodEnd": f"{month}-28T23:59:59Z",
            "modelBreakdown": {model: {"modelName": model_id, "provider": "openai", "cost": 0, **counted}},
        },
    )
    for period in (f"DAILY#{day}", f"MONTHLY#{month}", f"MODEL#{month}#{model}"):
        yield Row(ROLLUPS, {"PK": f"ACTIVE#{period}", "SK": user_id, "trackedAt": now.isoformat(), "TTL": LATE_TTL})


def spent(user_id: str, cost: Any, **attributes: Any) -> Row:
    """What the user spent this month."""
    return cost_summary(user_id, f"{datetime.now(UTC):%Y-%m}", cost, **attributes)


def cost_summary(user_id: str, month: str, total_cost: Any, *, cents: int | None = None, **attributes: Any) -> Row:
    """What a user spent in a month, with one request; by default ranked by the cents of it."""
    ranked_by = int(Decimal(str(total_cost)) * 100) if cents is None else cents
    return _row(
        SUMMARIES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"PERIOD#{month}",
            "GSI2PK": f"PERIOD#{month}",
            "GSI2SK": f"COST#{ranked_by:015}",
            "userId": user_id,
            "totalCost": total_cost,
            "cacheSavings": 0,
            "totalRequests": 1,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "totalCacheReadTokens": 0,
            "totalCacheWriteTokens": 0,
            "lastUpdated": f"{month}-15T10:00:00+00:00",
            "periodStart": f"{month}-01T00:00:00Z",
            "periodEnd": f"{month}-31T23:59:59Z",
            "modelBreakdown": {},
        },
        attributes,
    )


def rollup(kind: str, key: str, total_cost: Any, **attributes: Any) -> Row:
    """What all users spent on a day (`DAILY`), in a month (`MONTHLY`) or on a model in a month (`MODEL`)."""
    described = {"modelId": key[8:], "modelName": "A model", "provider": "openai", "uniqueUsers": 1}
    return _row(
        ROLLUPS,
        {
            "PK": f"ROLLUP#{kind}",
            "SK": key,
            "totalCost": total_cost,
            "totalRequests": 2,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "lastUpdated": MOMENT,
            "type": kind.lower(),
            **(described if kind == "MODEL" else {"activeUsers": 1}),
        },
        attributes,
    )


def sanitised(model_id: str) -> str:
    """A model id as part of a key."""
    return re.sub(r"[^A-Za-z0-9_]", "_", model_id)


def uploaded_file(
    user_id: str,
    session_id: str,
    bucket: str,
    *,
    filename: str = "a.txt",
    content: bytes = b"content",
    **attributes: Any,
) -> tuple[StoredObject, Row]:
    """A file that is ready: its object in the bucket named `bucket`, and its record."""
    upload_id = attributes.get("uploadId", f"{uuid.uuid4().hex[:11]}_{uuid.uuid4().hex[:16]}")
    key = str(attributes.get("s3Key", f"user-files/{user_id}/{session_id}/{upload_id}/{filename}"))
    row = _row(
        FILES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"FILE#{upload_id}",
            "GSI1PK": f"CONV#{session_id}",
            "GSI1SK": f"FILE#{upload_id}",
            "uploadId": upload_id,
            "userId": user_id,
            "sessionId": session_id,
            "filename": filename,
            "mimeType": "text/plain",
            "sizeBytes": len(content),
            "s3Key": key,
            "s3Bucket": bucket,
            "s3Uri": f"s3://{bucket}/{key}",
            "status": "ready",
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "ttl": LATE_TTL,
        },
        attributes,
    )
    return StoredObject(row.item.get("s3Bucket", bucket), key, content), row


def file_quota(user_id: str, *, total_bytes: int, file_count: int) -> Row:
    return Row(
        FILES,
        {
            "PK": f"USER#{user_id}",
            "SK": "QUOTA",
            "userId": user_id,
            "totalBytes": total_bytes,
            "fileCount": file_count,
            "updatedAt": "2025-01-15T10:30:00Z",
        },
    )


def managed_model(model_id: str, *, record_id: str | None = None, **attributes: Any) -> Row:
    """An enabled model of OpenAI that costs nothing and that nobody may use."""
    record_id = record_id or str(uuid.uuid4())
    return _row(
        MODELS,
        {
            **keys_of_model(model_id, record_id),
            "id": record_id,
            "modelId": model_id,
            "modelName": "A model",
            "provider": "openai",
            "providerName": "A provider",
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "maxInputTokens": 200_000,
            "maxOutputTokens": 4096,
            "allowedAppRoles": [],
            "availableToRoles": [],
            "enabled": True,
            "inputPricePerMillionTokens": 0,
            "outputPricePerMillionTokens": 0,
            "isReasoningModel": False,
            "supportsCaching": True,
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        },
        attributes,
    )


def keys_of_model(model_id: str, record_id: str) -> Item:
    """`model_id` is the provider's name of the model."""
    of_record = f"MODEL#{record_id}"
    return {"PK": of_record, "SK": of_record, "GSI1PK": f"MODEL#{model_id}", "GSI1SK": of_record}


def role(role_id: str, *jwt_roles: str, mapping: Any = True, **definition: Any) -> list[Row]:
    """An application role and the roles of a token that map to it; `mapping` is the `enabled` of those."""
    keys = {"PK": f"ROLE#{role_id}", "SK": "DEFINITION"}
    base = {"roleId": role_id, "displayName": role_id, "jwtRoleMappings": list(jwt_roles)}
    return [
        _row(ROLES, {**keys, **base}, definition),
        *(role_mapping(role_id, jwt_role, enabled=mapping) for jwt_role in jwt_roles),
    ]


def role_mapping(role_id: str, jwt_role: str, **attributes: Any) -> Row:
    return _row(
        ROLES,
        {
            "PK": f"ROLE#{role_id}",
            "SK": f"JWT_MAPPING#{jwt_role}",
            "GSI1PK": f"JWT_ROLE#{jwt_role}",
            "GSI1SK": f"ROLE#{role_id}",
            "roleId": role_id,
        },
        attributes,
    )


def whole_role(role_id: str, **definition: Any) -> Iterator[Row]:
    """A role with all that its definition says, in the layout of every deployment."""
    (row, *_) = role(
        role_id,
        **{
            "description": "",
            "inheritsFrom": [],
            "grantedTools": [],
            "grantedModels": [],
            "priority": 0,
            "isSystemRole": False,
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00.123456Z",
            "createdBy": "111111111",
            **granting(*definition.get("grantedTools", ()), models=definition.get("grantedModels", ())),
            **definition,
        },
    )
    yield row
    copied = {name: row.item[name] for name in ("roleId", "displayName", "enabled")}
    for kind, index, number, member in (
        ("JWT_MAPPING", "JWT_ROLE", 1, "jwtRoleMappings"),
        ("TOOL_GRANT", "TOOL", 2, "grantedTools"),
        ("MODEL_GRANT", "MODEL", 3, "grantedModels"),
    ):
        for name in row.item[member]:
            keys = {"PK": f"ROLE#{role_id}", "SK": f"{kind}#{name}"}
            indexed = {f"GSI{number}PK": f"{index}#{name}", f"GSI{number}SK": f"ROLE#{role_id}"}
            yield Row(ROLES, {**keys, **indexed, **copied})


def granting(*tools: str, models: Sequence[str] = (), tier: str | None = None) -> dict[str, Any]:
    """What a role allows, for `role`."""
    return {"effectivePermissions": {"tools": list(tools), "models": list(models), "quotaTier": tier}}


def tool(tool_id: str, **attributes: Any) -> Row:
    """A local tool of the stored catalogue that is not public."""
    return _row(
        TOOLS,
        {
            "PK": f"TOOL#{tool_id}",
            "SK": "METADATA",
            "GSI1PK": "CATEGORY#data",
            "GSI1SK": f"TOOL#{tool_id}",
            "toolId": tool_id,
            "displayName": tool_id,
            "description": "A tool.",
            "category": "data",
            "icon": None,
            "protocol": "local",
            "status": "active",
            "requiresOauthProvider": None,
            "isPublic": False,
            "enabledByDefault": False,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00.123456Z",
            "createdBy": "111111111",
            "updatedBy": None,
        },
        attributes,
    )


def pending_state(state: str, **attributes: Any) -> Row:
    """What a sign-in waits with for the browser to come back; it expires late."""
    item = {
        "PK": f"STATE#{state}",
        "SK": f"STATE#{state}",
        "state": state,
        "expiresAt": LATE_TTL,
        "created_at": 1_700_000_000,
        "code_verifier": "verifier",
        "nonce": "nonce",
    }
    return _row(STATES, item, attributes)


def person(
    user_id: str, email: str, *, name: str = "", status: str = "active", seen: str = "2025-01-15T10:30:00Z", **more: Any
) -> Row:
    """Somebody who was `seen` last then."""
    domain = email.partition("@")[2].partition("@")[0]
    return _row(
        USERS,
        {
            "PK": f"USER#{user_id}",
            "SK": "PROFILE",
            "GSI2PK": f"DOMAIN#{domain}",
            "GSI2SK": seen,
            "GSI3PK": f"STATUS#{status}",
            "GSI3SK": seen,
            "userId": user_id,
            "email": email,
            "name": name,
            "roles": ["Staff"],
            "emailDomain": domain,
            "createdAt": "2024-08-01T08:00:00Z",
            "lastLoginAt": seen,
            "status": status,
        },
        more,
    )


def quota_tier(tier_id: str, limit: Any = 50, **attributes: Any) -> Row:
    """A monthly tier that blocks."""
    return _row(
        QUOTAS,
        {
            "PK": f"QUOTA_TIER#{tier_id}",
            "SK": "METADATA",
            "tierId": tier_id,
            "tierName": f"Tier {tier_id}",
            "monthlyCostLimit": limit,
            "periodType": "monthly",
            "softLimitPercentage": 80,
            "actionOnLimit": "block",
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "createdBy": "111111111",
        },
        attributes,
    )


def quota_assignment(kind: str, criterion: str | None, tier_id: str, *, priority: int = 100, **attributes: Any) -> Row:
    """`criterion` is what the kind goes by: a user id, an AppRole, a role of the token, a pattern of domains."""
    assignment_id = str(attributes.get("assignmentId", uuid.uuid4()))
    of_kind: Mapping[str, Item] = {
        "direct_user": {"userId": criterion, "GSI2PK": f"USER#{criterion}", "GSI2SK": f"ASSIGNMENT#{assignment_id}"},
        "jwt_role": {"jwtRole": criterion, "GSI3PK": f"ROLE#{criterion}", "GSI3SK": f"PRIORITY#{priority}"},
        "app_role": {"appRoleId": criterion, "GSI6PK": f"APP_ROLE#{criterion}", "GSI6SK": f"PRIORITY#{priority}"},
        "email_domain": {"emailDomain": criterion},
        "default_tier": {},
    }
    return _row(
        QUOTAS,
        {
            "PK": f"ASSIGNMENT#{assignment_id}",
            "SK": "METADATA",
            "GSI1PK": f"ASSIGNMENT_TYPE#{kind}",
            "GSI1SK": f"PRIORITY#{priority}#{assignment_id}",
            "assignmentId": assignment_id,
            "tierId": tier_id,
            "assignmentType": kind,
            "priority": priority,
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "createdBy": "111111111",
            **of_kind[kind],
        },
        attributes,
    )


def quota_override(user_id: str, *, until: str = "2999-01-01T00:00:00Z", limit: Any = 75, **attributes: Any) -> Row:
    """Another limit since 2025, or none with `overrideType` `unlimited`."""
    override_id = str(attributes.get("overrideId", uuid.uuid4()))
    return _row(
        QUOTAS,
        {
            "PK": f"OVERRIDE#{override_id}",
            "SK": "METADATA",
            "GSI4PK": f"USER#{user_id}",
            "GSI4SK": f"VALID_UNTIL#{until}",
            "overrideId": override_id,
            "userId": user_id,
            "overrideType": "custom_limit",
            "monthlyCostLimit": limit,
            "validFrom": "2025-01-01T00:00:00Z",
            "validUntil": until,
            "reason": "A thesis",
            "createdBy": "admin@example.edu",
            "createdAt": "2025-01-01T00:00:00Z",
            "enabled": True,
        },
        attributes,
    )


def quota_event(user_id: str, at: str, *, kind: str = "warning", used: Any = 81.5, **attributes: Any) -> Row:
    event_id = str(attributes.get("eventId", uuid.uuid4()))
    return _row(
        QUOTA_EVENTS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"EVENT#{at}#{event_id}",
            "GSI5PK": "TIER#t",
            "GSI5SK": f"TIMESTAMP#{at}",
            "eventId": event_id,
            "userId": user_id,
            "tierId": "t",
            "eventType": kind,
            "currentUsage": 40.75,
            "quotaLimit": 50,
            "percentageUsed": used,
            "timestamp": at,
            "metadata": {"threshold": "80%", "tier_name": "T", "session_id": None, "user_roles": ["Staff"]},
        },
        attributes,
    )


def payload(message: StoredMessage) -> dict[str, Any]:
    """A message as the payload of an event; long ones are blobs."""
    text = json.dumps(message.entry())
    if len(text) + len(message.role) >= 9000:
        return {"blob": json.dumps([text, message.role])}
    return {"conversational": {"content": {"text": text}, "role": message.role.upper()}}


def _row(table: str, item: Mapping[str, Any], attributes: Mapping[str, Any]) -> Row:
    return Row(table, {name: value for name, value in {**item, **attributes}.items() if value is not LEFT_OUT})


def _without_bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"__bytes_encoded__": True, "data": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {name: _without_bytes(member) for name, member in value.items()}
    return [_without_bytes(member) for member in value] if isinstance(value, list) else value
