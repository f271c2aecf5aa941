"""Chatting with an assistant: its instructions, what its documents say, and who may."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from devstack.embeddings import by_words
from tests.e2e.test_bedrock import HELLO
from tests.support import stored
from tests.support.aws_wire import Answer, Target
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, answer
from tests.support.platform import USER_ID, Platform, until
from tests.support.service_log import FAILED, SUPPRESSED
from tests.support.stored.assistants import ASSISTANTS, assistant, document, share
from tests.support.stored.knowledge import vector

QUESTION = "Until when can I enrol?"
NEAR = by_words(QUESTION)
SEARCHED = {"bedrock-runtime", "s3vectors"}


@pytest.fixture
def assistant_id(tables: Platform) -> str:
    """One of the developer's, with one document of two chunks."""
    made = f"ast-{uuid4().hex[:12]}"
    tables.store(
        assistant(USER_ID, made),
        document(made, "DOC-1", filename="Guide (v1).pdf"),
        vector(made, "DOC-1", 0, "Enrolment ends on 30 June.", at=NEAR),
        vector(made, "DOC-1", 1, "x" * 600, at=[*NEAR[:-1], NEAR[-1] + 0.1]),
    )
    return made


def owned_by_ada(platform: Platform, **attributes: Any) -> str:
    made = f"ast-{uuid4().hex[:12]}"
    platform.store(assistant("Ada", made, **attributes))
    return made


def system_prompt(call: dict[str, Any]) -> str:
    return str(call["messages"][0]["content"])


async def test_a_turn_with_an_assistant(
    tables: Platform, model: ModelServer, session_id: str, assistant_id: str
) -> None:
    model.script(answer("Until 30 June."), answer("You are welcome."))

    turn = await tables.chat(session_id, QUESTION, assistant_id=assistant_id, system_prompt="Be rude.")

    first = {"assistantId": assistant_id, "documentId": "DOC-1", "fileName": "Guide (v1).pdf"}
    cited = [{**first, "text": "Enrolment ends on 30 June."}, {**first, "text": "x" * 500}]
    assert turn.events[:3] == [*(("citation", one) for one in cited), ("message_start", {"role": "assistant"})]
    (asked,) = model.calls[0]["messages"][-1]["content"]
    assert "[Context 1]\nEnrolment ends on 30 June.\n" in asked["text"]
    prompt = system_prompt(model.calls[0])
    assert "Current date:" in prompt
    assert prompt.endswith("\n\nAnswer as a biologist.")
    assert "Be rude." not in prompt

    stored_messages = await tables.messages(session_id)
    assert stored_messages[0]["content"][0]["text"].endswith(f"Question: {QUESTION}")
    assert [message.get("citations") for message in stored_messages] == [None, cited]
    session = await tables.session(session_id)
    assert session["preferences"]["assistantId"] == assistant_id
    assert (session["title"], session["messageCount"]) == ("", 1)

    again = await tables.chat(session_id, "Thanks", assistant_id=assistant_id)
    assert again.names.count("citation") == 2
    assert (await tables.session(session_id))["preferences"]["assistantId"] == assistant_id


async def test_e13_a_passage_that_names_no_document_is_cited_all_the_same(
    tables: Platform, session_id: str, assistant_id: str
) -> None:
    """Both are stored with the answer, and shown again with it."""
    hits = [
        {"key": "DOC-1#0", "metadata": {"assistant_id": assistant_id, "document_id": "DOC-1", "text": "first"}},
        {"metadata": {"assistant_id": assistant_id, "text": "second"}},
    ]
    found = Answer(200, "application/json", json.dumps({"vectors": hits, "distanceMetric": "cosine"}).encode())
    with tables.proxy.answering(lambda call: found if call.target.operation == "QueryVectors" else None):
        turn = await tables.chat(session_id, QUESTION, assistant_id=assistant_id)
    cited = [
        {"assistantId": assistant_id, "documentId": "DOC-1", "fileName": "Guide (v1).pdf", "text": "first"},
        {"assistantId": assistant_id, "documentId": "", "fileName": "Unknown Source", "text": "second"},
    ]
    assert turn.events[:2] == [("citation", one) for one in cited]
    assert turn.names[2] == "message_start"
    (record,) = tables.of_session(USER_ID, session_id, "C#")
    assert (record["messageId"], record["citations"]) == (1, cited)
    assert (await tables.messages(session_id))[1]["citations"] == cited


async def test_round_trips(tables: Platform, session_id: str, assistant_id: str) -> None:
    """Beside those of a turn without one: the assistant with the share, and the search. Attaching it costs none."""
    calls: list[list[Target]] = []
    for chosen in (None, assistant_id):
        with tables.proxy.recording() as recording:
            turn = await tables.chat(f"{session_id}-{chosen}", QUESTION, assistant_id=chosen)
            await tables.settled(turn.request_id)
        calls.append([call.target for call in recording.calls])
    plain, assisted = calls
    rows, sessions = tables.variables[ASSISTANTS], tables.variables[stored.SESSIONS]
    more = [one.operation for one in assisted if one.table == rows or one.service in SEARCHED]
    assert more == ["BatchGetItem", "InvokeModel", "QueryVectors", "BatchGetItem"]
    assert sum(one.table == sessions for one in plain) == sum(one.table == sessions for one in assisted)


