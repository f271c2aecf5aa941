"""Amazon Bedrock."""

import asyncio
import copy
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import boto3.session
from botocore import exceptions as aws
from botocore.config import Config
from strands.models import BedrockModel
from strands.types.streaming import StreamEvent
from urllib3 import exceptions as connection

from agents.cache_mark import note_refusal, without_mark
from agents.config import ModelConfig
from agents.failures import (
    CONNECT_TIMEOUT_SECONDS,
    DENIED,
    MAX_CONNECTIONS,
    NO_CACHING,
    READ_TIMEOUT_SECONDS,
    STOPPED,
    UNKNOWN_MODEL,
    UNSUPPORTED,
    RunHalted,
    described,
    refused,
    throttled,
)
from agents.providers.answer import (
    ANSWERED,
    ASKS_FOR_TOOLS,
    OUT_OF_TOKENS,
    STOPPED_BY_FILTER,
    UNREADABLE_TOOL_CALL,
    Chunk,
    End,
    Ends,
)
from agents.providers.framework import answered
from apis.shared.errors import ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_stream
from apis.shared.settings import AwsSettings, settings
from apis.shared.wiring import once

_DENIED = (
    "accessdenied",
    "expiredtoken",
    "incompletesignature",
    "invalidsignature",
    "missingauthentication",
    "notauthorized",
    "unauthorized",
    "unrecognizedclient",
)


def _by_code(error: aws.ClientError) -> ErrorDetail:
    """By name: an error inside a stream has the status 400, whatever it is."""
    details = error.response.get("Error", {})
    code, text = details.get("Code", "").lower(), details.get("Message", "")
    if "throttl" in code or "toomanyrequests" in code or "quotaexceeded" in code:
        return throttled()
    if code.startswith(_DENIED):
        return DENIED
    if "timeout" in code:
        return timed_out()
    if "notfound" in code or "model identifier is invalid" in text:
        return UNKNOWN_MODEL
    if "validation" in code:
        return refused(400, text)
    return service_unavailable()


ERRORS = ErrorTable.of(
    (aws.ClientError, lambda e: described(e, _by_code(e))),
    (aws.ReadTimeoutError, lambda e: described(e, timed_out())),
    (aws.ConnectTimeoutError, lambda e: described(e, timed_out())),
    (aws.NoCredentialsError, lambda e: described(e, DENIED)),
    (aws.PartialCredentialsError, lambda e: described(e, DENIED)),
    (aws.ParamValidationError, lambda e: described(e, UNSUPPORTED)),
    (aws.BotoCoreError, lambda e: described(e, service_unavailable())),
    # A stream is read past the SDK's own translation.
    (connection.TimeoutError, lambda e: described(e, timed_out())),
    (connection.HTTPError, lambda e: described(e, service_unavailable())),
)

_RAISED_AGAIN = ErrorTable.of((Exception, internal_error))


# A word that says nothing, or that nobody has heard of yet, is no end of an answer.
ENDS: Ends = {
    "end_turn": ANSWERED,
    "tool_use": ASKS_FOR_TOOLS,
    "max_tokens": OUT_OF_TOKENS,
    "model_context_window_exceeded": OUT_OF_TOKENS,
    "stop_sequence": End("stop_sequence"),
    # What a guardrail says in the place of the answer is the answer.
    "guardrail_intervened": End("guardrail_intervened"),
    "content_filtered": STOPPED_BY_FILTER,
    "malformed_tool_use": UNREADABLE_TOOL_CALL,
    "malformed_model_output": End(failure=STOPPED),
}


class _Model(BedrockModel):
    """Reads each stream in a thread of its own.

    The framework reads in the event loop's default executor: that has six threads on two cores, so the seventh user
    waits; and a stream that hangs keeps its thread, and the process that wants to stop, for two minutes.
    """

    async def stream(
        self,
        messages: Any,
        tool_specs: Any = None,
        system_prompt: str | None = None,
        *,
        tool_choice: Any = None,
        system_prompt_content: Any = None,
        **kwargs: Any,
    ) -> AsyncGenerator[StreamEvent]:
        system = system_prompt_content or ([{"text": system_prompt}] if system_prompt else None)
        further = (tool_specs, system, tool_choice, kwargs.get("dynamic_trailing_blocks", 0))
        unmarked = without_mark(messages)
        refused_mark = ErrorTable.of((RunHalted, lambda halted: halted.error if halted.error == NO_CACHING else None))
        first = attempt_stream(
            self._answered, messages, *further, errors=refused_mark if unmarked is not None else ErrorTable.of()
        )
        async with aclosing(first) as items:
            async for item in items:
                match item:
                    case Success(chunk):
                        yield chunk
                    case Failure(_):
                        note_refusal(str(self.config["model_id"]))
                        async with aclosing(self._answered(unmarked, *further)) as again:
                            async for chunk in again:
                                yield chunk

    def _answered(self, messages: Any, *further: Any) -> AsyncGenerator[StreamEvent]:
        return answered(lambda: self._chunks(messages, *further), ends=ENDS, errors=ERRORS, messages=messages)

    async def _chunks(self, *given: Any) -> AsyncGenerator[Chunk]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Result[StreamEvent | None, ErrorDetail]] = asyncio.Queue()
        stopped = threading.Event()

        def publish(item: Result[StreamEvent | None, ErrorDetail]) -> None:
            if not stopped.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def publish_event(event: StreamEvent | None = None) -> None:
            if event is not None:
                publish(Success(event))

        def read() -> None:
            publish(attempt(self._stream, publish_event, *given, stopped, errors=_RAISED_AGAIN))

        threading.Thread(target=read, name="bedrock-stream", daemon=True).start()
        try:
            while (event := _value(await queue.get())) is not None:
                yield event
        finally:
            # The thread closes the response when it next looks, at the latest after the read time-out.
            stopped.set()


def _value(item: Result[StreamEvent | None, ErrorDetail]) -> StreamEvent | None:
    """Raises what the framework's reader raised: the framework knows what to do with its own exceptions."""
    match item:
        case Failure(error):
            assert error.cause is not None  # noqa: S101 - `_RAISED_AGAIN` keeps it
            raise error.cause
        case Success(event):
            return event


def build(config: ModelConfig, _: str) -> BedrockModel:
    model = copy.copy(_prototype())
    model.config = copy.copy(model.config)
    model.update_config(model_id=config.model_id, temperature=config.temperature)
    if config.max_tokens is not None:
        model.update_config(max_tokens=config.max_tokens)
    return model


@once
def _prototype() -> _Model:
    """Holds the one boto3 client; making one takes a tenth of a second."""
    return _Model(
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
