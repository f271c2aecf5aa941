"""Texts as vectors, by a model of Bedrock. It fails as a model does, because it is one."""

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from apis.shared.aws.client import ServiceClient
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

MODEL_ID: Final = "amazon.titan-embed-text-v2:0"
DIMENSION: Final = 1024
MOST_CHARACTERS: Final = 50_000
"""Of the model; it also takes no more than 8,192 tokens, which fewer characters may be."""
_SHORTENED = (MOST_CHARACTERS, 8_000, 2_000)

_THROTTLED = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "ModelNotReadyException", "ServiceQuotaExceededException"}
)
_TOO_LONG_TEXT = re.compile(r"too many (?:input )?tokens|max(?:imum)? input tokens|expected maxlength", re.IGNORECASE)

# Of words that the chat's error message picks its advice by, only those that fit are used.
THROTTLED: Final = ErrorDetail(
    code=ErrorCode.MODEL_ERROR, message="The search in the documents is receiving too many requests."
).with_recovery(recoverable=True)
REFUSED: Final = ErrorDetail(code=ErrorCode.MODEL_ERROR, message="The documents could not be searched.")
TOO_LONG: Final = ErrorDetail(
    code=ErrorCode.MODEL_ERROR, message="The message is too long to search the documents with it."
)


class _Unquoted(Exception):  # noqa: N818 - stands for the exception in the log, whose text may quote the user
    def __str__(self) -> str:
        return "the embedding model failed"


def _errors() -> ErrorTable:
    from botocore import exceptions as aws  # noqa: PLC0415 - lazy: botocore stays out of the start

    return ErrorTable.of(
        (aws.ClientError, _refusal),
        (aws.ReadTimeoutError, timed_out),
        (aws.ConnectTimeoutError, timed_out),
        (aws.NoCredentialsError, REFUSED.caused_by),
        (aws.PartialCredentialsError, REFUSED.caused_by),
        (aws.BotoCoreError, service_unavailable),
    )


def _refusal(error: "ClientError") -> ErrorDetail:
    said = error.response.get("Error", {})
    code = said.get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    failure = _by_code(code, said.get("Message", ""), status)
    return failure.caused_by(_Unquoted(), aws_code=code, aws_operation=error.operation_name)


def _by_code(code: str, text: str, status: int) -> ErrorDetail:
    if code in _THROTTLED or status == 429:
        return THROTTLED
    if "Timeout" in code or status == 408:
        return timed_out()
    if code == "ValidationException" and _TOO_LONG_TEXT.search(text):
        return TOO_LONG
    return service_unavailable() if status >= 500 else REFUSED


bedrock_runtime: "ServiceClient[BedrockRuntimeClient]" = ServiceClient(
    "bedrock-runtime", speaks_json=False, errors=_errors
)


class Embedder:
    """Fails as the model rows of the error vocabulary say."""

    def __init__(self, client: "ServiceClient[BedrockRuntimeClient]" = bedrock_runtime) -> None:
        self.client = client

    async def embed(self, text: str) -> Result[list[float], ErrorDetail]:
        """The vector of a text that is not blank. Of a longer text than the model takes, that of its beginning."""
        outcome: Result[list[float], ErrorDetail] = Failure(TOO_LONG)
        asked = None
        for length in _SHORTENED:
            if asked is None or length < len(asked):
                asked = text[:length]
                outcome = await self._embed(asked)
                if outcome != Failure(TOO_LONG):
                    return outcome
        return outcome

    async def _embed(self, text: str) -> Result[list[float], ErrorDetail]:
        body = json.dumps({"inputText": text}).encode()
        answer = await self.client.call(
            lambda client: client.invoke_model(
                modelId=MODEL_ID, contentType="application/json", accept="application/json", body=body
            )["body"].read()
        )
        said = answer.bind(lambda content: attempt(json.loads, content, errors=_NOT_JSON))
        return said.bind(_numbers)


_NOT_JSON = ErrorTable.of((ValueError, service_unavailable))


def _numbers(answer: Any) -> Result[list[float], ErrorDetail]:  # Any: JSON of a model
    numbers = answer.get("embedding") if isinstance(answer, dict) else None
    if not isinstance(numbers, list) or len(numbers) != DIMENSION or not all(_is_number(number) for number in numbers):
        return Failure(internal_error(None, entity="Embedding", key=MODEL_ID))
    return Success(numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