@pytest.mark.parametrize(
    ("service", "operation", "table", "containing"),
    [
        pytest.param("dynamodb", "Query", stored.SESSIONS, "session", id="F-CHAT-10 session"),
        pytest.param("bedrock-agentcore", "ListEvents", None, "session", id="F-CHAT-10 messages"),
        pytest.param("dynamodb", "BatchGetItem", ASSISTANTS, "METADATA", id="F-CHAT-11 F-CHAT-12 assistant"),
        pytest.param("dynamodb", "BatchGetItem", ASSISTANTS, "DOC#DOC-1", id="F-CHAT-14 D13 rows"),
        pytest.param("dynamodb", "TransactWriteItems", stored.SESSIONS, "assistant", id="F-CHAT-15 attaching"),
    ],
)
async def test_what_cannot_be_read_or_noted_stops_the_turn(
    tables: Platform,
    model: ModelServer,
    session_id: str,
    assistant_id: str,
    service: str,
    operation: str,
    table: str | None,
    containing: str,
) -> None:
    text = {"session": session_id, "assistant": assistant_id}.get(containing, containing)
    named = None if table is None else tables.variables[table]
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, service, operation, named, containing=text)):
        turn = await tables.chat(session_id, QUESTION, assistant_id=assistant_id)
    assert (turn.status, turn.error["code"]) == (200, "service_unavailable")
    assert turn.headers["X-Error-Code"] == "service_unavailable"
    assert "citation" not in turn.names
    assert turn.names[-1] == "done"
    assert model.calls == []
    await tables.settled(turn.request_id)
    (record,) = tables.records(turn.request_id, FAILED)
    assert record["code"] == "service_unavailable"


async def test_f_chat_13_a_mark_that_fails_takes_nothing_from_the_turn(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(HELLO, HELLO)
    pat = tables.sign_in(str(uuid4().int)[:9], "Staff", email="pat@example.edu")
    made = owned_by_ada(tables, visibility="SHARED")
    tables.store(share(made, "pat@example.edu"))
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="UpdateItem", table=tables.variables[ASSISTANTS])):
        turn = await tables.chat(session_id, user=pat, assistant_id=made, model_id=None)
        await tables.settled(turn.request_id)
    assert turn.failure is None
    (record,) = tables.records(turn.request_id, SUPPRESSED)
    assert record["code"] == "service_unavailable"
    await tables.chat(session_id, user=pat, assistant_id=made, model_id=None)
    await until(lambda: is_opened(tables, made))


async def test_two_who_attach_an_assistant_at_once_get_one(
    tables: Platform, model: ModelServer, session_id: str, assistant_id: str
) -> None:
    """The second first message is refused, or comes too late for another assistant."""
    another = owned_by_ada(tables, visibility="PUBLIC")
    turns = await asyncio.gather(
        *(tables.chat(session_id, QUESTION, assistant_id=one) for one in (assistant_id, another))
    )
    first, second = sorted(turns, key=lambda turn: turn.status)
    assert (first.status, first.failure) == (200, None)
    assert second.status in {400, 409}
    bound = (await tables.session(session_id))["preferences"]["assistantId"]
    assert bound == (assistant_id if first is turns[0] else another)
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"]


async def test_l9_the_memory_is_searched_for_what_was_typed(
    tables: Platform, session_id: str, assistant_id: str
) -> None:
    """Not for what the assistant's documents put in front of it."""
    with tables.proxy.recording() as recording:
        await tables.chat(session_id, QUESTION, assistant_id=assistant_id)
    searches = [call.text for call in recording.calls if call.target.operation == "RetrieveMemoryRecords"]
    assert searches
    for asked in searches:
        assert json.loads(asked.partition(" ")[2])["searchCriteria"]["searchQuery"] == QUESTION


@pytest.mark.parametrize("instructions", ["", " \n"], ids=["none", "blank"])
async def test_without_documents_the_instructions_answer(
    tables: Platform, model: ModelServer, session_id: str, instructions: str
) -> None:
    made = f"ast-{uuid4().hex[:12]}"
    tables.store(assistant(USER_ID, made, instructions=instructions))
    model.script(answer("Hello."))
    turn = await tables.chat(session_id, "hi", assistant_id=made, system_prompt="Be kind.")
    assert turn.names[0] == "message_start"
    assert system_prompt(model.calls[0]) == "Be kind."
    assert (await tables.conversation(session_id))[0] == ("user", ["hi"])


