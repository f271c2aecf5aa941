"""The bytes of the event stream, against recorded transcripts: event names, members and their order, and framing.

Only times, costs, texts of errors and the session id vary, and are written `<ms>`, `<cost>`, `<message>`, `<session>`.
"""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.model_server import Reply, events
from tests.support.platform import CLAUDE, Platform

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def text(index: int, *fragments: str) -> list[dict[str, Any]]:
    return [{"contentBlockDelta": {"contentBlockIndex": index, "delta": {"text": one}}} for one in fragments]


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def thought(**content: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": content}}}


def tool_input(*fragments: str) -> list[dict[str, Any]]:
    return [{"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": one}}}} for one in fragments]


def call(*blocks: dict[str, Any], used: tuple[int, int] = (10, 5), reason: str = "end_turn") -> Reply:
    counters = {"inputTokens": used[0], "outputTokens": used[1], "totalTokens": sum(used)}
    return events(
        {"messageStart": {"role": "assistant"}},
        *blocks,
        {"messageStop": {"stopReason": reason}},
        {"metadata": {"usage": counters, "metrics": {"latencyMs": 420}}},
    )


USE = {"toolUse": {"toolUseId": "tooluse_1", "name": "calculator"}}
CALCULATOR_CALL = [
    *text(0, "Let me compute."),
    stop(0),
    {"contentBlockStart": {"contentBlockIndex": 1, "start": USE}},
    *tool_input('{"expressi', 'on": "2+2"}'),
    stop(1),
]
THOUGHTS = [thought(text="Think"), thought(text=" hard"), thought(signature="sig=="), stop(0)]
DENIED = {"status": 403, "headers": {"x-amzn-ErrorType": "AccessDeniedException"}, "body": {"message": "no"}}
BROKEN = {"steps": [*events({"messageStart": {"role": "assistant"}}, *text(0, "Hel", "lo"))["steps"], {"reset": True}]}

RECORDED: dict[str, list[Reply]] = {
    "plain": [call(*text(0, "Hel", "lo"), stop(0))],
    "tool": [
        call(*CALCULATOR_CALL, used=(20, 7), reason="tool_use"),
        call(*text(0, "It is 4"), stop(0), used=(40, 9)),
    ],
    "reasoning": [call(*THOUGHTS, *text(1, "Forty-two."), stop(1))],
    "error_before_the_first_token": [DENIED],
    "error_in_mid_stream": [BROKEN],
}


@pytest.mark.parametrize("name", RECORDED)
async def test_the_stream_is_what_was_recorded(files: Platform, name: str) -> None:
    session_id = str(uuid4())
    files.model.reset()
    files.model.script(*RECORDED[name])

    answered = await files.inference.post(
        "/invocations",
        json={"session_id": session_id, "message": "hi", "model_id": CLAUDE, "enabled_tools": ["calculator"]},
    )

    recorded = (TRANSCRIPTS / f"{name}.sse").read_text(encoding="utf-8")
    assert varied(answered.text, session_id) == recorded


def test_every_transcript_is_tested() -> None:
    assert {path.stem for path in TRANSCRIPTS.iterdir()} == RECORDED.keys()


def varied(stream: str, session_id: str) -> str:
    stream = stream.replace(session_id, "<session>")
    stream = stream.replace("event: ping\ndata: {}\n\n", "")  # a busy machine keeps the stream alive
    stream = re.sub(r'"(latencyMs|timeToFirstByteMs)": \d+', r'"\1": <ms>', stream)
    stream = re.sub(r'"cost": [\d.e-]+', '"cost": <cost>', stream)
    return re.sub(r'"(text|message)": "\\u26a0\\ufe0f[^"]*"', r'"\1": "<message>"', stream)
