"""What a request may ask for: what is refused before the stream, and what is left out."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer
from tests.support.platform import DISABLED, FORBIDDEN, PERMITTED_TOOLS, PRICED, USER_ID, Platform

PDF = {"filename": "a.pdf", "content_type": "application/pdf", "bytes": "!!!"}
EXE = {"filename": "a.exe", "content_type": "application/octet-stream", "bytes": "AAAA"}
VALID = {"session_id": "q9", "message": "hi"}

INVALID: dict[str, tuple[Mapping[str, Any], str]] = {
    "no message": ({"session_id": "q9"}, "body.message"),
    "no session": ({"message": "x"}, "body.session_id"),
    "path as session": ({"session_id": "../evil", "message": "x"}, "body.session_id"),
    "header as session": ({"session_id": "a\r\nX: y", "message": "x"}, "body.session_id"),
    "long session": ({"session_id": "a" * 101, "message": "x"}, "body.session_id"),
    "empty session": ({"session_id": "", "message": "x"}, "body.session_id"),
    "blank message": ({"session_id": "q9", "message": " \n\t"}, "body.message"),
    "message of another type": ({"session_id": "q9", "message": 1}, "body.message"),
    "bad base64": ({**VALID, "files": [PDF]}, "body.files"),
    "base64 with blanks": ({**VALID, "files": [{**PDF, "bytes": "AA AA"}]}, "body.files"),
    "unknown file type": ({**VALID, "files": [EXE]}, "body.files"),
    "half a file": ({**VALID, "files": [{"filename": "a.pdf"}]}, "body.files.0.content_type"),
    "tools of another type": ({**VALID, "enabled_tools": "calculator"}, "body.enabled_tools"),
}


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_request_is_refused_before_the_stream(tables: Platform, model: ModelServer, case: str) -> None:
    body, named = INVALID[case]
    answered = await tables.inference.post("/invocations", json=body)
    assert answered.status_code == 422
    problem = answered.json()
    assert problem["code"] == "validation_error"
    if case != "half a file":
        assert problem["field"] == named
    assert named in [error["field"] for error in problem["metadata"]["errors"]]
    assert isinstance(problem["detail"], str)
    assert model.calls == []
    assert await tables.messages("q9") == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"session_id": NaN}'])
async def test_a_body_that_is_no_object_is_refused(tables: Platform, content: bytes) -> None:
    answered = await tables.inference.post(
        "/invocations", content=content, headers={"Content-Type": "application/json"}
    )
    assert (answered.status_code, answered.json()["code"]) == (422, "validation_error")


async def test_unknown_members_and_the_qualifier_are_ignored(tables: Platform, session_id: str) -> None:
    answered = await tables.inference.post(
        "/invocations?qualifier=DEFAULT", json={"session_id": session_id, "message": "hi", "model_id": PRICED, "x": 1}
    )
    assert answered.status_code == 200
    assert answered.text.endswith("event: done\ndata: {}\n\n")


async def test_a_session_of_somebody_else_does_not_exist(tables: Platform, model: ModelServer, session_id: str) -> None:
    tables.store(stored.session("000000042", session_id))
    refused = await tables.chat(session_id)
    assert (refused.status, refused.body["code"]) == (404, "not_found")
    assert model.calls == []
    assert tables.of_session(USER_ID, session_id) == []


async def test_a_deleted_session_takes_no_messages(platform: Platform, model: ModelServer, session_id: str) -> None:
    await platform.chat(session_id)
    assert (await platform.app.delete(f"/sessions/{session_id}")).status_code == 204
    model.reset()
    refused = await platform.chat(session_id, "again")
    assert (refused.status, refused.body["code"]) == (404, "not_found")
    assert model.calls == []


@pytest.mark.parametrize("model_id", [DISABLED, FORBIDDEN])
async def test_a_model_that_the_user_may_not_use(
    tables: Platform, model: ModelServer, session_id: str, model_id: str
) -> None:
    refused = await tables.chat(session_id, model_id=model_id)
    assert (refused.status, refused.body["code"]) == (403, "forbidden")
    assert model.calls == []
    assert await tables.messages(session_id) == []
    assert (await tables.app.get(f"/sessions/{session_id}/metadata")).status_code == 404


async def test_tools_that_the_user_may_not_use_are_left_out(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    asked = ["browser_navigate", "calculator", "no_such_tool", "gateway_a___b", "create_visualization", "calculator"]
    turn = await tables.chat(session_id, enabled_tools=asked)
    assert turn.shown[0].text == "Hello world."
    offered = [tool["function"]["name"] for tool in model.calls[0]["tools"]]
    assert offered == list(PERMITTED_TOOLS)
    parameters = model.calls[0]["tools"][0]["function"]["parameters"]
    assert parameters["required"] == ["expression"]
    kept = (await tables.session(session_id))["preferences"]["enabledTools"]
    assert sorted(set(kept)) == sorted(PERMITTED_TOOLS)


@pytest.mark.parametrize("tools", [None, []])
async def test_without_requested_tools_there_are_none_and_nothing_is_looked_up(
    tables: Platform, model: ModelServer, session_id: str, tools: list[str] | None
) -> None:
    with tables.proxy.recording() as recording:
        await tables.chat(session_id, model_id="gpt-unmanaged", enabled_tools=tools)
    assert not model.calls[0].get("tools")
    roles = tables.variables["DYNAMODB_APP_ROLES_TABLE_NAME"]
    assert roles not in {call.target.table for call in recording.calls}


@pytest.mark.parametrize(
    ("table", "members"),
    [
        # Prices are looked up here, too, before anything is spent: F-QTM-75 and F-SMC-55.
        pytest.param("DYNAMODB_MANAGED_MODELS_TABLE_NAME", {}, id="F-QTM-74 caching and prices"),
        pytest.param("DYNAMODB_APP_ROLES_TABLE_NAME", {}, id="F-QTM-71 permission for the model"),
        pytest.param(
            "DYNAMODB_APP_ROLES_TABLE_NAME",
            {"model_id": "gpt-unmanaged", "enabled_tools": ["calculator"]},
            id="F-QTM-40 permission for the tools",
        ),
    ],
)
async def test_what_cannot_be_looked_up_stops_the_turn(
    tables: Platform, model: ModelServer, session_id: str, table: str, members: dict[str, Any]
) -> None:
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, service="dynamodb", table=tables.variables[table])):
        turn = await tables.chat(session_id, **members)
    assert turn.status == 200
    assert (turn.error["code"], turn.error["recoverable"]) == ("service_unavailable", True)
    assert turn.names[0] == "message_start"
    assert model.calls == []
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"]