async def test_a_file_without_a_text_is_no_search(
    tables: Platform, model: ModelServer, session_id: str, assistant_id: str
) -> None:
    upload = tables.upload(session_id, "a.txt", "text/plain", b"text")
    with tables.proxy.recording() as recording:
        turn = await tables.chat(session_id, "", assistant_id=assistant_id, file_upload_ids=[upload])
    assert turn.names[0] == "message_start"
    asked = {call.target.operation for call in recording.calls}
    assert not asked & {"InvokeModel", "QueryVectors"}


async def test_e12_a_session_stays_with_its_assistant(tables: Platform, session_id: str, assistant_id: str) -> None:
    await tables.chat(session_id, QUESTION, assistant_id=assistant_id)
    another = owned_by_ada(tables, visibility="PUBLIC")
    refused = await tables.chat(session_id, QUESTION, assistant_id=another)
    assert refused.status == 400
    assert refused.body["code"] == "bad_request"
    assert "Cannot change assistants mid-session" in refused.body["message"]


async def test_an_assistant_answers_from_the_first_message_on(
    tables: Platform, session_id: str, assistant_id: str
) -> None:
    await tables.chat(session_id, "hi")
    refused = await tables.chat(session_id, QUESTION, assistant_id=assistant_id)
    assert (refused.status, refused.body["code"]) == (400, "bad_request")
    assert "Assistants can only be attached to new sessions" in refused.body["message"]
    assert "assistantId" not in (await tables.session(session_id))["preferences"]


@pytest.mark.parametrize(
    ("attributes", "shared", "status"),
    [
        ({"visibility": "PRIVATE"}, False, 403),
        ({"visibility": "PRIVATE"}, True, 403),
        ({"visibility": "SHARED"}, False, 403),
        ({"visibility": "SHARED"}, True, 200),
        ({"visibility": "PUBLIC"}, False, 200),
        ({"visibility": "PUBLIC", "status": "ARCHIVED"}, False, 200),
        (None, False, 404),
    ],
    ids=["private", "made private", "not shared with", "shared", "public", "archived", "absent"],
)
async def test_who_may_chat_with_it(
    tables: Platform, model: ModelServer, session_id: str, attributes: Any, shared: bool, status: int
) -> None:
    pat = tables.sign_in(str(uuid4().int)[:9], "Staff", email="Pat@Example.EDU")
    made = "ast-none" if attributes is None else owned_by_ada(tables, **attributes)
    if shared:
        tables.store(share(made, "pat@example.edu"))

    turn = await tables.chat(session_id, user=pat, assistant_id=made, model_id=None)

    assert turn.status == status
    if status == 404:
        assert turn.body["message"] == "Assistant not found: ast-none"
    if status == 403:
        assert turn.body["message"].startswith("Access denied: ")
    if status != 200:
        assert model.calls == []
        assert await tables.messages(session_id, user=pat) == []
    elif shared:
        await until(lambda: is_opened(tables, made))


async def is_opened(platform: Platform, assistant_id: str) -> bool:
    rows = platform.items(ASSISTANTS, f"AST#{assistant_id}")
    return any(row.get("firstInteracted") for row in rows)


async def test_a_share_that_ends_ends_at_once(tables: Platform, session_id: str) -> None:
    pat = tables.sign_in(str(uuid4().int)[:9], "Staff", email="pat@example.edu")
    made = owned_by_ada(tables, visibility="SHARED")
    tables.store(share(made, "pat@example.edu"))
    assert (await tables.chat(session_id, user=pat, assistant_id=made, model_id=None)).status == 200
    tables.store(share(made, "pat@example.edu", SK="GONE"), assistant("Ada", made, visibility="PRIVATE"))
    assert (await tables.chat(session_id, user=pat, assistant_id=made, model_id=None)).status == 403


@pytest.mark.parametrize(
    ("service", "operation", "kind", "code"),
    [
        ("bedrock-runtime", "InvokeModel", FaultKind.THROTTLED, "model_error"),
        ("bedrock-runtime", "InvokeModel", FaultKind.CORRUPT_ITEM, "internal_error"),
        ("s3vectors", "QueryVectors", FaultKind.THROTTLED, "service_unavailable"),
        ("s3vectors", "QueryVectors", FaultKind.ACCESS_DENIED, "internal_error"),
    ],
)
async def test_a_search_that_fails_is_told_and_the_session_stays_with_its_assistant(
    tables: Platform,
    model: ModelServer,
    session_id: str,
    assistant_id: str,
    service: str,
    operation: str,
    kind: FaultKind,
    code: str,
) -> None:
    with tables.proxy.injecting(Fault(kind, service=service, operation=operation)):
        turn = await tables.chat(session_id, QUESTION, assistant_id=assistant_id)

    (failed,) = turn.of("stream_error")
    assert failed["code"] == code
    assert turn.headers["X-Error-Code"] == code
    assert turn.names[-1] == "done"
    assert model.calls == []
    await tables.settled(turn.request_id)
    (record,) = tables.records(turn.request_id, FAILED)
    assert record["code"] == code
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"]
    assert (await tables.chat(session_id, QUESTION, assistant_id=assistant_id)).names[0] == "citation"
