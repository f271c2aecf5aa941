"""The model providers: the framework's model for a configuration, and their exceptions as failures.

The clients behind the models are made once per process, key and address. No text of a provider reaches a client or
the log: it may quote a key or what a user wrote. What an operator needs is the kind, status and code of the error.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from agents.config import ModelConfig
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success
from apis.shared.settings import AwsSettings, ModelSettings, settings

if TYPE_CHECKING:
    from strands.models import BedrockModel, Model

READ_TIMEOUT_SECONDS = 120.0
CONNECT_TIMEOUT_SECONDS = 5.0
MAX_CONNECTIONS = 200


def _model_error(message: str, *, recoverable: bool = False, retry_after: int | None = None) -> ErrorDetail:
    error = ErrorDetail(code=ErrorCode.MODEL_ERROR, message=message)
    return error.with_recovery(recoverable=recoverable, retry_after=retry_after)


NOT_CONFIGURED = ErrorDetail(
    code=ErrorCode.AGENT_ERROR, message="This model is not configured. Please choose another one."
).with_recovery(recoverable=True)
DENIED = _model_error("Access to the model was denied.")
UNKNOWN_MODEL = _model_error("The model was not found by its provider.")
UNSUPPORTED = _model_error("The model does not support this request.")
TOO_LONG = _model_error("The conversation is too long for the model. Please shorten it or start a new one.")
CUT = _model_error(
    "The answer was cut at the token limit. Please shorten the conversation or ask for a shorter answer."
)


def throttled(retry_after: int | None = None) -> ErrorDetail:
    return _model_error("The model is receiving too many requests.", recoverable=True, retry_after=retry_after)


async def build_model(config: ModelConfig) -> "Result[Model, ErrorDetail]":
    """The framework's model. Fails with `agent_error` when the provider's key is not configured."""
    keys = settings(ModelSettings)
    key = {"openai": keys.openai_api_key, "gemini": keys.google_gemini_api_key}.get(config.provider)
    if config.provider != "bedrock" and key is None:
        return Failure(NOT_CONFIGURED)
    # The first call imports the provider's library, which takes a second.
    return Success(await asyncio.to_thread(_BUILDERS[config.provider], config, key.get_secret_value() if key else ""))


def _bedrock(config: ModelConfig, _: str) -> "Model":
    model = copy.copy(_bedrock_prototype())
    model.config = copy.copy(model.config)
    model.update_config(model_id=config.model_id, temperature=config.temperature)
    if config.max_tokens is not None:
        model.update_config(max_tokens=config.max_tokens)
    return model


@cache
def _bedrock_prototype() -> "BedrockModel":
    """Holds the one boto3 client; making one takes a tenth of a second."""
    import boto3.session  # noqa: PLC0415 - lazy: boto3 stays out of the start
    from botocore.config import Config  # noqa: PLC0415 - lazy: as above
    from strands.models import BedrockModel  # noqa: PLC0415 - lazy: the framework stays out of the start

    return BedrockModel(
        boto_session=boto3.session.Session(region_name=settings(AwsSettings).region),
        boto_client_config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            max_pool_connections=MAX_CONNECTIONS,
            # The framework retries what is worth retrying.
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
        model_id="unset",
        streaming=True,
    )


def _openai(config: ModelConfig, key: str) -> "Model":
    from strands.models.openai import OpenAIModel  # noqa: PLC0415 - lazy: as above

    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_tokens"] = config.max_tokens
    client = _openai_client(key, settings(ModelSettings).openai_base_url)
    return OpenAIModel(client=client, model_id=config.model_id, params=params)


@cache
def _openai_client(key: str, base_url: str | None) -> Any:
    import httpx  # noqa: PLC0415 - lazy: as above
    import openai  # noqa: PLC0415 - lazy: as above

    return openai.AsyncOpenAI(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        http_client=httpx.AsyncClient(
            timeout=httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=50),
            follow_redirects=True,
        ),
    )


def _gemini(config: ModelConfig, key: str) -> "Model":
    from strands.models.gemini import GeminiModel  # noqa: PLC0415 - lazy: as above

    params: dict[str, Any] = {"temperature": config.temperature}
    if config.max_tokens is not None:
        params["max_output_tokens"] = config.max_tokens
    return GeminiModel(client=_gemini_client(key), model_id=config.model_id, params=params)


@cache
def _gemini_client(key: str) -> Any:
    from google import genai  # noqa: PLC0415 - lazy: as above
    from google.genai import types  # noqa: PLC0415 - lazy: as above

    return genai.Client(api_key=key, http_options=types.HttpOptions(timeout=int(READ_TIMEOUT_SECONDS * 1000)))


_BUILDERS: "dict[str, Callable[[ModelConfig, str], Model]]" = {
    "bedrock": _bedrock,
    "openai": _openai,
    "gemini": _gemini,
}


class RunHalted(Exception):  # noqa: N818 - not an error of its own: it carries a Failure through the framework
    """Raised inside the framework to end a run with exactly this failure.

    No frozen dataclass: context managers on the way assign `__traceback__`.
    """

    def __init__(self, error: ErrorDetail) -> None:
        super().__init__(error.code.value)
        self.error = error


@cache
def run_errors() -> ErrorTable:
    """Everything that a run can fail with; anything else is a bug. Imports the framework."""
    import httpx  # noqa: PLC0415 - lazy: as above
    from strands.types.exceptions import (  # noqa: PLC0415 - lazy: as above
        ContextWindowOverflowException,
        EventLoopException,
        MaxTokensReachedException,
        ModelThrottledException,
    )

    def unwrapped(wrapper: EventLoopException) -> ErrorDetail | None:
        return table.classify(wrapper.original_exception)

    def after(throttling: ModelThrottledException) -> ErrorDetail:
        return _described(throttling, throttled(_retry_after(throttling.__cause__)))

    table = ErrorTable.of(
        (RunHalted, lambda halted: halted.error),
        (EventLoopException, unwrapped),
        (ModelThrottledException, after),
        (ContextWindowOverflowException, lambda e: _described(e, TOO_LONG)),
        (MaxTokensReachedException, lambda e: _described(e, CUT)),
        (httpx.TimeoutException, lambda e: _described(e, timed_out())),
        (httpx.TransportError, lambda e: _described(e, service_unavailable())),
        (json.JSONDecodeError, lambda e: _described(e, service_unavailable())),
    )
    table += _openai_errors() + _aws_errors() + _gemini_errors()
    return table


def _openai_errors() -> ErrorTable:
    import openai  # noqa: PLC0415 - lazy: as above

    return ErrorTable.of(
        (openai.APITimeoutError, lambda e: _described(e, timed_out())),
        (openai.APIConnectionError, lambda e: _described(e, service_unavailable())),
        (openai.APIStatusError, lambda e: _described(e, _by_status(e.status_code, _retry_after(e)))),
        (openai.APIError, lambda e: _described(e, service_unavailable())),
    )


def _gemini_errors() -> ErrorTable:
    from google.genai import errors  # noqa: PLC0415 - lazy: as above

    return ErrorTable.of((errors.APIError, lambda e: _described(e, _by_status(e.code, None))))


_AWS_DENIED = ("AccessDenied", "UnrecognizedClient", "ExpiredToken", "InvalidSignature", "NotAuthorized", "Incomplete")


def _aws_errors() -> ErrorTable:
    from botocore import exceptions as aws  # noqa: PLC0415 - lazy: as above

    def by_code(error: aws.ClientError) -> ErrorDetail:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        lowered = code.lower()
        if "throttl" in lowered or "toomanyrequests" in lowered:
            return _described(error, throttled())
        if code.startswith(_AWS_DENIED):
            return _described(error, DENIED)
        if "timeout" in lowered:
            return _described(error, timed_out())
        if "resourcenotfound" in lowered:
            return _described(error, UNKNOWN_MODEL)
        if "validation" in lowered:
            return _described(error, UNSUPPORTED)
        return _described(error, _by_status(status, None) if 400 <= status < 500 else service_unavailable())

    return ErrorTable.of(
        (aws.ClientError, by_code),
        (aws.ReadTimeoutError, lambda e: _described(e, timed_out())),
        (aws.ConnectTimeoutError, lambda e: _described(e, timed_out())),
        (aws.ConnectionError, lambda e: _described(e, service_unavailable())),
        (aws.HTTPClientError, lambda e: _described(e, service_unavailable())),
        (aws.NoCredentialsError, lambda e: _described(e, DENIED)),
        (aws.BotoCoreError, lambda e: _described(e, service_unavailable())),
    )


def _by_status(status: int, retry_after: int | None) -> ErrorDetail:
    match status:
        case 401 | 403:
            return DENIED
        case 404:
            return UNKNOWN_MODEL
        case 408 | 504:
            return timed_out()
        case 429:
            return throttled(retry_after)
        case _ if status < 500:
            return UNSUPPORTED
        case _:
            return service_unavailable()


def _described(exception: Exception, error: ErrorDetail) -> ErrorDetail:
    """The failure with what may be logged of its cause, which itself is left behind."""
    origin = exception.__cause__ or exception
    known = {
        "provider_error": type(origin).__qualname__,
        "provider_status": getattr(origin, "status_code", None) or getattr(origin, "code", None),
        "provider_code": _aws_code(origin),
    }
    return error.caused_by(_Quiet(), **{name: str(value) for name, value in known.items() if value})


class _Quiet(Exception):  # noqa: N818 - stands for a provider's exception in the log, without its text
    def __str__(self) -> str:
        return "the model provider failed"


def _aws_code(exception: BaseException) -> str | None:
    response = getattr(exception, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


def _retry_after(exception: BaseException | None) -> int | None:
    headers = getattr(getattr(exception, "response", None), "headers", None) or {}
    value = str(headers.get("retry-after", ""))
    return int(value) if value.isdigit() else None
