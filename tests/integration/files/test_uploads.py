"""Uploads over HTTP: what is accepted, what counts, and what every failure leaves behind."""

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apis.shared.files.models import MIME_TYPES
from tests.support import stored
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.platform import Platform, User, until
from tests.support.service_log import FAILED
from tests.support.signed_uploads import Uploads

QUOTA = 1_073_741_824
MAX_SIZE = 4_194_304
_users = itertools.count(710_000_001)
_LABELS = "pdf, docx, txt, html, csv, xls, xlsx, md, png, jpeg, gif, webp"
OUTAGES = [
    (FaultKind.THROTTLED, 503, "service_unavailable"),
    (FaultKind.ACCESS_DENIED, 500, "internal_error"),
]


@pytest.fixture
def user(tables: Platform) -> User:
    return tables.sign_in(str(next(_users)), "Staff")


@pytest.fixture
def client(tables: Platform, user: User) -> Uploads:
    return Uploads(tables, user, "s1")


def file_of(tables: Platform, user: User, **attributes: Any) -> str:
    """A stored file of ten bytes with its object; the id."""
    data, row = stored.uploaded_file(
        user.user_id, "s1", tables.variables[stored.FILES_BUCKET], content=b"0123456789", **attributes
    )
    tables.store(data, row)
    return str(row.item["uploadId"])


def counted(tables: Platform, user: User, total_bytes: int, file_count: int) -> None:
    tables.store(stored.file_quota(user.user_id, total_bytes=total_bytes, file_count=file_count))


def rows(tables: Platform, user: User) -> list[dict[str, Any]]:
    return [item for item in tables.items(stored.FILES, f"USER#{user.user_id}") if item["SK"] != "QUOTA"]


def quota_row(tables: Platform, user: User) -> tuple[int, int]:
    item = tables.item(stored.FILES, f"USER#{user.user_id}", "QUOTA")
    return item.get("totalBytes", 0), item.get("fileCount", 0)


def has_object(tables: Platform, upload_id: str) -> bool:
    bucket = tables.variables[stored.FILES_BUCKET]
    found = tables.boto("s3").list_objects_v2(Bucket=bucket, Prefix="user-files/").get("Contents", [])
    return any(upload_id in entry["Key"] for entry in found)


@contextmanager
def cancelled(tables: Platform, user: User, *reasons: str, times: int = 1_000) -> Iterator[list[Call]]:
    """The first transactions of the user are cancelled for these reasons, by position; those that were."""
    refused: list[Call] = []

    def answer(call: Call) -> Answer | None:
        if call.target.operation != "TransactWriteItems" or user.user_id not in call.text or len(refused) >= times:
            return None
        refused.append(call)
        body = {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "cancelled",
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        }
        return Answer(400, "application/x-amz-json-1.0", json.dumps(body).encode())

    with tables.proxy.answering(answer):
        yield refused


async def test_a_pending_file(tables: Platform, user: User, client: Uploads) -> None:
    with tables.proxy.recording(containing=user.user_id) as recording:
        answer = await client.presign("My Report (1).pdf", "application/pdf", 10)
    upload_id = answer.json()["uploadId"]
    assert re.fullmatch("[0-9a-f]{11}_[0-9a-f]{16}", upload_id)
    assert answer.json().keys() == {"uploadId", "presignedUrl", "expiresAt"}
    key = f"user-files/{user.user_id}/s1/{upload_id}/My Report (1).pdf"
    bucket = tables.variables[stored.FILES_BUCKET]
    (row,) = rows(tables, user)
    created_at, ttl = row.pop("createdAt"), row.pop("ttl")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created_at)
    assert int(upload_id[:11], 16) // 1000 == ttl - 31_536_000
    assert row == {
        "PK": f"USER#{user.user_id}",
        "SK": f"FILE#{upload_id}",
        "GSI1PK": "CONV#s1",
        "GSI1SK": f"FILE#{upload_id}",
        "uploadId": upload_id,
        "userId": user.user_id,
        "sessionId": "s1",
        "filename": "My Report (1).pdf",
        "mimeType": "application/pdf",
        "sizeBytes": 10,
        "s3Key": key,
        "s3Bucket": bucket,
        "s3Uri": f"s3://{bucket}/{key}",
        "status": "pending",
        "updatedAt": created_at,
    }
    assert [call.target.operation for call in recording.calls] == ["GetItem", "PutItem"]


