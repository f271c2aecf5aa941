"""What real model servers send and refuse, on the wire of a turn, in both stores, and for the turn after it."""

import base64
import json
from typing import Any

import pytest

from tests.support.chat_client import ERROR_SEQUENCE
from tests.support.model_server import ModelServer, Reply, answer, refusal, tool_call
from tests.support.openai_bytes import DONE, U, call, counted, d, sent, sse
from tests.support.platform import Platform, inline_file

PNG, PDF = b"\x89PNG no image", b"%PDF-1.7 x"
SUM = json.dumps({"expression": "6*7"})
HALF = d({"content": "The three steps are: first"})
TEXT = d({"content": "Hi"})
CALL = d(call(SUM, index=0, id="t1"))
CALCULATOR: dict[str, Any] = {"enabled_tools": ["calculator"]}


async def goes_on(platform: Platform, model: ModelServer, session_id: str, *, stored: int) -> Any:
    """The next turn is answered and stored behind `stored` messages; what was sent."""
    model.reset()
    turn = await platform.chat(session_id, "and now?")
    assert turn.shown[-1].text == "Hello world."
    assert len(await platform.messages(session_id)) == stored + 2
    return model.calls[0]


FAILED: dict[str, Reply] = {
    "E1 abort": sent(HALF, d({}, "abort"), U, DONE),
    "E1 invented": sent(HALF, d({}, "an invented word"), U, DONE),
    "E5 no name": sent(d(call(None, index=0, id="t1", function={"arguments": SUM}), "tool_calls"), U, DONE),
    "E7 a mere end": sent(TEXT),
}


@pytest.mark.parametrize("case", FAILED)
async def test_an_end_that_is_none(platform: Platform, model: ModelServer, session_id: str, case: str) -> None:
    model.script(FAILED[case])
    turn = await platform.chat(session_id, **CALCULATOR)
    assert turn.names[-len(ERROR_SEQUENCE) :] == ERROR_SEQUENCE
    assert turn.error["code"] in {"model_error", "service_unavailable"}
    assert [one.stop_reason for one in turn.shown] == [None, "error"]
    assert len(model.calls) == 1
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
    await goes_on(platform, model, session_id, stored=2)


ANSWERED: dict[str, tuple[Reply, str, int]] = {
    "E5 no call": (sent(TEXT, d({}, "tool_calls"), U, DONE), "Hi", 15),
    "E7 done": (sent(TEXT, DONE), "Hi", 0),
    "E8 refusal": (
        sent(d({"refusal": "I can't help with that."}), d({}, "stop"), U, DONE),
        "I can't help with that.",
        15,
    ),
    "E9 words of the end": (
        {
            "steps": [
                {"raw": d({"content": "data: [DONE]"})},
                {"pause_ms": 300},
                {"raw": TEXT + d({}, "stop") + U + DONE},
                {"truncate": True},
            ]
        },
        "data: [DONE]Hi",
        15,
    ),
    "C3 usage on the finish chunk": (sent(TEXT, d({}, "stop", usage=counted()), sse(choices=[]), DONE), "Hi", 15),
    "C4 a null": (sent(TEXT, d({}, "stop"), sse(choices=[], usage=counted(completion_tokens=None)), DONE), "Hi", 15),
    "C5 no delta": (sent(sse(choices=[{"index": 0}]), TEXT, d(None, "stop"), U, DONE), "Hi", 15),
    "C9 half a character": (sent(d({"content": "Nice \udcaf day"}), d({}, "stop"), U, DONE), "Nice  day", 15),
    "empty": (answer(), "(The model gave no answer.)", 15),
}


@pytest.mark.parametrize("case", ANSWERED)
async def test_a_complete_answer(platform: Platform, model: ModelServer, session_id: str, case: str) -> None:
    reply, text, total = ANSWERED[case]
    model.script(reply)
    turn = await platform.chat(session_id)
    assert (turn.names[-1], turn.of("stream_error")) == ("done", [])
    assert [(one.text, one.stop_reason) for one in turn.shown] == [(text, "end_turn")]
    assert turn.total["usage"]["totalTokens"] == total
    assert len(model.calls) == 1
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", [text])]
    await goes_on(platform, model, session_id, stored=2)


