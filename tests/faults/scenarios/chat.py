import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.faults.scenario import MESSAGE, Case, Message, Request, Scenario, say
from tests.faults.scenarios.assistants import SEARCH, a_searchable_assistant, assistant_id, email
from tests.faults.scenarios.files import UPLOAD, a_ready_file
from tests.faults.scenarios.sessions import a_conversation_with_costs, a_session
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing


def a_priced_model(_: Platform, case: Case) -> Iterator[Thing]:
    prices: dict[str, Any] = {"inputPricePerMillionTokens": 3, "outputPricePerMillionTokens": 15}
    yield stored.managed_model(case.model_id, availableToRoles=[case.role], **prices)


def a_priced_model_and_a_file(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_priced_model(platform, case)
    yield from a_ready_file(platform, case)


def a_model_and_all_tools(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_priced_model(platform, case)
    yield from stored.role(f"role_{case.marker}", case.role, enabled=True, **stored.granting("*"))


def a_conversation_of_a_known_user(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_conversation_with_costs(platform, case)
    yield from stored.known_usage(case.user_id, case.model_id, datetime.now(UTC))


def an_unnamed_session(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.session(case.user_id, case.session_id, title="New Conversation")


async def goes_on(platform: Platform, case: Case, unstored: bool) -> None:
    """Roles alternate, the session is free, and the next turn is stored and billed at its place."""
    if not unstored:
        _assert_alternating(await platform.messages(case.session_id, user=case.user))
    turn = await say(platform, case, "and now?")
    assert turn.failure is None, f"the next turn failed: {turn.failure}"
    await platform.settled(turn.request_id)
    messages = await platform.messages(case.session_id, user=case.user)
    _assert_alternating(messages)
    assert [message["content"][0]["text"] for message in messages[-2:]] == ["and now?", "Hello world."]
    assert messages[-1]["metadata"]["tokenUsage"]["inputTokens"] == 10
    billed = [message["role"] for message in messages if "metadata" in message]
    assert set(billed) == {"assistant"}, "a cost record is joined to a user message"
    assert (await platform.session(case.session_id, user=case.user))["messageCount"] >= 1


def _assert_alternating(messages: list[dict[str, Any]]) -> None:
    roles = [message["role"] for message in messages]
    assert all(first != second for first, second in itertools.pairwise(roles)), f"roles do not alternate: {roles}"
    assert not roles or roles[0] == "user", f"roles do not alternate: {roles}"


READ_AGAIN = {
    (f"dynamodb.GetItem {stored.SESSIONS}", FaultKind.CORRUPT_ITEM): (
        "The move of a session is conditional on all that was read: it is lost, and reads again."
    ),
}


def turn(name: str, text: str, **options: Any) -> Scenario:
    """A chat turn: it cannot be repeated, the conversation goes on instead."""
    message = {key: options.pop(key) for key in ("members", "operation", "email") if key in options}
    return Scenario(name, Message(text, **message), verify=goes_on, repeats=False, **options)


def turn_with_an_assistant(name: str, *more: str, **options: Any) -> Scenario:
    return turn(
        name,
        f"{MESSAGE} {{marker}}",
        arrange=a_searchable_assistant,
        members=lambda case: {"assistant_id": assistant_id(case)},
        email=email,
        calls=(*SEARCH, f"dynamodb.TransactWriteItems {stored.SESSIONS}", *more),
        **options,
    )


OLD_CLIENTS = "POST /chat/stream"
OF_THE_CONVERSATION = (
    *(f"dynamodb.{name} {stored.SESSIONS}" for name in ("Query", "TransactWriteItems")),
    "bedrock-agentcore.CreateEvent",
)
"""One call of each kind: its turns are those of the other operation, in another process."""

SCENARIOS = [
    turn("turn of an old client", MESSAGE, operation=OLD_CLIENTS, calls=OF_THE_CONVERSATION),
    turn_with_an_assistant("turn with an assistant", f"dynamodb.UpdateItem {stored.ASSISTANTS}"),
    turn_with_an_assistant("turn of an old client with an assistant", operation=OLD_CLIENTS),
    turn("first turn", MESSAGE, arrange=a_priced_model_and_a_file, members=lambda _: {"file_upload_ids": [UPLOAD]}),
    turn("second turn", MESSAGE, arrange=a_conversation_of_a_known_user, harmless=READ_AGAIN),
    turn(
        "turn with a tool",
        f"[tool] {MESSAGE}",
        arrange=a_model_and_all_tools,
        members=lambda _: {"enabled_tools": ["calculator"]},
    ),
    turn(
        "turn of a failing model",
        f"[status 401] {MESSAGE}",
        arrange=a_session,
        own_error="model_error",
        harmless=READ_AGAIN,
    ),
    turn("turn that fails midway", f"[reset later] {MESSAGE}", own_error="service_unavailable"),
    Scenario(
        "name a session",
        Request("POST /chat/generate-title", lambda case: {"session_id": case.session_id, "input": MESSAGE}),
        an_unnamed_session,
    ),
]

CALLS_NOTHING = {"POST /chat/multimodal": "It repeats the message."}
