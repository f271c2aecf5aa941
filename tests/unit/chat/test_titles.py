"""What is taken of a model's answer as the title of a conversation."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.app_api.chat import service
from apis.app_api.chat.schemas import ChatRequest
from apis.app_api.chat.titles import title_of
from apis.shared.auth import User


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ('"Exam Prep"', "Exam Prep"),
        ("\u201cExam Prep\u201d", "Exam Prep"),
        ("**Exam Prep**", "Exam Prep"),
        ("# Exam Prep", "Exam Prep"),
        ("Title: Exam Prep.", "Exam Prep"),
        ("**Title:** Exam Prep", "Exam Prep"),
        ('**Title: "Exam Prep".**', "Exam Prep"),
        ("\n\n  Exam Prep\nBecause you asked", "Exam Prep"),
        ("<thinking>They want\nexams.</thinking>Exam Prep", "Exam Prep"),
        ("<thinking>They want exams", ""),
        ("[]", "[]"),
        ("", ""),
        (" \t\n", ""),
        ("To be continued...", "To be continued..."),
        ('What\'s New in "Python"', 'What\'s New in "Python"'),
        ("Exam\tPrep\x07", "Exam Prep"),
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 47 + "..."),
        ("y" * 46 + "\ud83d" + "z" * 10, "y" * 46 + "z..."),
        ("I cannot help with that request.", "I cannot help with that request"),
    ],
)
def test_n1_and_n2_the_first_line_without_what_stands_around_it(answer: str, title: str) -> None:
    assert title_of(answer) == title


def test_n2_no_emoji_is_left_open() -> None:
    title = title_of("\U0001f469\u200d" * 60)
    assert len(title) <= 50
    assert not title.removesuffix("...").endswith("\u200d")


@given(st.text())
def test_a_title_is_one_short_line(answer: str) -> None:
    title = title_of(answer)
    assert len(title) <= 50
    assert title == "" or len(title.splitlines()) == 1
    title.encode()


async def test_f_chat_37_what_takes_too_long_to_repeat_ends_with_an_error_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "MAX_WORDS", 3)
    monkeypatch.setattr(service, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(service, "FIRST_PAUSE_SECONDS", 0)
    user = User(user_id="1", email="", name="", roles=[])
    frames = service.echo(user, ChatRequest(session_id="s1", message="one two three")).unwrap()
    shown = [frame async for frame in frames]
    assert len(shown) == 5
    assert shown[-1].startswith(b'data: {"type": "error", "content": "')
    await asyncio.sleep(0)
