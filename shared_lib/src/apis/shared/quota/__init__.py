"""Who may spend how much: the rules, the check of a user, and what is told and recorded of it."""

from apis.shared.costs.service import get_cost_aggregator
from apis.shared.quota.events import (
    QuotaExceededEvent,
    QuotaExceededResponse,
    QuotaWarningEvent,
    build_quota_exceeded_event,
    build_quota_exceeded_response,
    build_quota_warning_event,
)
from apis.shared.quota.models import QuotaCheckResult
from apis.shared.quota.recorder import get_event_recorder
from apis.shared.quota.repository import get_quota_repository
from apis.shared.quota.resolver import get_quota_resolver
from apis.shared.quota.service import get_quota_checker, is_quota_enforcement_enabled

__all__ = [
    "QuotaCheckResult",
    "QuotaExceededEvent",
    "QuotaExceededResponse",
    "QuotaWarningEvent",
    "build_quota_exceeded_event",
    "build_quota_exceeded_response",
    "build_quota_warning_event",
    "get_cost_aggregator",
    "get_event_recorder",
    "get_quota_checker",
    "get_quota_repository",
    "get_quota_resolver",
    "is_quota_enforcement_enabled",
]
