"""Lists of files: order, pages, and places that are named by a cursor."""

import base64
import itertools
import json
from typing import Any

import pytest

from tests.support import stored
from tests.support.platform import Platform, User
from tests.support.service_log import FAILED
from tests.support.signed_uploads import Uploads

_users = itertools.count(720_000_001)
# Of each: minutes of its id, size, type. Two of a size, two of a type.
FILES = [(1, 30, "text/csv"), (2, 10, "text/plain"), (3, 30, "image/png"), (4, 20, "text/csv")]


@pytest.fixture
def user(tables: Platform) -> User:
    return tables.sign_in(str(next(_users)), "Staff")


@pytest.fixture
def client(tables: Platform, user: User) -> Uploads:
    return Uploads(tables, user, "s1")


def upload_id(number: int) -> str:
    return f"{0x1A2067AC070 + number * 60_000:x}_{number:016x}"


def number_of(file: dict[str, Any]) -> int:
    return int(file["uploadId"].partition("_")[2], 16)


def file_row(tables: Platform, user: User, number: int, **attributes: Any) -> stored.Row:
    _, row = stored.uploaded_file(
        user.user_id,
        attributes.pop("session", "s1"),
        tables.variables[stored.FILES_BUCKET],
        filename=f"{number}.txt",
        **{"uploadId": upload_id(number), **attributes},
    )
    return row


def four_files(tables: Platform, user: User, session: str = "s1") -> None:
    for number, size, mime_type in FILES:
        tables.store(file_row(tables, user, number, session=session, sizeBytes=size, mimeType=mime_type))
    # Neither is listed anywhere.
    tables.store(file_row(tables, user, 5, session=session, status="pending"))
    tables.store(file_row(tables, user, 6, session=session, status="failed"))


ORDERS = {
    ("date", "desc"): [4, 3, 2, 1],
    ("date", "asc"): [1, 2, 3, 4],
    ("size", "desc"): [3, 1, 4, 2],
    ("size", "asc"): [2, 4, 3, 1],
    ("type", "desc"): [2, 4, 1, 3],
    ("type", "asc"): [3, 4, 1, 2],
}