async def test_both_spellings(tables: Platform, user: User) -> None:
    body = {"session_id": "s1", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 1, "more": True}
    assert (await tables.ask(user, "POST", "/files/presign", body)).status_code == 200


@pytest.mark.parametrize(
    "mime_type",
    [
        "", "application/octet-stream", "application/x-exe", "image/heic", "image/jpg", "text/x-markdown",
        "text/csv; charset=utf-8", "TEXT/CSV",
    ],
)  # fmt: skip
async def test_a_kind_that_is_not_supported(tables: Platform, user: User, client: Uploads, mime_type: str) -> None:
    answer = await client.presign("a", mime_type, 10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert all(part in answer.json()["detail"] for part in ("file type", mime_type, _LABELS))
    assert rows(tables, user) == []


@pytest.mark.parametrize(
    ("filename", "mime_type"),
    [
        *((f"a.{label}", mime_type) for mime_type, label in MIME_TYPES.items()),
        ("marks.csv", "application/vnd.ms-excel"),
        ("README", "text/plain"),
        ("notes.markdown", "text/markdown"),
        ("SCAN.PDF", "application/pdf"),
    ],
)
async def test_a_kind_that_is(client: Uploads, filename: str, mime_type: str) -> None:
    assert (await client.presign(filename, mime_type, 10)).status_code == 200


@pytest.mark.parametrize(
    ("members", "status", "field"),
    [
        ({"sizeBytes": MAX_SIZE}, 200, None),
        ({"sizeBytes": 5_242_880}, 400, None),
        ({"sizeBytes": 0}, 422, "body.sizeBytes"),
        ({"filename": ""}, 422, "body.filename"),
        ({"filename": "x" * 255}, 200, None),
        ({"filename": "x" * 256}, 422, "body.filename"),
        ({"filename": "a\ud83d.txt"}, 422, "body"),
        ({"sessionId": "é" * 500}, 200, None),
        ({"sessionId": "s" * 1001}, 422, "body.sessionId"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode() if isinstance(value, dict) else None,
)
async def test_sizes_and_bounds(
    tables: Platform, user: User, members: dict[str, Any], status: int, field: str | None
) -> None:
    body = {"sessionId": "s1", "filename": "a.txt", "mimeType": "text/plain", "sizeBytes": 10, **members}
    # As a browser sends half a character: escaped.
    answer = await tables.app_api.http.post("/files/presign", content=json.dumps(body), headers=user.headers)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    if status == 400:
        assert "4MB" in answer.json()["detail"]
        assert "too large" not in answer.json()["detail"]
    assert len(rows(tables, user)) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("used", "size", "status"),
    [(QUOTA - 824, 824, 200), (QUOTA - 824, 825, 429), (QUOTA, 10, 429), (-10, MAX_SIZE, 200), (None, 10, 200)],
)
async def test_room_for_one_more(
    tables: Platform, user: User, client: Uploads, used: int | None, size: int, status: int
) -> None:
    if used is not None:
        counted(tables, user, used, 1)
    answer = await client.presign("a.txt", "text/plain", size)
    assert answer.status_code == status
    assert len(rows(tables, user)) == (1 if status == 200 else 0)
    if status == 429:
        assert_over_quota(answer.json(), used or 0, size)


def assert_over_quota(body: dict[str, Any], used: int, size: int) -> None:
    numbers = {"currentUsage": used, "maxAllowed": QUOTA, "requiredSpace": size}
    assert numbers.items() <= body.items()
    assert numbers.items() <= body["metadata"].items()
    assert (body["code"], body["error"]) == ("quota_exceeded", "QUOTA_EXCEEDED")
    assert body["message"] == "Storage quota exceeded"
    assert all(str(number) in body["detail"] for number in numbers.values())


@pytest.mark.parametrize(("fault", "status", "code"), OUTAGES)
@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
async def test_presign_without_its_store(
    tables: Platform, user: User, client: Uploads, operation: str, fault: FaultKind, status: int, code: str
) -> None:
    with tables.proxy.injecting(Fault(fault, operation=operation, containing=user.user_id)):
        answer = await client.presign("a.txt", "text/plain", 10)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    await tables.settled(answer.headers["x-request-id"])
    (record,) = tables.records(answer.headers["x-request-id"], FAILED)
    assert (record["code"], record["user_id"]) == (code, user.user_id)
    assert rows(tables, user) == []


@pytest.mark.parametrize(("taken", "status"), [(1, 200), (2, 500)])
async def test_an_id_that_is_taken(tables: Platform, user: User, client: Uploads, taken: int, status: int) -> None:
    refused: list[Call] = []

    def exists(call: Call) -> Answer | None:
        if call.target.operation != "PutItem" or user.user_id not in call.text or len(refused) >= taken:
            return None
        refused.append(call)
        kind = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": ""}
        return Answer(400, "application/x-amz-json-1.0", json.dumps(kind).encode())

    with tables.proxy.answering(exists):
        answer = await client.presign("a.txt", "text/plain", 10)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["uploadId"] not in refused[0].text
        assert answer.json()["uploadId"] in answer.json()["presignedUrl"]


async def test_finishing_an_upload(tables: Platform, user: User, client: Uploads) -> None:
    upload_id = file_of(tables, user, status="pending", sizeBytes=3)
    with tables.proxy.recording(containing=user.user_id) as recording:
        answer = await client.complete(upload_id)
    assert (answer.status_code, answer.json()["status"], answer.json()["sizeBytes"]) == (200, "ready", 10)
    assert [call.target.operation for call in recording.calls] == ["GetItem", "HeadObject", "TransactWriteItems"]
    row = client.row(upload_id)
    assert (row["status"], row["sizeBytes"]) == ("ready", 10)
    assert row["etag"].startswith('"')
    again = await client.complete(upload_id)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert all(part in again.json()["detail"] for part in (upload_id, "ready"))
    answer = await tables.ask(user, "GET", "/files/quota")
    assert answer.text == f'{{"usedBytes":10,"maxBytes":{QUOTA},"fileCount":1}}'


@pytest.mark.parametrize("path", ["nobodys", "x" * 2_000, "a%2Fb", "%F0%9F%98%80"])
async def test_a_file_that_the_caller_does_not_have(tables: Platform, user: User, path: str) -> None:
    upload_id = file_of(tables, tables.sign_in("000000001", "Staff"), status="pending")
    for method, suffix in (("POST", "/complete"), ("DELETE", "")):
        unknown, foreign = [await tables.ask(user, method, f"/files/{one}{suffix}") for one in (path, upload_id)]
        assert (unknown.status_code, foreign.status_code) == (404, 404)
        assert foreign.json()["code"] == "not_found"
        assert upload_id in foreign.json()["detail"]
    assert client_row(tables, "000000001", upload_id)["status"] == "pending"


def client_row(tables: Platform, user_id: str, upload_id: str) -> dict[str, Any]:
    return tables.item(stored.FILES, f"USER#{user_id}", f"FILE#{upload_id}")


@pytest.mark.parametrize(
    ("operation", "fault", "status"),
    [
        ("GetItem", FaultKind.SERVER_ERROR, 503),
        ("HeadObject", FaultKind.ACCESS_DENIED, 500),
        ("HeadObject", FaultKind.SERVER_ERROR, 503),
        ("HeadObject", FaultKind.GARBAGE, 503),
        ("TransactWriteItems", FaultKind.SERVER_ERROR, 503),
        ("TransactWriteItems", FaultKind.ACCESS_DENIED, 500),
    ],
)
async def test_finishing_fails_and_is_repeated(
    tables: Platform, user: User, client: Uploads, operation: str, fault: FaultKind, status: int
) -> None:
    upload_id = file_of(tables, user, status="pending")
    with tables.proxy.injecting(Fault(fault, operation=operation, containing=user.user_id)):
        assert (await client.complete(upload_id)).status_code == status
    assert client.row(upload_id)["status"] == "pending"
    assert quota_row(tables, user) == (0, 0)
    assert (await client.complete(upload_id)).status_code == 200
    assert quota_row(tables, user) == (10, 1)


async def test_an_object_that_is_not_there(tables: Platform, user: User, client: Uploads) -> None:
    """Told apart from a bucket that is not there, and told only when it has been written down."""
    signed = (await client.presign("a.txt", "text/plain", 10)).json()
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="UpdateItem", containing=user.user_id)):
        assert (await client.complete(signed["uploadId"])).status_code == 503
    assert client.row(signed["uploadId"])["status"] == "pending"
    assert (await client.complete(signed["uploadId"])).status_code == 404
    assert (await client.complete(signed["uploadId"])).status_code == 409
    nowhere = file_of(tables, user, status="pending")
    key = {"PK": {"S": f"USER#{user.user_id}"}, "SK": {"S": f"FILE#{nowhere}"}}
    tables.boto("dynamodb").update_item(
        TableName=tables.variables[stored.FILES],
        Key=key,
        UpdateExpression="SET s3Bucket = :b",
        ExpressionAttributeValues={":b": {"S": "no-such-bucket"}},
    )
    answer = await client.complete(nowhere)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert client.row(nowhere)["status"] == "pending"


