"""Exceptions of botocore as failures (contract of the error vocabulary, AWS edge)."""

from typing import Any

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as AwsConnectionError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as StreamBroken
from urllib3.exceptions import TimeoutError as StreamTimeout

from apis.shared.aws.vocabulary import Reason, Refusal
from apis.shared.errors import ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable


class UnintelligibleAnswer(Exception):  # noqa: N818 - what came, not what went wrong
    """An answer that is not the service's: a page of a proxy, for instance."""


def refuse_what_is_not_json(response_dict: dict[str, Any], **_: object) -> None:
    """The SDK reads a body that is not JSON as an empty answer, so a query would have found nothing."""
    body = bytes(response_dict.get("body") or b"").strip()
    if body and not (body.startswith(b"{") and body.endswith(b"}")):
        raise UnintelligibleAnswer


def aws_errors(lost_condition: ErrorDetail | None = None) -> ErrorTable:
    """The table for one call; a failed condition becomes `lost_condition`, by default `conflict`."""

    def classify(error: ClientError) -> ErrorDetail:
        return _refusal(error).failure(error, lost_condition)

    return ErrorTable.of(
        (ClientError, classify),
        (UnintelligibleAnswer, service_unavailable),
        # Half an answer.
        (ResponseParserError, service_unavailable),
        (IncompleteReadError, service_unavailable),
        (ReadTimeoutError, timed_out),
        (ConnectTimeoutError, timed_out),
        (EndpointConnectionError, service_unavailable),
        (AwsConnectionError, service_unavailable),
        (HTTPClientError, service_unavailable),
        # An answer that is read as it comes meets the library below.
        (ParserError, service_unavailable),
        (StreamTimeout, timed_out),
        (StreamBroken, service_unavailable),
        (BotoCoreError, _misconfigured),
    )


def _misconfigured(error: BotoCoreError) -> ErrorDetail:
    # Credentials, region, profile or parameters: ours to set right, never the caller's.
    return internal_error(error)


def _refusal(error: ClientError) -> Refusal:
    said = error.response.get("Error", {})
    reasons = error.response.get("CancellationReasons", [])
    return Refusal(
        operation=error.operation_name,
        code=said.get("Code", ""),
        message=said.get("Message", ""),
        status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        reasons=[Reason(reason.get("Code", "None"), reason.get("Message") or "") for reason in reasons],
    )
