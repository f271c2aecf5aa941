"""A conversation over both services, as a client and an operator see it."""

from tests.e2e.deployment import PRICED, Deployment
from tests.support.model_server import ModelServer, answer


async def test_a_plain_turn(deployment: Deployment, model: ModelServer, session_id: str) -> None:
    model.script(answer("Hel", "lo"))
    turn = await deployment.chat(session_id)
    assert turn.events[:-3] == [
        ("message_start", {"role": "assistant"}),
        ("content_block_start", {"contentBlockIndex": 0}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "Hel"}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "lo"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
    ]
    print(turn.events, await deployment.messages(session_id), await deployment.session(session_id), model.requests)