@pytest.mark.parametrize(
    ("reasons", "times", "status", "ends"),
    [
        (("None", "TransactionConflict"), 2, 200, "ready"),
        (("TransactionConflict", "None"), 2, 200, "ready"),
        (("None", "TransactionConflict"), 1_000, 503, "pending"),
        (("ThrottlingError", "TransactionConflict"), 1_000, 503, "pending"),
        (("None", "ThrottlingError"), 1_000, 503, "pending"),
        (("ConditionalCheckFailed", "None"), 1, 409, "pending"),
        (("None", "ConditionalCheckFailed"), 1, 429, "failed"),
        (("ConditionalCheckFailed", "ConditionalCheckFailed"), 1, 409, "pending"),
    ],
    ids=str,
)
async def test_why_a_transaction_was_cancelled(
    tables: Platform, user: User, client: Uploads, reasons: tuple[str, ...], times: int, status: int, ends: str
) -> None:
    """By position: the file's record, then the counter."""
    upload_id = file_of(tables, user, status="pending")
    with cancelled(tables, user, *reasons, times=times):
        answer = await client.complete(upload_id)
    assert answer.status_code == status
    assert client.row(upload_id)["status"] == ends
    assert quota_row(tables, user) == ((10, 1) if status == 200 else (0, 0))


