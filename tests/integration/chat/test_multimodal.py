"""The stub for old clients, byte for byte."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import USER_ID, Platform, inline_file

TRANSCRIPT = Path(__file__).with_name("multimodal.sse")


async def test_a_message_is_repeated_word_by_word(tables: Platform) -> None:
    files = [inline_file("a.pdf", "application/pdf", b"x"), inline_file("my b.png", "image/png", b"y")]
    body = {"session_id": "s1", "message": "Grüße,  you", "files": files}
    with tables.proxy.recording(containing=USER_ID) as recording:
        answer = await tables.ask(tables.user, "POST", "/chat/multimodal", body)
    assert answer.status_code == 200
    assert answer.content == TRANSCRIPT.read_bytes()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert "x-session-id" not in answer.headers
    assert recording.calls == []


async def test_without_files_none_are_named(tables: Platform) -> None:
    answer = await tables.ask(tables.user, "POST", "/chat/multimodal", {"session_id": "s1", "message": "hi"})
    assert '"file_count": 0' in answer.text
    assert "file(s)" not in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"session_id": "../evil", "message": "x"}, "body.session_id"),
        ({"session_id": "s1", "message": " "}, "body.message"),
        ({"session_id": "s1"}, "body.message"),
    ],
)
async def test_what_makes_no_sense(tables: Platform, body: dict[str, Any], field: str) -> None:
    answer = await tables.ask(tables.user, "POST", "/chat/multimodal", body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
