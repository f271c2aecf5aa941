"""Any conversation, produced by any sequence of turns with any providers and interruptions, gives a legal request for
each provider."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.call_input import for_model_call
from agents.config import ModelConfig, Provider
from agents.files import refused_files
from agents.history import MISSING_RESULT, drop_oldest, model_history, replace_latest_tool_result
from agents.prompt import AttachedFile, build_prompt
from agents.providers import build_model
from agents.turn.conversation import ending
from apis.shared.errors import build_conversational_error_event
from apis.shared.sessions.messages.entries import decode_entry, encode_entry
from apis.shared.sessions.models import Message
from tests.support.model_rules import illegality
from tests.support.model_server import ModelServer
from tests.unit.agents.turns import assistant, uses

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
MODEL_IDS: dict[Provider, str] = {"bedrock": "us.anthropic.claude-x", "openai": "gpt-x", "gemini": "gemini-x"}

TEXTS = st.sampled_from(["", " \n", "hi", "Nice \udcaf day", "\ud83d", "\U0001f600", "data: [DONE]", "> [a.png]"])
IDS = st.sampled_from(["t", "call_1", "call_2", "functions.t:0", "x" * 300, "", "\u00e4", "tooluse_a-b"])
TOOL_NAMES = st.sampled_from(["calculator", "1 \u00e4.b" * 40, "", "a.b", "-x"])
INPUTS = st.sampled_from([{}, {"a": "\udcaf"}, {"a": float("nan")}, [1], "x", None])
FILE_NAMES = st.sampled_from(["a.png", "a.pdf", "a.csv", "b.docx", "x" * 240 + ".pdf", "\u00e4], .txt", ".md", "a.gif"])
DATA = st.sampled_from([b"x", b"", b"\xff\xfe", b" "])
ITEMS = st.one_of(
    TEXTS.map(lambda text: {"text": text}),
    st.sampled_from([{"json": {"a": 1}}, {"json": [1]}, {"json": None}]),
    DATA.map(lambda data: {"image": {"format": "png", "source": {"bytes": data}}}),
    DATA.map(lambda data: {"document": {"format": "pdf", "name": "a_b", "source": {"bytes": data}}}),
)
REASONING = st.sampled_from(
    [
        {"reasoningContent": {"reasoningText": {"text": "think", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": b"x"}},
        {"cachePoint": {"type": "default"}},
        {"citationsContent": {"citations": [{}], "content": [{"text": "cited"}]}},
        {"SDK_UNKNOWN_MEMBER": {"name": "x"}},
    ]
)


@st.composite
def questions(draw: st.DrawFn) -> Message:
    files = [AttachedFile(name, "", data) for name, data in draw(st.lists(st.tuples(FILE_NAMES, DATA), max_size=3))]
    return {"role": "user", "content": build_prompt(draw(TEXTS), files)}


@st.composite
def tool_rounds(draw: st.DrawFn) -> list[Message]:
    """Uses and their results, as any version may have stored them: results may be missing, doubled or strange."""
    made = [
        {"toolUse": {"toolUseId": draw(IDS), "name": draw(TOOL_NAMES), "input": draw(INPUTS)}}
        for _ in range(draw(st.integers(1, 3)))
    ]
    said: list[Any] = [{"text": draw(TEXTS)}, *draw(st.lists(REASONING, max_size=2)), *made]
    answered = draw(st.lists(st.sampled_from([use["toolUse"]["toolUseId"] for use in made]), max_size=4))
    told: list[Any] = [
        {"toolResult": {"toolUseId": one, "status": "success", "content": draw(st.lists(ITEMS, max_size=3))}}
        for one in answered
    ]
    asked: Message = {"role": "assistant", "content": said}
    return [asked, {"role": "user", "content": told}] if told else [asked]


def error_text(names: list[str]) -> str:
    error = refused_files(names)
    return build_conversational_error_event(error.code, error.message).message


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """One turn: answered, failed, left by its client, or cut off by the death of its process."""
    stored: list[Message] = [
        draw(questions()),
        *(one for rounds in draw(st.lists(tool_rounds(), max_size=3)) for one in rounds),
    ]
    match draw(st.sampled_from(["answered", "failed", "refused", "left", "cut off", "cut off before its question"])):
        case "answered":
            said: list[Any] = [{"text": draw(TEXTS)}, *draw(st.lists(REASONING, max_size=1))]
            return [*stored, {"role": "assistant", "content": said}]
        case "failed":
            return [
                *stored,
                *ending(stored, user_text="hi", blocks=[{"text": "failed"}], missing_result=MISSING_RESULT),
            ]
        case "refused":
            return [*stored, assistant(error_text(draw(st.lists(FILE_NAMES, min_size=1, max_size=2))))]
        case "left":
            blocks: list[Any] = [{"text": draw(TEXTS)}, {"text": "Session stopped by user"}]
            return [*stored, *ending(stored, user_text="hi", blocks=blocks, missing_result="stopped")]
        case "cut off":
            return stored
        case _:
            return [] if draw(st.booleans()) else [uses("t"), *stored]


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    return [message for turn in draw(st.lists(turns(), max_size=14)) for message in turn]


def as_read(stored: list[Message]) -> list[Message]:
    """Through the layout of the stores, which leave out what is blank."""
    entries = [json.loads(json.dumps(encode_entry(message, n))) for n, message in enumerate(stored)]
    found = [decode_entry(entry).unwrap() for entry in entries]
    return [one.message for one in found if one is not None]


@pytest.fixture
async def formatters(provider: ModelServer) -> dict[Provider, Any]:
    return {
        one: (await build_model(ModelConfig(model_id=MODEL_IDS[one], provider=one))).unwrap().model for one in MODEL_IDS
    }


def request(model: Any, provider: Provider, messages: list[Any]) -> Any:
    """As the framework and the client library would send it."""
    if provider == "gemini":
        contents = model._format_request(messages, None, None, {})["contents"]
        return {"contents": [{**one, "parts": [_camel(part) for part in one["parts"]]} for one in contents]}
    return json.loads(json.dumps(model.format_request(messages), default=_encoded))


def _camel(part: dict[str, Any]) -> dict[str, Any]:
    return {re.sub("_([a-z])", lambda found: found[1].upper(), name): value for name, value in part.items()}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(stored=conversations(), prompt=questions(), overflows=st.integers(0, 3), remembered=st.booleans())
def test_any_conversation_gives_a_legal_request(
    formatters: dict[Provider, Any], stored: list[Message], prompt: Message, overflows: int, remembered: bool
) -> None:
    before = repr(stored)
    read = as_read(stored)
    for provider, model in formatters.items():
        messages: list[Any] = [*model_history(read), prompt]
        for _ in range(overflows):
            _ = replace_latest_tool_result(messages) or drop_oldest(messages)
        config = ModelConfig(model_id=MODEL_IDS[provider], provider=provider)
        call = for_model_call(messages, config=config, memory_context="likes python" if remembered else None)
        assert illegality(provider, request(model, provider, call.messages)) is None
        for file in call.files:
            block = call.messages[file.message]["content"][file.position]
            assert file.kind in block or "toolResult" in block
    assert repr(stored) == before
