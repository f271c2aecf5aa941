"""Exceptions of botocore as failures (contract of the error vocabulary, AWS edge)."""

import re
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as AwsConnectionError,
)

from apis.shared.errors import (
    ErrorDetail,
    bad_request,
    conflict,
    internal_error,
    not_found,
    service_unavailable,
    timed_out,
)
from apis.shared.result import ErrorTable

_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
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
_DOWN = frozenset({"InternalServerError", "InternalFailure", "InternalError", "ServiceException", "RequestTimeout"})
_NO_OBJECT = frozenset({"NoSuchKey"})
_TOO_LARGE = frozenset({"ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"})
_CONDITION_FAILED = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
_CONFLICTING = frozenset({"TransactionConflictException", "TransactionConflict", "TransactionInProgressException"})
_TOO_LARGE_TEXT = re.compile(r"Item size (to update )?has exceeded")
_TOO_LARGE_MESSAGE = "The content is too large to be stored."


class UnintelligibleAnswer(Exception):  # noqa: N818 - what came, not what went wrong
    """An answer that is not the service's: a page of a proxy, for instance."""


def refuse_what_is_not_json(response_dict: dict[str, Any], **_: object) -> None:
    """The SDK reads a body that is not JSON as an empty answer, so a query would have found nothing."""
    body = bytes(response_dict.get("body") or b"").strip()
    if body and not (body.startswith(b"{") and body.endswith(b"}")):
        raise UnintelligibleAnswer


LOST_CONDITION = conflict("The item was changed by another request. Please try again.")


def aws_errors(lost_condition: ErrorDetail | None = None) -> ErrorTable:
    """The table for one call; a failed condition becomes `lost_condition`, by default `conflict`."""
    lost = lost_condition or LOST_CONDITION

    def classify(error: ClientError) -> ErrorDetail:
        return _classify(error, lost)

    return ErrorTable.of(
        (ClientError, classify),
        (UnintelligibleAnswer, service_unavailable),
        (ReadTimeoutError, timed_out),
        (ConnectTimeoutError, timed_out),
        (EndpointConnectionError, service_unavailable),
        (AwsConnectionError, service_unavailable),
        (HTTPClientError, service_unavailable),
        (BotoCoreError, _misconfigured),
    )


def _misconfigured(error: BotoCoreError) -> ErrorDetail:
    # Credentials, region, profile or parameters: ours to set right, never the caller's.
    return internal_error(error)


def _classify(error: ClientError, lost: ErrorDetail) -> ErrorDetail:
    code = error.response.get("Error", {}).get("Code", "")
    known = (
        _classify_cancellation(error, lost) if code == "TransactionCanceledException" else _by_code(code, error, lost)
    )
    return known.caused_by(error, aws_code=code, aws_operation=error.operation_name)


def _by_code(code: str, error: ClientError, lost: ErrorDetail) -> ErrorDetail:  # noqa: PLR0911 - one row, one return
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _CONDITION_FAILED:
        return lost.caused_by(error)
    if code in _CONFLICTING:
        return LOST_CONDITION.caused_by(error)
    if code in _THROTTLED:
        return service_unavailable(error)
    if code in _TOO_LARGE or status == 413 or _TOO_LARGE_TEXT.search(str(error)):
        return bad_request(_TOO_LARGE_MESSAGE).caused_by(error)
    if code in _NO_OBJECT or (code == "404" and error.operation_name == "HeadObject"):
        return not_found("The stored object does not exist.").caused_by(error)
    if code in _DOWN or code.startswith("ServiceUnavailable") or status >= 500:
        return service_unavailable(error)
    return internal_error(error)


def _classify_cancellation(error: ClientError, lost: ErrorDetail) -> ErrorDetail:
    """The reason that decides: a lost condition or conflict says more than the `None` of the other items."""
    reasons = error.response.get("CancellationReasons", [])
    relevant = [reason.get("Code", "None") for reason in reasons]
    for family in (_CONDITION_FAILED, _CONFLICTING, _TOO_LARGE, _THROTTLED):
        for code in relevant:
            if code in family:
                return _by_code(code, error, lost)
    if any(_TOO_LARGE_TEXT.search(reason.get("Message") or "") for reason in reasons):
        return bad_request(_TOO_LARGE_MESSAGE).caused_by(error)
    return internal_error(error)