async def test_no_room_when_it_is_finished(tables: Platform, user: User, client: Uploads) -> None:
    """Two were let in at the same moment, and there is room for one."""
    counted(tables, user, QUOTA - 10, 1)
    first, second = (file_of(tables, user, status="pending") for _ in range(2))
    answers = await asyncio.gather(client.complete(first), client.complete(second))
    assert sorted(answer.status_code for answer in answers) == [200, 429]
    late = second if answers[1].status_code == 429 else first
    assert_over_quota(max(answers, key=lambda answer: answer.status_code).json(), QUOTA, 10)
    assert client.row(late)["status"] == "failed"
    assert not has_object(tables, late)
    assert quota_row(tables, user) == (QUOTA, 2)


async def test_room_that_is_made_while_a_file_is_refused(tables: Platform, user: User, client: Uploads) -> None:
    """Whoever is second does not delete the object of a file that is ready by then."""
    upload_id = file_of(tables, user, status="pending")
    usage_of_user = f'USER#{user.user_id}"}},"SK":{{"S":"QUOTA"'
    with (
        cancelled(tables, user, "None", "ConditionalCheckFailed", times=1),
        tables.proxy.holding("GetItem", containing=usage_of_user) as hold,
    ):
        refused = asyncio.create_task(client.complete(upload_id))
        await hold.has(1)
        assert (await client.complete(upload_id)).status_code == 200
    assert (await refused).status_code == 409
    assert client.row(upload_id)["status"] == "ready"
    assert has_object(tables, upload_id)
    assert quota_row(tables, user) == (10, 1)


