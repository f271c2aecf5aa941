"""Files that come with a message: what the model gets, what is stored, and what a client reads back."""

import base64
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer
from tests.support.platform import USER_ID, Platform, inline_file

PNG, PDF = b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"%PDF-1.7 " + bytes(range(256))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_an_image_and_a_document(platform: Platform, model: ModelServer, session_id: str) -> None:
    files = [inline_file("My Report.v1@x.PDF", "application/pdf", PDF), inline_file("pic.JPG", "image/jpeg", PNG)]

    turn = await platform.chat(session_id, "look", files=files)

    assert turn.shown[0].text == "Hello world."
    text = "look\n\n[Attached files: My Report.v1@x.PDF, pic.JPG]"
    sent = model.calls[0]["messages"][-1]["content"]
    assert sent[0] == {"type": "text", "text": text}
    assert sent[1]["file"]["file_data"] == f"data:application/pdf;base64,{encoded(PDF)}"
    assert sent[1]["file"]["filename"] == "My Report_v1_x_PDF"
    assert sent[2]["image_url"]["url"] == f"data:image/jpeg;base64,{encoded(PNG)}"
    assert (await platform.messages(session_id))[0]["content"] == [
        {"type": "text", "text": text},
        {"type": "document", "document": {"format": "pdf", "name": "My Report_v1_x_PDF", "data": encoded(PDF)}},
        {"type": "image", "image": {"format": "jpeg", "data": encoded(PNG)}},
    ]


async def test_the_next_turn_still_has_the_files(tables: Platform, model: ModelServer, session_id: str) -> None:
    await tables.chat(session_id, "look", files=[inline_file("a.png", "image/png", PNG)])
    await tables.chat(session_id, "and?")
    first = model.calls[1]["messages"][1]["content"]
    assert first[1]["image_url"]["url"] == f"data:image/png;base64,{encoded(PNG)}"


async def test_uploaded_files_come_after_those_in_the_request(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    uploads = [tables.upload(session_id, name, "text/plain", name.encode()) for name in ("b.txt", "c.txt")]
    await tables.chat(session_id, "look", files=[inline_file("a.png", "image/png", PNG)], file_upload_ids=uploads)
    sent = model.calls[0]["messages"][-1]["content"]
    assert sent[0]["text"] == "look\n\n[Attached files: a.png, b.txt, c.txt]"
    stored = (await tables.messages(session_id))[0]["content"]
    documents = [(one["document"]["name"], base64.b64decode(one["document"]["data"])) for one in stored[2:]]
    assert documents == [("b_txt", b"b.txt"), ("c_txt", b"c.txt")]


async def test_a_file_may_speak_for_itself(tables: Platform, model: ModelServer, session_id: str) -> None:
    turn = await tables.chat(session_id, " ", files=[inline_file("a.png", "image/png", PNG)])
    assert turn.shown[0].text == "Hello world."
    assert (await tables.conversation(session_id))[0][1][0] == " \n\n[Attached files: a.png]"


async def test_two_files_of_one_name_get_two_names(tables: Platform, session_id: str) -> None:
    files = [inline_file("a.txt", "text/plain", b"1"), inline_file("a.txt", "text/plain", b"2")]
    await tables.chat(session_id, "look", files=files)
    stored = (await tables.messages(session_id))[0]["content"]
    assert [one["document"]["name"] for one in stored[1:]] == ["a_txt", "a_txt (2)"]


async def test_a_file_that_is_not_there_fails_in_the_stream(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    turn = await tables.chat(session_id, "look", file_upload_ids=["upload-nobody"])
    assert (turn.status, turn.error["code"]) == (200, "not_found")
    assert model.calls == []
    assert await tables.conversation(session_id) == [("user", ["look"]), ("assistant", [turn.error["message"]])]


@pytest.mark.parametrize(
    ("attributes", "fault", "code"),
    [
        ({"status": "pending"}, None, "conflict"),
        ({"status": "failed"}, None, "conflict"),
        ({"user_id": "000000099"}, None, "not_found"),
        ({"etag": '"another"'}, None, "conflict"),
        ({}, Fault(FaultKind.THROTTLED, operation="GetObject"), "service_unavailable"),
        ({}, Fault(FaultKind.ACCESS_DENIED, operation="GetObject"), "internal_error"),
        ({}, Fault(FaultKind.THROTTLED, operation="GetItem"), "service_unavailable"),
    ],
    ids=["pending", "failed", "somebody else's", "replaced", "no S3", "no permission on S3", "no table"],
)
async def test_one_file_that_cannot_be_read_fails_the_turn(
    tables: Platform,
    model: ModelServer,
    session_id: str,
    attributes: dict[str, Any],
    fault: Fault | None,
    code: str,
) -> None:
    """The model never answers without it."""
    others = {name: value for name, value in attributes.items() if name != "user_id"}
    owner, bucket = attributes.get("user_id", USER_ID), tables.variables[stored.FILES_BUCKET]
    data, row = stored.uploaded_file(owner, session_id, bucket, **others)
    tables.store(data, row)
    uploads = [tables.upload(session_id, "b.txt", "text/plain", b"b"), str(row.item["uploadId"])]
    with ExitStack() as during:
        if fault is not None:
            during.enter_context(tables.proxy.injecting(replace(fault, containing=uploads[1])))
        turn = await tables.chat(session_id, "look", file_upload_ids=uploads)
    assert (turn.status, turn.error["code"]) == (200, code)
    assert model.calls == []
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"]


async def test_more_than_five_uploads(tables: Platform, model: ModelServer, session_id: str) -> None:
    turn = await tables.chat(session_id, "look", file_upload_ids=[f"u{number}" for number in range(6)])
    assert (turn.status, turn.body["code"], turn.body["field"]) == (422, "validation_error", "body.file_upload_ids")
    assert model.calls == []


async def test_a_failed_turn_keeps_the_names_of_the_files(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    """A failure before the agent took the message: the text stays as the user typed it, with the marker."""
    turn = await tables.chat(
        session_id, "look", model_id="gemini-2.5-flash", files=[inline_file("a.png", "image/png", PNG)]
    )
    assert turn.error["code"] == "agent_error"
    assert await tables.conversation(session_id) == [
        ("user", ["look\n\n[Attached files: a.png]"]),
        ("assistant", [turn.error["message"]]),
    ]
