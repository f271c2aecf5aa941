"""What a user is told when a provider fails, and that neither the text nor the log quotes it."""

import asyncio
from typing import Any

import pytest

from agents.failures import CUT, DENIED, NO_CACHING, TOO_LONG, UNKNOWN_MODEL, UNSUPPORTED, throttled
from apis.shared.errors import ErrorCode, ErrorDetail, build_conversational_error_event
from tests.support.model_server import ModelServer, Reply, answer, refusal, tool_call, usage
from tests.unit.agents.turns import BEDROCK_CLAUDE, Conversation, assistant, failure, results, summary, turn, user, uses

GEMINI = "gemini-2.5-flash"
SECRET = "key sk-secret of arn:aws:iam::1:role/x, asked: my diary"  # what providers like to quote
CUT_SHORT: tuple[Any, ...] = ({"reset": True}, {"close": True}, {"truncate": True})


def bedrock_refusal(status: int, code: str, message: str = SECRET) -> Reply:
    return {"status": status, "headers": {"x-amzn-ErrorType": code}, "body": {"message": message}}


def bedrock_failure(code: str, message: str = SECRET) -> Reply:
    return {"steps": [{"event": {"messageStart": {"role": "assistant"}}}, {"exception": [code, message]}]}


def gemini_refusal(status: int, name: str, message: str = SECRET) -> Reply:
    return {"status": status, "body": {"error": {"code": status, "message": message, "status": name}}}


def told(error: ErrorDetail) -> tuple[ErrorCode, bool, int | None]:
    return (error.code, error.recoverable, error.retry_after)


NOT_RECOVERABLE = (ErrorCode.MODEL_ERROR, False, None)
UNAVAILABLE = (ErrorCode.SERVICE_UNAVAILABLE, True, None)
TIMED_OUT = (ErrorCode.TIMEOUT, True, None)


