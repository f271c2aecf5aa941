"""Error codes of AWS as failures (contract of the error vocabulary, AWS edge), whatever library met them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apis.shared.errors import (
    ErrorDetail,
    bad_request,
    conflict,
    internal_error,
    not_found,
    service_unavailable,
)

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "ThrottlingException",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
        "ServiceQuotaExceededException",
        "LimitExceededException",
    }
)
EXPIRED_TOKEN = frozenset({"ExpiredToken", "ExpiredTokenException"})
CONDITION_FAILED = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed", "PreconditionFailed"})
CANCELLED = "TransactionCanceledException"
# The last is a transaction that an earlier attempt of the same call has begun: nobody knows yet how it ends.
_DOWN = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceException",
        "RequestTimeout",
        "RequestTimeoutException",
        "TransactionInProgressException",
        "DependencyTimeoutException",
        "InternalServiceError",
        "KMSInternalException",
        "KeyUnavailableException",
    }
)
_NO_OBJECT = frozenset({"NoSuchKey"})
_TOO_LARGE = frozenset({"ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"})
_CONFLICTING = frozenset({"TransactionConflictException", "TransactionConflict"})
_TOO_LARGE_TEXT = re.compile(r"Item size (to update )?has exceeded")
_TOO_LARGE_MESSAGE = "The content is too large to be stored."

LOST_CONDITION = conflict("The item was changed by another request. Please try again.")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one operation of a transaction was not done; `None` as the code of one that had no fault."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer says."""

    operation: str
    code: str
    message: str = ""
    status: int = 0
    reasons: Sequence[Reason] = ()

    @property
    def is_lost_condition(self) -> bool:
        """Whether a condition of ours did not hold. In a transaction it says more than the faults beside it."""
        if self.code == CANCELLED:
            return any(reason.code in CONDITION_FAILED for reason in self.reasons)
        return self.code in CONDITION_FAILED

    @property
    def lost_operation(self) -> int | None:
        """Which operation of a transaction had a condition that did not hold: the first."""
        lost = (place for place, reason in enumerate(self.reasons) if reason.code in CONDITION_FAILED)
        return next(lost, None)

    @property
    def is_contended(self) -> bool:
        """Whether it was not done because a transaction was at its items, and no condition was lost."""
        if self.code == CANCELLED:
            return self.lost_operation is None and any(reason.code in _CONFLICTING for reason in self.reasons)
        return self.code in _CONFLICTING

    @property
    def is_cut_short(self) -> bool:
        """Whether the body broke before it named its code; the SDK then gives the status, as it does for HEAD."""
        return self.operation == "GetObject" and self.code == str(self.status)

    def failure(self, cause: Exception, lost: ErrorDetail | None = None) -> ErrorDetail:
        """The failure that `cause` stands for; a lost condition becomes `lost`, by default `conflict`."""
        known = self._cancellation(lost or LOST_CONDITION) if self.code == CANCELLED else None
        known = known or _by_code(self.code, self, lost or LOST_CONDITION)
        return known.caused_by(cause, aws_code=self.code, aws_operation=self.operation)

    def _cancellation(self, lost: ErrorDetail) -> ErrorDetail | None:
        """By the reason that decides, whichever operation it belongs to: a lost condition stays lost when the
        transaction is repeated, a conflict and throttling need not."""
        for family in (CONDITION_FAILED, _CONFLICTING, THROTTLED, _TOO_LARGE):
            for reason in self.reasons:
                if reason.code in family:
                    return _by_code(reason.code, self, lost)
        if any(_TOO_LARGE_TEXT.search(reason.message) for reason in self.reasons):
            return bad_request(_TOO_LARGE_MESSAGE)
        return internal_error()


def _by_code(code: str, refusal: Refusal, lost: ErrorDetail) -> ErrorDetail:  # noqa: PLR0911 - one row, one return
    if code in CONDITION_FAILED:
        return lost
    if code in _CONFLICTING:
        return LOST_CONDITION
    if code in THROTTLED or refusal.status == 429:
        return service_unavailable()
    if code in _TOO_LARGE or refusal.status == 413 or _TOO_LARGE_TEXT.search(refusal.message):
        return bad_request(_TOO_LARGE_MESSAGE)
    if code in _NO_OBJECT or (code == "404" and refusal.operation == "HeadObject"):
        return not_found("The stored object does not exist.")
    if code in _DOWN or code.startswith("ServiceUnavailable") or refusal.status >= 500 or refusal.is_cut_short:
        return service_unavailable()
    return internal_error()
