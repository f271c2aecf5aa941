"""The audit trail of quota checks."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.moments import read_moment, zulu_form
from apis.shared.quota.models import EventType, QuotaCheckResult, QuotaEvent, QuotaOverride, QuotaTier
from apis.shared.quota.repository import QuotaEventRepository, get_quota_event_repository
from apis.shared.result import Result, Success, best_effort, railway
from apis.shared.wiring import once

QUIET = timedelta(minutes=60)
SEARCHED = 10
"""How many of the newest events an earlier warning is looked for in."""


class QuotaEventRecorder:
    """What cannot be recorded is a Failure: whether anybody may go on without, the caller says."""

    def __init__(self, events: QuotaEventRepository, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._events = events
        self._now = now
        self._warnings: dict[tuple[str, str], asyncio.Task[Result[None, ErrorDetail]]] = {}

    async def record_block(
        self, user: User, result: QuotaCheckResult, session_id: str | None = None
    ) -> Result[None, ErrorDetail]:
        return await self._put("block", user, _figures(result), _about(user, result, session_id))

    async def record_warning_if_needed(
        self, user: User, result: QuotaCheckResult, session_id: str | None = None
    ) -> Result[None, ErrorDetail]:
        """Nothing is written when the user's last warning is of the same level and less than an hour old. Of turns
        that begin at the same moment in this process one writes, and the others wait for it."""
        key = (user.user_id, result.warning_level)
        task = self._warnings.get(key)
        if task is None:
            task = background.start(self._warn(user, result, session_id), name="record a quota warning")
            self._warnings[key] = task
            task.add_done_callback(lambda _: self._warnings.pop(key, None))
        return await asyncio.shield(task)

    async def record_override_applied(
        self, user: User, override: QuotaOverride, usage: Decimal
    ) -> Result[None, ErrorDetail]:
        """`usage` is what was spent of the override's month when it began to count."""
        tier = override.as_tier()
        about = {
            "override_id": override.override_id,
            "tier_name": tier.tier_name,
            "user_email": user.email,
            "user_roles": user.roles,
        }
        return await self._put("override_applied", user, _Figures.of(tier, usage), about)

    async def record_reset(
        self, user: User, tier: QuotaTier, usage: Decimal, *, reason: str
    ) -> Result[None, ErrorDetail]:
        """`usage` is what does not count any more."""
        about = {"reason": reason, "tier_name": tier.tier_name, "user_email": user.email}
        return await self._put("reset", user, _Figures.of(tier, usage), about)

    @railway
    async def _warn(self, user: User, result: QuotaCheckResult, session_id: str | None) -> Result[None, ErrorDetail]:
        last = await best_effort(
            self._last_warning(user.user_id),
            reason="Without the last warning this one is written: at worst the audit trail holds it twice.",
            default=None,
        )
        if last is not None and (last.metadata or {}).get("threshold") == result.warning_level:
            return Success(None)
        about = {"threshold": result.warning_level, **_about(user, result, session_id)}
        return await self._put("warning", user, _figures(result), about)

    @railway
    async def _last_warning(self, user_id: str) -> Result[QuotaEvent | None, ErrorDetail]:
        newest = (await self._events.newest_of_user(user_id, SEARCHED, consistent=True)).unwrap()
        last = next((event for event in newest if event.event_type == "warning"), None)
        if last is None:
            return Success(None)
        at = read_moment(last.timestamp).unwrap()
        return Success(last if self._now() - at < QUIET else None)

    async def _put(
        self, kind: EventType, user: User, figures: "_Figures", metadata: Mapping[str, object]
    ) -> Result[None, ErrorDetail]:
        return await self._events.put(
            QuotaEvent(
                event_id=str(uuid.uuid4()),
                user_id=user.user_id,
                tier_id=figures.tier_id,
                event_type=kind,
                current_usage=figures.usage,
                quota_limit=figures.limit,
                percentage_used=figures.percentage,
                timestamp=zulu_form(self._now()),
                metadata=dict(metadata),
            )
        )


@dataclass(frozen=True, slots=True)
class _Figures:
    tier_id: str
    usage: Decimal
    limit: Decimal
    percentage: Decimal

    @classmethod
    def of(cls, tier: QuotaTier, usage: Decimal) -> "_Figures":
        return cls(tier.tier_id, usage, tier.limit, tier.percentage_of(usage))


def _figures(result: QuotaCheckResult) -> _Figures:
    tier_id = result.tier.tier_id if result.tier is not None else ""
    return _Figures(tier_id, result.current_usage, result.quota_limit or Decimal(0), result.percentage_used)


def _about(user: User, result: QuotaCheckResult, session_id: str | None) -> dict[str, object]:
    return {
        "tier_name": result.tier.tier_name if result.tier is not None else None,
        "session_id": session_id,
        "assignment_id": result.assignment_id,
        "user_email": user.email,
        "user_roles": user.roles,
    }


@once
def get_event_recorder() -> QuotaEventRecorder:
    return QuotaEventRecorder(get_quota_event_repository())