@pytest.mark.parametrize(("freed", "status"), [(False, 429), (True, 404)], ids=["no room yet", "room meanwhile"])
async def test_a_refusal_that_breaks_off_is_finished(
    tables: Platform, user: User, client: Uploads, freed: bool, status: int
) -> None:
    counted(tables, user, QUOTA, 1)
    upload_id = file_of(tables, user, status="pending")
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="DeleteObject", containing=user.user_id)):
        assert (await client.complete(upload_id)).status_code == 503
    assert client.row(upload_id)["status"] == "pending"
    if freed:
        counted(tables, user, 0, 0)
    answers = [await client.complete(upload_id) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, 409]
    assert client.row(upload_id)["status"] == "failed"
    assert not has_object(tables, upload_id)
    assert quota_row(tables, user) == ((0, 0) if freed else (QUOTA, 1))


async def test_many_at_once(tables: Platform, user: User, client: Uploads) -> None:
    """Each counts once, and is given back once."""
    ids = [file_of(tables, user, status="pending") for _ in range(5)]
    answers = await asyncio.gather(*(client.complete(ids[0]) for _ in range(10)), *map(client.complete, ids[1:]))
    assert Counter(answer.status_code for answer in answers) == {200: 5, 409: 9}
    assert quota_row(tables, user) == (50, 5)
    gone = await asyncio.gather(*(client.delete(ids[0]) for _ in range(5)))
    assert Counter(gone) == {204: 1, 404: 4}
    assert quota_row(tables, user) == (40, 4)


@pytest.mark.parametrize("held", ["HeadObject", "DeleteObject"])
async def test_finished_and_deleted_at_once(tables: Platform, user: User, client: Uploads, held: str) -> None:
    """Whichever is first: no ready file that does not count, and nothing given back that never counted."""
    upload_id = file_of(tables, user, status="pending")
    finishing = ("POST", f"/files/{upload_id}/complete")
    deleting = ("DELETE", f"/files/{upload_id}")
    slow, fast = (finishing, deleting) if held == "HeadObject" else (deleting, finishing)
    with tables.proxy.holding(held, containing=upload_id) as hold:
        begun = asyncio.create_task(tables.ask(user, *slow))
        await hold.has(1)
        await tables.ask(user, *fast)
    assert (await begun).status_code == (404 if held == "HeadObject" else 204)
    assert rows(tables, user) == []
    assert quota_row(tables, user) == (0, 0)


async def test_deleting(tables: Platform, user: User, client: Uploads) -> None:
    counted(tables, user, 10, 1)
    upload_id = file_of(tables, user)
    with tables.proxy.recording(containing=user.user_id) as recording:
        assert await client.delete(upload_id) == 204
    assert [call.target.operation for call in recording.calls] == ["GetItem", "DeleteObject", "TransactWriteItems"]
    assert quota_row(tables, user) == (0, 0)
    assert not has_object(tables, upload_id)
    assert await client.delete(upload_id) == 404


@pytest.mark.parametrize("status", ["pending", "failed"])
async def test_deleting_what_never_counted(tables: Platform, user: User, client: Uploads, status: str) -> None:
    counted(tables, user, 7, 1)
    upload_id = file_of(tables, user, status=status)
    assert await client.delete(upload_id) == 204
    assert quota_row(tables, user) == (7, 1)


@pytest.mark.parametrize(
    ("operation", "fault", "status"),
    [
        ("GetItem", FaultKind.THROTTLED, 503),
        ("DeleteObject", FaultKind.THROTTLED, 503),
        ("DeleteObject", FaultKind.ACCESS_DENIED, 500),
        ("TransactWriteItems", FaultKind.SERVER_ERROR, 503),
    ],
)
async def test_deleting_fails_and_is_repeated(
    tables: Platform, user: User, client: Uploads, operation: str, fault: FaultKind, status: int
) -> None:
    counted(tables, user, 10, 1)
    upload_id = file_of(tables, user)
    with tables.proxy.injecting(Fault(fault, operation=operation, containing=user.user_id)):
        assert await client.delete(upload_id) == status
    assert client.row(upload_id)["status"] == "ready"
    assert quota_row(tables, user) == (10, 1)
    assert [await client.delete(upload_id), await client.delete(upload_id)] == [204, 404]
    assert quota_row(tables, user) == (0, 0)