@pytest.mark.parametrize(
    ("model_id", "reply", "expected", "message"),
    [
        ("gpt-x", refusal(401, message=SECRET), NOT_RECOVERABLE, DENIED.message),
        ("gpt-x", refusal(403, message=SECRET), NOT_RECOVERABLE, DENIED.message),
        ("gpt-x", refusal(404, message=SECRET), NOT_RECOVERABLE, UNKNOWN_MODEL.message),
        ("gpt-x", refusal(400, message=SECRET), NOT_RECOVERABLE, UNSUPPORTED.message),
        ("gpt-x", refusal(422, message=SECRET), NOT_RECOVERABLE, UNSUPPORTED.message),
        ("gpt-x", refusal(413, message=SECRET), NOT_RECOVERABLE, TOO_LONG.message),
        ("gpt-x", refusal(400, message="The model gpt-x does not exist"), NOT_RECOVERABLE, UNKNOWN_MODEL.message),
        ("gpt-x", refusal(400, code="context_length_exceeded"), NOT_RECOVERABLE, TOO_LONG.message),
        ("gpt-x", refusal(408, message=SECRET), TIMED_OUT, None),
        ("gpt-x", refusal(500, message=SECRET), UNAVAILABLE, None),
        ("gpt-x", refusal(502, message=SECRET), UNAVAILABLE, None),
        ("gpt-x", refusal(503, message=SECRET), UNAVAILABLE, None),
        ("gpt-x", {"steps": [{"reset": True}]}, UNAVAILABLE, None),
        ("gpt-x", {"steps": [{"raw": "data: {not json\n\n"}]}, UNAVAILABLE, None),
        ("gpt-x", {"steps": [{"raw": 'data: {"error": {"message": "x", "code": "y"}}\n\n'}]}, UNAVAILABLE, None),
        *[("gpt-x", {"steps": [{"text": "Hel"}, end]}, UNAVAILABLE, None) for end in CUT_SHORT],
        ("gpt-x", answer("Hel", finish="length"), NOT_RECOVERABLE, CUT.message),
        (BEDROCK_CLAUDE, bedrock_refusal(403, "AccessDeniedException"), NOT_RECOVERABLE, DENIED.message),
        (BEDROCK_CLAUDE, bedrock_refusal(403, "UnrecognizedClientException"), NOT_RECOVERABLE, DENIED.message),
        (BEDROCK_CLAUDE, bedrock_refusal(404, "ResourceNotFoundException"), NOT_RECOVERABLE, UNKNOWN_MODEL.message),
        (
            BEDROCK_CLAUDE,
            bedrock_refusal(400, "ValidationException", "The provided model identifier is invalid."),
            NOT_RECOVERABLE,
            UNKNOWN_MODEL.message,
        ),
        (BEDROCK_CLAUDE, bedrock_refusal(400, "ValidationException"), NOT_RECOVERABLE, UNSUPPORTED.message),
        (
            BEDROCK_CLAUDE,
            bedrock_refusal(400, "ValidationException", "You invoked an unsupported model: cachePoint"),
            NOT_RECOVERABLE,
            NO_CACHING.message,
        ),
        (
            BEDROCK_CLAUDE,
            bedrock_refusal(400, "ValidationException", "Input is too long for requested model."),
            NOT_RECOVERABLE,
            TOO_LONG.message,
        ),
        (BEDROCK_CLAUDE, bedrock_refusal(408, "ModelTimeoutException"), TIMED_OUT, None),
        (BEDROCK_CLAUDE, bedrock_refusal(424, "ModelErrorException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_refusal(500, "InternalServerException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_refusal(503, "ServiceUnavailableException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_failure("internalServerException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_failure("modelStreamErrorException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_failure("serviceUnavailableException"), UNAVAILABLE, None),
        (BEDROCK_CLAUDE, bedrock_failure("validationException"), NOT_RECOVERABLE, UNSUPPORTED.message),
        (BEDROCK_CLAUDE, {"steps": [{"reset": True}]}, UNAVAILABLE, None),
        *[
            (
                BEDROCK_CLAUDE,
                {"steps": [{"event": {"contentBlockDelta": {"delta": {"text": "Hel"}, "contentBlockIndex": 0}}}, end]},
                UNAVAILABLE,
                None,
            )
            for end in CUT_SHORT
        ],
        (GEMINI, gemini_refusal(403, "PERMISSION_DENIED"), NOT_RECOVERABLE, DENIED.message),
        (GEMINI, gemini_refusal(404, "NOT_FOUND"), NOT_RECOVERABLE, UNKNOWN_MODEL.message),
        (GEMINI, gemini_refusal(400, "INVALID_ARGUMENT"), NOT_RECOVERABLE, UNSUPPORTED.message),
        (
            GEMINI,
            gemini_refusal(400, "INVALID_ARGUMENT", "input exceeds the maximum number of tokens"),
            NOT_RECOVERABLE,
            TOO_LONG.message,
        ),
        (GEMINI, gemini_refusal(500, "INTERNAL"), UNAVAILABLE, None),
        (GEMINI, gemini_refusal(504, "DEADLINE_EXCEEDED"), TIMED_OUT, None),
        (GEMINI, {"steps": [{"reset": True}]}, UNAVAILABLE, None),
        *[(GEMINI, {"steps": [{"text": "Hel"}, end]}, UNAVAILABLE, None) for end in CUT_SHORT],
    ],
)
async def test_a_failure_of_the_provider(
    provider: ModelServer,
    caplog: pytest.LogCaptureFixture,
    model_id: str,
    reply: Reply,
    expected: tuple[ErrorCode, bool, int | None],
    message: str | None,
) -> None:
    provider.script(reply)
    error = failure(await turn(model_id=model_id))
    assert told(error) == expected
    if message is not None:
        assert error.message == message
    assert error.context["provider_error"]
    quoted = f"{error!r} {error.context} {error.cause} {error.cause!r} {caplog.text}"
    for secret in ("sk-secret", "arn:aws", "diary"):
        assert secret not in quoted
    assert len(provider.requests) == 1


async def test_a_provider_that_cannot_be_reached(
    provider: ModelServer, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    from apis.shared.wiring import forget_all

    for name in ("OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    forget_all()
    for model_id in ("gpt-x", BEDROCK_CLAUDE, GEMINI):
        assert told(failure(await turn(model_id=model_id))) == UNAVAILABLE


@pytest.mark.parametrize(("model_id", "module"), [("gpt-x", "openai"), (BEDROCK_CLAUDE, "bedrock"), (GEMINI, "gemini")])
@pytest.mark.parametrize("steps", [[{"hang": True}], [{"text": "Hel"}, {"hang": True}]])
async def test_a_provider_that_does_not_go_on(
    provider: ModelServer, monkeypatch: pytest.MonkeyPatch, model_id: str, module: str, steps: list[Any]
) -> None:
    from apis.shared.wiring import forget_all

    monkeypatch.setattr(f"agents.providers.{module}.READ_TIMEOUT_SECONDS", 0.3)
    forget_all()
    provider.script({"steps": steps})
    assert told(failure(await turn(model_id=model_id))) == TIMED_OUT


@pytest.mark.parametrize(
    ("model_id", "reply", "retry_after"),
    [
        ("gpt-x", refusal(429, retry_after=7), 7),
        (BEDROCK_CLAUDE, bedrock_refusal(429, "ThrottlingException"), None),
        (BEDROCK_CLAUDE, bedrock_failure("throttlingException"), None),
        (GEMINI, gemini_refusal(429, "RESOURCE_EXHAUSTED"), None),
    ],
)
async def test_a_throttled_model_is_asked_six_times(
    provider: ModelServer, model_id: str, reply: Reply, retry_after: int | None
) -> None:
    provider.script(*[reply] * 6)
    error = failure(await turn(model_id=model_id))
    assert told(error) == (ErrorCode.MODEL_ERROR, True, retry_after)
    assert len(provider.requests) == 6


async def test_the_waits_between_are_4_8_16_32_64_seconds(
    provider: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODEL_RETRY_DELAY_SECONDS")
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        if seconds >= 1:
            waits.append(seconds)
        await sleep(0 if seconds >= 1 else seconds)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    provider.script(*[refusal(429)] * 6)
    assert failure(await turn()).code is ErrorCode.MODEL_ERROR
    assert waits == [4, 8, 16, 32, 64]


async def test_after_throttling_the_turn_goes_on_as_if_nothing_had_happened(provider: ModelServer) -> None:
    provider.script(refusal(429), refusal(429), answer("Hi", counted=usage(3, 1)))
    conversation = Conversation()
    items = await turn(conversation)
    assert len(summary(items).calls) == 1
    assert conversation.messages == [user("hi"), assistant("Hi")]


async def test_an_overflow_drops_the_oldest_messages_of_the_model_not_of_the_store(provider: ModelServer) -> None:
    overflow = refusal(400, code="context_length_exceeded")
    provider.script(overflow, overflow, overflow, answer("Hi"))
    large = results("t1")
    large["content"][0]["toolResult"]["content"] = [{"text": "x" * 1_000}]
    history = [user("a"), uses("t1"), large, assistant("b"), user("c"), assistant("d")]
    conversation = Conversation()
    assert summary(await turn(conversation, history=history))
    sent = [[(message["role"], message.get("content")) for message in body["messages"][1:]] for body in provider.calls]
    assert [len(one) for one in sent] == [7, 7, 3, 1]
    assert sent[1][2] == ("tool", "The tool result was too large.")
    assert conversation.messages == [user("hi"), assistant("Hi")]


async def test_a_message_that_is_too_long_by_itself_fails_at_once(provider: ModelServer) -> None:
    provider.script(refusal(400, code="context_length_exceeded"))
    assert failure(await turn()).message == TOO_LONG.message
    assert len(provider.requests) == 1


async def test_a_failure_after_a_tool_keeps_what_was_done(provider: ModelServer) -> None:
    provider.script(tool_call(("t1", "calculator", {"expression": "1"})), refusal(500))
    conversation = Conversation()
    items = await turn(conversation, tools=["calculator"])
    assert told(failure(items)) == UNAVAILABLE
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "user"]


async def test_an_answer_cut_at_the_token_limit_is_stored_as_far_as_it_came(provider: ModelServer) -> None:
    provider.script(answer("Half an ans", finish="length"))
    conversation = Conversation()
    failure(await turn(conversation))
    assert conversation.messages == [user("hi"), assistant("Half an ans")]


async def test_a_server_that_names_no_finish_reason_but_counts_has_answered(provider: ModelServer) -> None:
    provider.script({"steps": [{"text": "Hi"}, usage()]})
    assert summary(await turn())


@pytest.mark.parametrize(
    ("error", "headline"),
    [
        (DENIED, "I don't have access to this model."),
        (throttled(), "The model is receiving too many requests right now."),
        (NO_CACHING, "This model does not support prompt caching."),
        (TOO_LONG, "The conversation is too long for this model."),
        (CUT, "The conversation is too long for this model."),
        (UNSUPPORTED, "This model cannot handle the request."),
        (UNKNOWN_MODEL, "This model cannot handle the request."),
    ],
)
def test_each_sentence_gets_its_advice(error: ErrorDetail, headline: str) -> None:
    assert headline in build_conversational_error_event(error.code, error.message).message
