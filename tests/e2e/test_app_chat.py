"""What the App API streams: the turns of old clients, and the test chat of assistants."""

from typing import Any
from uuid import uuid4

import pytest

from devstack.embeddings import by_words
from tests.e2e.test_bedrock import DEFAULT_MODEL, delta, message, refused, stop
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, events
from tests.support.platform import USER_ID, Platform, until
from tests.support.service_log import FAILED
from tests.support.stored.assistants import ASSISTANTS, assistant, document, ghost
from tests.support.stored.knowledge import vector

QUESTION = "Until when can I enrol?"
NEAR = by_words(QUESTION)
HELLO = message(delta(0, text="Hel"), delta(0, text="lo"), stop(0))


@pytest.fixture
def assistant_id(tables: Platform) -> str:
    """One of the developer's, with one document of one chunk."""
    made = f"ast-{uuid4().hex[:12]}"
    tables.store(
        assistant(USER_ID, made),
        document(made, "DOC-1", filename="Guide (v1).pdf"),
        vector(made, "DOC-1", 0, "Enrolment ends on 30 June." + "x" * 600, at=NEAR),
    )
    return made


async def test_a_turn_of_an_old_client(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(HELLO)

    turn = await tables.streamed("/chat/stream", session_id=session_id, message="hi")

    assert turn.headers["X-Session-ID"] == session_id
    assert turn.names == [
        "message_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_stop",
        "metadata",
        "metadata",
        "done",
    ]
    assert DEFAULT_MODEL[:20] in model.requests[0].path
    offered = {tool["toolSpec"]["name"] for tool in model.calls[0]["toolConfig"]["tools"]}
    assert "calculator" in offered
    assert await tables.conversation(session_id) == [("user", ["hi"]), ("assistant", ["Hello"])]
    assert (await tables.session(session_id))["title"] == "New Conversation"


@pytest.mark.parametrize(
    ("requested", "offered"),
    [([], None), (["calculator", "calculator", "nonsense"], {"calculator"}), (["nonsense"], None)],
)
async def test_the_tools_of_an_old_client(
    tables: Platform, model: ModelServer, session_id: str, requested: list[str], offered: set[str] | None
) -> None:
    model.script(HELLO)
    await tables.streamed("/chat/stream", session_id=session_id, message="hi", enabled_tools=requested)
    configured = model.calls[0].get("toolConfig")
    assert (configured and {tool["toolSpec"]["name"] for tool in configured["tools"]}) == offered


async def test_it_goes_on_with_the_assistant_of_the_session(
    tables: Platform, model: ModelServer, session_id: str, assistant_id: str
) -> None:
    model.script(HELLO, HELLO)
    first = await tables.streamed(
        "/chat/stream", session_id=session_id, message=QUESTION, assistant_id=assistant_id, enabled_tools=[]
    )
    assert first.of("citation")[0]["type"] == "citation"
    assert (await tables.session(session_id))["title"] == "New Conversation"
    second = await tables.streamed("/chat/stream", session_id=session_id, message=QUESTION, enabled_tools=[])
    assert second.names[0] == "citation"
    assert "Answer as a biologist." in str(model.calls[1]["system"])
    assert [bool(one.get("citations")) for one in await tables.messages(session_id)] == [False, True, False, True]


async def test_o2_an_assistant_that_is_gone_is_refused_like_one_in_the_request(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    tables.store(stored.session(USER_ID, session_id, preferences={"assistantId": "ast-gone"}))
    turn = await tables.streamed("/chat/stream", session_id=session_id, message="hi")
    assert (turn.status, turn.body["code"]) == (404, "not_found")
    assert model.calls == []


async def test_f_chat_09_a_session_that_cannot_be_read_is_an_error(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query", containing=session_id)):
        turn = await tables.streamed("/chat/stream", session_id=session_id, message="hi")
    assert turn.of("stream_error")[0]["code"] == "service_unavailable"
    assert model.calls == []


async def test_a_test_chat(tables: Platform, model: ModelServer, assistant_id: str) -> None:
    model.script(HELLO)

    turn = await tables.streamed(f"/assistants/{assistant_id}/test-chat", message=QUESTION)

    session_id = turn.headers["X-Session-ID"]
    assert session_id.startswith("test-")
    name, report = turn.events[0]
    assert (name, report["type"], report["chunk_count"]) == ("debug", "rag_debug", 1)
    (chunk,) = report["chunks"]
    assert (chunk["index"], chunk["key"], chunk["source"]) == (1, "DOC-1#0", "Guide (v1).pdf")
    assert chunk["text"] == ("Enrolment ends on 30 June." + "x" * 600)[:500] + "..."
    assert turn.names[1:5] == ["message_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    assert turn.names[-1] == "done"
    assert "citation" not in turn.names

    call = model.calls[0]
    assert call["system"] == [{"text": "Answer as a biologist."}]
    assert "toolConfig" not in call
    assert call["messages"][0]["content"][0]["text"].endswith(QUESTION)
    (record,) = tables.of_session(USER_ID, session_id, "C#")
    assert record["messageId"] == 1
    assert tables.of_session(USER_ID, session_id) == []
    assert await tables.messages(session_id) == []


@pytest.mark.parametrize(
    ("rows", "body", "status", "code"),
    [
        ([], {}, 400, "bad_request"),
        ([("DOC-1", {"status": "failed"})], {}, 400, "bad_request"),
        ([("DOC-1", {})], {"message": "  "}, 422, "validation_error"),
        ([("DOC-1", {})], {"session_id": "../../x"}, 422, "validation_error"),
    ],
    ids=["no document", "a failed document", "blank", "a8 session id"],
)
async def test_a_test_chat_that_is_refused(
    tables: Platform, rows: list[tuple[str, dict[str, Any]]], body: dict[str, Any], status: int, code: str
) -> None:
    made = f"ast-{uuid4().hex[:12]}"
    tables.store(assistant(USER_ID, made), ghost(made, "DOC-9"))
    tables.store(*(document(made, document_id, **attributes) for document_id, attributes in rows))
    turn = await tables.streamed(f"/assistants/{made}/test-chat", **{"message": "hi", **body})
    assert (turn.status, turn.body["code"]) == (status, code)


async def test_the_test_chat_is_the_owners(tables: Platform, assistant_id: str) -> None:
    turn = await tables.streamed(
        f"/assistants/{assistant_id}/test-chat", user=tables.sign_in("000000042", "Staff"), message="hi"
    )
    assert (turn.status, turn.body["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("service", "operation", "of", "status", "code"),
    [
        pytest.param("bedrock-runtime", "InvokeModel", None, 503, "model_error", id="F-AST-25 example 20"),
        pytest.param("s3vectors", "QueryVectors", None, 503, "service_unavailable", id="F-AST-26"),
        pytest.param("dynamodb", "Query", ASSISTANTS, 503, "service_unavailable", id="F-AST-30"),
    ],
)
async def test_a_search_that_fails_before_a_test_chat_is_an_http_error(
    tables: Platform, assistant_id: str, service: str, operation: str, of: str | None, status: int, code: str
) -> None:
    table = None if of is None else tables.variables[of]
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, service=service, operation=operation, table=table)):
        turn = await tables.streamed(f"/assistants/{assistant_id}/test-chat", message=QUESTION)
    assert (turn.status, turn.body["code"]) == (status, code)
    await tables.settled(turn.request_id)
    (record,) = tables.records(turn.request_id, FAILED)
    assert record["code"] == code


async def test_a_model_that_fails_in_a_test_chat_is_told_and_the_owner_may_ask_again(
    tables: Platform, model: ModelServer, assistant_id: str
) -> None:
    model.script(refused(403, "AccessDeniedException"))
    turn = await tables.streamed(f"/assistants/{assistant_id}/test-chat", message=QUESTION)
    assert turn.names[0] == "debug"
    (failed,) = turn.of("stream_error")
    assert (failed["code"], failed["recoverable"]) == ("model_error", True)
    assert turn.names[-1] == "done"
    assert await tables.messages(turn.headers["X-Session-ID"]) == []


async def test_hanging_up_in_a_test_chat_stops_the_model_and_leaves_nothing(
    tables: Platform, model: ModelServer, assistant_id: str
) -> None:
    one = events({"messageStart": {"role": "assistant"}}, delta(0, text="abc"))["steps"]
    model.script({"steps": [*one, *([{"pause_ms": 20}, one[-1]] * 500)]}, HELLO)
    path, headers = f"/assistants/{assistant_id}/test-chat", tables.user.headers
    async with tables.app_api.http.stream("POST", path, json={"message": QUESTION}, headers=headers) as response:
        session_id = response.headers["X-Session-ID"]
        async for line in response.aiter_lines():
            if "abc" in line:
                break

    async def is_stopped() -> bool:
        return any(request.hung_up for request in model.requests)

    await until(is_stopped)
    assert tables.of_session(USER_ID, session_id) == []
    assert await tables.messages(session_id) == []
    again = await tables.streamed(path, message=QUESTION)
    assert (again.failure, again.names[-1]) == (None, "done")


async def test_blank_instructions_are_none(tables: Platform, model: ModelServer) -> None:
    """A provider refuses a prompt that says nothing."""
    made = f"ast-{uuid4().hex[:12]}"
    tables.store(assistant(USER_ID, made, instructions=" \n"), document(made, "DOC-1"))
    model.script(HELLO)
    turn = await tables.streamed(f"/assistants/{made}/test-chat", message="hi")
    assert turn.failure is None
    assert "Current date:" in model.calls[0]["system"][0]["text"]
