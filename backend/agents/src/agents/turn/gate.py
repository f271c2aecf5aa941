"""The quota in front of what is paid for."""

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.quota.models import QuotaCheckResult
from apis.shared.quota.service import QuotaChecker, get_quota_checker, is_quota_enforcement_enabled
from apis.shared.result import Result, Success, fold
from apis.shared.wiring import once

type Checked = Result[QuotaCheckResult | None, ErrorDetail]
"""None where no quota is enforced."""


class Gate:
    """`quota` is None where no quota is enforced."""

    def __init__(self, quota: QuotaChecker | None) -> None:
        self._quota = quota

    async def ask(self, user: User) -> Checked:
        if self._quota is None:
            return Success(None)
        return (await self._quota.evaluate(user)).map(_as_checked)

    def record(self, user: User, checked: QuotaCheckResult, session_id: str) -> None:
        """Beside the answer, which does not depend on it."""
        if self._quota is not None:
            background.spawn(self._quota.record(user, checked, session_id), name="record a quota check")


def is_admitted(checked: Checked) -> bool:
    """A gate that could not be asked lets nobody through."""
    return fold(checked, success=lambda one: one is None or one.allowed, failure=lambda _: False)


def _as_checked(result: QuotaCheckResult) -> QuotaCheckResult | None:
    return result


@once
def get_gate() -> Gate:
    return Gate(get_quota_checker() if is_quota_enforcement_enabled() else None)
