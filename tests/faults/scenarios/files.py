from collections.abc import Iterator
from typing import Any

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

UPLOAD = "1a2067ac070_f7406981bd3047d1"
OF_UPLOAD = {"upload_id": lambda _: UPLOAD}


def a_file(platform: Platform, case: Case, **attributes: Any) -> Iterator[Thing]:
    bucket = platform.variables[stored.FILES_BUCKET]
    yield from stored.uploaded_file(case.user_id, case.session_id, bucket, **{"uploadId": UPLOAD, **attributes})


def a_ready_file(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_file(platform, case)
    yield stored.file_quota(case.user_id, total_bytes=7, file_count=1)


def a_pending_file(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_file(platform, case, status="pending")


def an_empty_file(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_file(platform, case, status="pending", content=b"")


def a_file_without_an_object(platform: Platform, case: Case) -> Iterator[Thing]:
    _, row = stored.uploaded_file(
        case.user_id, case.session_id, platform.variables[stored.FILES_BUCKET], uploadId=UPLOAD, status="pending"
    )
    yield row


def a_full_quota(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_pending_file(platform, case)
    yield stored.file_quota(case.user_id, total_bytes=2**30, file_count=1)


async def is_counted_once(platform: Platform, case: Case, _: bool) -> None:
    """Whether or not the first request came through: finishing it again leaves one ready file, counted once."""
    again = await platform.ask(case.user, "POST", f"/files/{UPLOAD}/complete", {})
    assert (again.status_code, again.json().get("code")) in {(200, None), (409, "conflict")}
    assert _usage(platform, case) == (7, 1)
    assert [file["uploadId"] for file in await _listed(platform, case)] == [UPLOAD]


async def is_gone(platform: Platform, case: Case, _: bool) -> None:
    again = await platform.ask(case.user, "DELETE", f"/files/{UPLOAD}")
    assert again.status_code in {204, 404}
    assert _usage(platform, case) == (0, 0)
    assert await _listed(platform, case) == []


async def has_failed(platform: Platform, case: Case, _: bool) -> None:
    """And counts for nothing."""
    before = _usage(platform, case)
    again = await platform.ask(case.user, "POST", f"/files/{UPLOAD}/complete", {})
    assert again.status_code >= 400
    row = platform.item(stored.FILES, f"USER#{case.user_id}", f"FILE#{UPLOAD}")
    assert row["status"] == "failed"
    assert _usage(platform, case) == before
    assert await _listed(platform, case) == []


async def _listed(platform: Platform, case: Case) -> list[dict[str, Any]]:
    return list((await platform.ask(case.user, "GET", "/files")).json()["files"])


def _usage(platform: Platform, case: Case) -> tuple[int, int]:
    item = platform.item(stored.FILES, f"USER#{case.user_id}", "QUOTA")
    return item.get("totalBytes", 0), item.get("fileCount", 0)


def new_file(case: Case) -> dict[str, object]:
    return {"sessionId": case.session_id, "filename": "a.txt", "mimeType": "text/plain", "sizeBytes": 10}


ANY_2XX = {
    (f"s3.DeleteObject {stored.FILES_BUCKET}", FaultKind.GARBAGE): "Any 2xx to a delete means that the object is gone.",
}
COMPLETE = Request("POST /files/{upload_id}/complete", {}, OF_UPLOAD)

SCENARIOS = [
    Scenario("presign file", Request("POST /files/presign", new_file), a_ready_file),
    Scenario("complete file", COMPLETE, a_pending_file, is_counted_once, repeats=False),
    Scenario("complete file, empty", COMPLETE, an_empty_file, has_failed, repeats=False, own_error="bad_request"),
    Scenario(
        "complete file, absent",
        COMPLETE,
        a_file_without_an_object,
        has_failed,
        repeats=False,
        own_error="not_found",
    ),
    Scenario("complete file, no room", COMPLETE, a_full_quota, has_failed, repeats=False, own_error="quota_exceeded"),
    Scenario("list files", Request("GET /files"), a_ready_file),
    Scenario("list files by size", Request("GET /files", query=lambda _: {"sortBy": "size"}), a_ready_file),
    Scenario(
        "list files of session",
        Request("GET /files", query=lambda case: {"sessionId": case.session_id}),
        a_ready_file,
    ),
    Scenario("file quota", Request("GET /files/quota"), a_ready_file),
    Scenario(
        "delete file",
        Request("DELETE /files/{upload_id}", fill=OF_UPLOAD),
        a_ready_file,
        is_gone,
        repeats=False,
        harmless=ANY_2XX,
    ),
]
