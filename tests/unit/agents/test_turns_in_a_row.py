"""Turns in a row over real HTTP, with any provider, any of the unusual answers, failures and hang-ups: no provider ever
gets an illegal request, and the last turns are answered."""

import random
from typing import Any

import pytest

from agents.prompt import AttachedFile, build_prompt
from agents.turn.conversation import ending
from apis.shared.errors import build_conversational_error_event
from apis.shared.result import Failure, Success
from tests.support.model_server import ModelServer, Reply, answer, events, gemini_text, refusal
from tests.unit.agents import test_ends_of_answers as ends
from tests.unit.agents import test_unusual_chunks as chunks
from tests.unit.agents.test_failures import gemini_refusal
from tests.unit.agents.turns import BEDROCK_CLAUDE, Conversation, bedrock_answer, built

GEMINI = "gemini-2.5-flash"
SAID: dict[str, Reply] = {
    "gpt-x": answer("k"),
    BEDROCK_CLAUDE: bedrock_answer("k"),
    GEMINI: events(gemini_text("k", "STOP")),
}
REFUSED = "Could not process image"
REFUSALS: list[tuple[str, Reply]] = [
    ("gpt-x", refusal(400, message=REFUSED)),
    (
        BEDROCK_CLAUDE,
        {"status": 400, "headers": {"x-amzn-ErrorType": "ValidationException"}, "body": {"message": REFUSED}},
    ),
    (GEMINI, gemini_refusal(400, "INVALID_ARGUMENT", REFUSED)),
    ("gpt-x", {"steps": [{"text": "Hel"}, {"reset": True}]}),
]
REPLIES: list[tuple[str, Reply]] = [
    *((model_id, reply) for _, model_id, reply, _ in ends.FAILED_ENDS),
    *((model_id, reply) for _, model_id, reply, _, _ in ends.COMPLETE),
    *((model_id, reply) for _, model_id, reply, _, _ in ends.CUT_SHORT),
    *((model_id, reply) for _, model_id, reply in [*ends.WITH_A_TOOL, *chunks.TWO_CALLS, *chunks.BROKEN]),
    *REFUSALS * 4,
]
FILES = ["a.png", "a.png", "b.pdf", "c.csv", "x" * 240 + ".pdf"]


async def one_turn(conversation: Conversation, chance: random.Random, model_id: str, *, hangs_up: bool) -> bool:
    """Whether it was answered. A failure and a hang-up leave what a service would store of them."""
    before = len(conversation.messages)
    files = [AttachedFile(name, "", b"x") for name in chance.sample(FILES, chance.randrange(3))]
    run = await built(conversation, model_id=model_id, history=tuple(conversation.messages), tools=["calculator"])
    stream = run.stream(build_prompt("go on", files))
    blocks: list[Any] | None = None
    async for item in stream:
        match item:
            case Failure(error):
                blocks = [{"text": build_conversational_error_event(error.code, error.message).message}]
            case Success() if hangs_up and len(conversation.messages) > before + chance.randrange(3):
                blocks = [{"text": "Session stopped by user"}]
                break
    await stream.aclose()
    if blocks is not None:
        stored = conversation.messages[before:]
        conversation.messages += ending(stored, user_text="go on", blocks=blocks, missing_result="none")
    return blocks is None


@pytest.mark.parametrize("seed", range(12))
async def test_turns_in_a_row(provider: ModelServer, seed: int) -> None:
    chance = random.Random(seed)
    conversation = Conversation()
    for _ in range(8):
        model_id, reply = chance.choice(REPLIES)
        provider.reset()
        provider.script(reply, *[SAID[model_id]] * 3)
        await one_turn(conversation, chance, model_id, hangs_up=chance.random() < 0.2)
        assert not provider.violations
    roles = [message["role"] for message in conversation.messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    for model_id, reply in SAID.items():
        provider.reset()
        provider.script(reply)
        assert await one_turn(conversation, chance, model_id, hangs_up=False)