@pytest.mark.parametrize(("total", "left"), [(3, -7), (-10, -20)])
async def test_a_counter_that_is_off(tables: Platform, user: User, client: Uploads, total: int, left: int) -> None:
    """It makes no file undeletable, and below zero it is shown and counted as zero."""
    counted(tables, user, total, 1)
    upload_id = file_of(tables, user)
    assert await client.delete(upload_id) == 204
    assert quota_row(tables, user) == (left, 0)
    assert await client.usage() == (0, 0)
    assert (await client.presign("a.txt", "text/plain", MAX_SIZE)).status_code == 200


@pytest.mark.parametrize(("fault", "status", "code"), OUTAGES)
@pytest.mark.parametrize("path", ["/files", "/files?sessionId=s1", "/files?sortBy=size", "/files/quota"])
async def test_reading_without_the_store(
    tables: Platform, user: User, path: str, fault: FaultKind, status: int, code: str
) -> None:
    operation = "GetItem" if path == "/files/quota" else "Query"
    with tables.proxy.injecting(Fault(fault, operation=operation, table=tables.variables[stored.FILES])):
        answer = await tables.ask(user, "GET", path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_no_file_yet(client: Uploads) -> None:
    assert await client.usage() == (0, 0)


async def test_the_files_of_a_deleted_session(tables: Platform, user: User, client: Uploads) -> None:
    """Of this user only, whatever their status; one that fails does not keep the others, and a repeat takes it."""
    session = f"s-{user.user_id}"
    other = tables.sign_in(str(next(_users)), "Staff")
    bucket = tables.variables[stored.FILES_BUCKET]
    for owner, status in ((user, "ready"), (user, "ready"), (user, "pending"), (user, "failed"), (other, "ready")):
        tables.store(*stored.uploaded_file(owner.user_id, session, bucket, content=b"0123456789", status=status))
    for owner, total in ((user, 20), (other, 10)):
        counted(tables, owner, total, total // 10)
    tables.store(stored.session(user.user_id, session))
    stuck = next(row["uploadId"] for row in rows(tables, user) if row["status"] == "ready")
    with tables.proxy.injecting(Fault(FaultKind.SERVER_ERROR, operation="DeleteObject", containing=stuck)):
        answer = await tables.ask(user, "POST", "/sessions/bulk-delete", {"sessionIds": [session]})
        await tables.settled(answer.headers["x-request-id"])
    assert answer.json()["deletedCount"] == 1
    assert [row["uploadId"] for row in rows(tables, user)] == [stuck]
    assert quota_row(tables, user) == (10, 1)
    (record,) = tables.records(answer.headers["x-request-id"], "a deleted session could not be cleaned up")
    assert (record["level"], record["context"]["failed"]) == ("ERROR", f"1 of 4: {stuck}")
    assert (await client.listed())["files"][0]["uploadId"] == stuck
    again = await tables.ask(user, "DELETE", f"/sessions/{session}")
    assert again.status_code == 204
    await until(lambda: asyncio.to_thread(lambda: rows(tables, user) == []))
    assert quota_row(tables, user) == (0, 0)
    assert quota_row(tables, other) == (10, 1)
    assert len(rows(tables, other)) == 1


async def test_the_files_of_a_deleted_session_cannot_be_listed(tables: Platform, user: User) -> None:
    """The session is gone all the same, and the log says that its files are not."""
    session = f"s-{user.user_id}"
    tables.store(stored.session(user.user_id, session))
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query", table=tables.variables[stored.FILES])):
        answer = await tables.ask(user, "DELETE", f"/sessions/{session}")
        await tables.settled(answer.headers["x-request-id"])
    assert answer.status_code == 204
    (record,) = tables.records(answer.headers["x-request-id"], "a deleted session could not be cleaned up")
    assert (record["level"], record["code"]) == ("ERROR", "service_unavailable")