CALLED: dict[str, tuple[Reply, list[str]]] = {
    "E5 no id": (sent(d(call(SUM, index=0), "tool_calls"), U, DONE), ["Result: 42"]),
    "E6 stop": (sent(CALL, d({}, "stop"), U, DONE), ["Result: 42"]),
    "E6 usage alone": (sent(CALL, U, DONE), ["Result: 42"]),
    "C1 one index": (
        sent(CALL, d(call(SUM.replace("7", "8"), index=0, id="t2")), d({}, "tool_calls"), U, DONE),
        ["Result: 42", "Result: 48"],
    ),
    "C2 one id": (
        sent(CALL, d(call(SUM.replace("7", "8"), index=1, id="t1")), d({}, "tool_calls"), U, DONE),
        ["Result: 42", "Result: 48"],
    ),
    "C7 an object": (
        sent(d(call({"expression": "6*7"}, index=0, id="t1")), d({}, "tool_calls"), U, DONE),
        ["Result: 42"],
    ),
}


@pytest.mark.parametrize("case", CALLED)
async def test_tool_calls(platform: Platform, model: ModelServer, session_id: str, case: str) -> None:
    reply, results = CALLED[case]
    model.script(reply)
    turn = await platform.chat(session_id, **CALCULATOR)
    assert (turn.names[-1], turn.of("stream_error")) == ("done", [])
    assert [one.stop_reason for one in turn.shown] == ["tool_use", "end_turn"]
    told = [use.result["content"][0]["text"] for use in turn.shown[0].tools if use.result is not None]
    assert told == results
    assert [message["role"] for message in await platform.messages(session_id)] == ["user", "assistant"] * 2
    assert len(model.calls) == 2
    await goes_on(platform, model, session_id, stored=4)


async def test_a_model_that_never_stops_asking(platform: Platform, model: ModelServer, session_id: str) -> None:
    model.script(*[tool_call((f"t{n}", "calculator", {"expression": "1"})) for n in range(60)])
    turn = await platform.chat(session_id, **CALCULATOR)
    assert (turn.error["code"], turn.error["recoverable"], len(model.calls)) == ("agent_error", False, 50)
    assert "limit" in turn.error["message"]
    await goes_on(platform, model, session_id, stored=102)


async def test_a_file_that_the_model_refuses(platform: Platform, model: ModelServer, session_id: str) -> None:
    """H3"""
    model.script(refusal(400, message="You uploaded an unsupported image."))
    turn = await platform.chat(session_id, "look", files=[inline_file("broken.png", "image/png", PNG)])
    assert (turn.error["code"], "[broken.png]" in turn.error["message"]) == ("model_error", True)
    request = await goes_on(platform, model, session_id, stored=2)
    assert base64.b64encode(PNG).decode() not in json.dumps(request)
    stored = (await platform.messages(session_id))[0]["content"]
    assert stored[1]["image"]["data"] == base64.b64encode(PNG).decode()


async def test_an_empty_file(platform: Platform, model: ModelServer, session_id: str) -> None:
    """H4"""
    for members in (
        {"files": [inline_file("empty.pdf", "application/pdf", b"")]},
        {"file_upload_ids": [platform.upload(session_id, "empty.pdf", "application/pdf", b"")]},
    ):
        turn = await platform.chat(session_id, "look", **members)
        assert (turn.status, turn.body["code"]) == (422, "validation_error")
        assert "empty.pdf" in turn.body["message"]
    assert model.calls == []


async def test_documents_that_a_provider_does_not_take(platform: Platform, model: ModelServer, session_id: str) -> None:
    """H5"""
    turn = await platform.chat(session_id, "look", files=[inline_file("a.csv", "text/csv", b"x;y\n1;2\n")])
    assert turn.shown[-1].text == "Hello world."
    assert "x;y\\n1;2" in json.dumps(model.calls[0])
    model.reset()
    turn = await platform.chat(session_id, "look", files=[inline_file("b.docx", "", b"PK")])
    assert (turn.error["code"], "[b.docx]" in turn.error["message"]) == ("model_error", True)
    assert model.calls == []
    await goes_on(platform, model, session_id, stored=4)