@pytest.mark.parametrize("of_session", [False, True])
@pytest.mark.parametrize(("order", "expected"), ORDERS.items(), ids=str)
async def test_orders_and_pages(
    tables: Platform, user: User, client: Uploads, order: tuple[str, str], expected: list[int], of_session: bool
) -> None:
    """The pages together are the list, whatever their size; of equal ones the newer comes first."""
    session = f"s-{user.user_id}"
    four_files(tables, user, session)
    query = dict(zip(("sortBy", "sortOrder"), order, strict=True)) | ({"sessionId": session} if of_session else {})
    for limit in (1, 3, 4, 100):
        seen: list[int] = []
        cursor: str | None = None
        while True:
            page = await client.listed(limit=limit, **query, **({} if cursor is None else {"cursor": cursor}))
            assert page.keys() == {"files", "nextCursor", "totalCount"}
            assert page["totalCount"] == (4 if of_session else None)
            seen += [number_of(file) for file in page["files"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
            assert len(page["files"]) == limit, "a short page is the last one"
            assert json.loads(base64.b64decode(cursor)) == {
                "PK": f"USER#{user.user_id}",
                "SK": f"FILE#{upload_id(seen[-1])}",
            }
        assert seen == expected


async def test_one_file(tables: Platform, user: User, client: Uploads) -> None:
    tables.store(file_row(tables, user, 1, sizeBytes=7, createdAt="2026-01-01T00:00:00Z"))
    bucket = tables.variables[stored.FILES_BUCKET]
    with tables.proxy.recording(containing=user.user_id) as recording:
        page = await client.listed()
    assert page == {
        "files": [
            {
                "uploadId": upload_id(1),
                "filename": "1.txt",
                "mimeType": "text/plain",
                "sizeBytes": 7,
                "sessionId": "s1",
                "s3Uri": f"s3://{bucket}/user-files/{user.user_id}/s1/{upload_id(1)}/1.txt",
                "status": "ready",
                "createdAt": "2026-01-01T00:00:00Z",
            }
        ],
        "nextCursor": None,
        "totalCount": None,
    }
    assert [call.target.operation for call in recording.calls] == ["Query"]


async def test_all_files_of_a_session_come_at_once(tables: Platform, user: User, client: Uploads) -> None:
    """Twenty would lose attachments of a conversation. Those of others who used the same id stay theirs."""
    session = f"s-{user.user_id}"
    tables.store(*(file_row(tables, user, number, session=session) for number in range(25)))
    tables.store(file_row(tables, tables.sign_in("000000001", "Staff"), 99, session=session))
    assert [number_of(file) for file in (await client.listed(sessionId=session))["files"]] == [*range(24, -1, -1)]
    assert len((await client.listed(sessionId=session, limit=20))["files"]) == 20
    assert len((await client.listed())["files"]) == 20


async def test_a_full_page_behind_many_that_are_not_ready(tables: Platform, user: User, client: Uploads) -> None:
    tables.store(*(file_row(tables, user, number, status="pending") for number in range(2, 110)))
    tables.store(file_row(tables, user, 1), file_row(tables, user, 200))
    page = await client.listed(limit=2)
    assert ([number_of(file) for file in page["files"]], page["nextCursor"]) == ([200, 1], None)


@pytest.mark.parametrize("query", [{}, {"sortOrder": "asc"}, {"sessionId": "s1"}, {"sortBy": "size"}], ids=str)
async def test_a_place_whose_file_is_gone(tables: Platform, user: User, client: Uploads, query: dict[str, str]) -> None:
    session = f"s-{user.user_id}"
    four_files(tables, user, session)
    query = query | ({"sessionId": session} if "sessionId" in query else {})
    first = await client.listed(limit=2, **query)
    await client.delete(first["files"][-1]["uploadId"])
    rest = [number_of(file) for file in (await client.listed(cursor=first["nextCursor"], **query))["files"]]
    left = [number_of(file) for file in (await client.listed(**query))["files"]]
    # Neither its size nor its type is known any more: those begin anew.
    assert rest == (left if "sortBy" in query else left[1:])


def cursor_of(key: object) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


@pytest.mark.parametrize("query", [{}, {"sessionId": "s1"}, {"sortBy": "size"}], ids=str)
@pytest.mark.parametrize(
    "cursor",
    [
        "more",
        "",
        "%%%",
        cursor_of("text"),
        cursor_of({"PK": "USER#somebody-else", "SK": f"FILE#{upload_id(1)}"}),
        cursor_of({"PK": "USER#{me}", "SK": "QUOTA"}),
        cursor_of({"PK": "USER#{me}"}),
    ],
)
async def test_a_cursor_that_is_none(tables: Platform, user: User, cursor: str, query: dict[str, str]) -> None:
    if cursor not in {"more", "", "%%%"}:
        cursor = cursor_of(json.loads(base64.b64decode(cursor).decode().replace("{me}", user.user_id)))
    parameters = "&".join(f"{name}={value}" for name, value in {**query, "cursor": cursor.replace("%", "%25")}.items())
    answer = await tables.ask(user, "GET", f"/files?{parameters}")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_request", "query.cursor")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "sortBy=name", "sortOrder=up", f"sessionId={'s' * 1001}"])
async def test_what_is_no_query(tables: Platform, user: User, query: str) -> None:
    answer = await tables.ask(user, "GET", f"/files?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, f"query.{query.partition('=')[0]}")


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"createdAt": stored.LEFT_OUT, "updatedAt": stored.LEFT_OUT}, 200),
        ({"createdAt": "yesterday"}, 500),
        ({"status": "lost"}, 500),
        ({"status": stored.LEFT_OUT}, 500),
        ({"sizeBytes": "big"}, 500),
        ({"s3Uri": stored.LEFT_OUT, "s3Bucket": stored.LEFT_OUT, "ttl": stored.LEFT_OUT}, 200),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
async def test_a_record_that_lacks_something(
    tables: Platform, user: User, attributes: dict[str, Any], status: int
) -> None:
    """What cannot be read fails the list and is never left out; a file without a date is as old as its id."""
    tables.store(file_row(tables, user, 0, **attributes))
    for path in ("/files", "/files?sortBy=size"):
        answer = await tables.ask(user, "GET", path)
        assert answer.status_code == status
        if status == 500:
            await tables.settled(answer.headers["x-request-id"])
            (record,) = tables.records(answer.headers["x-request-id"], FAILED)
            assert record["key"] == f"USER#{user.user_id} / FILE#{upload_id(0)}"
        elif "createdAt" in attributes:
            assert answer.json()["files"][0]["createdAt"] == "2026-11-23T03:37:17.680000Z"
