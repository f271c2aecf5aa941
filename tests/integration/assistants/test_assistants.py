"""Making, changing and deleting assistants, in the table and in local files."""

import asyncio
import re
from typing import Any

import pytest

from tests.integration.assistants.conftest import Assistants
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform
from tests.support.stored import LEFT_OUT, Item
from tests.support.stored.assistants import CREATED, assistant

ID = re.compile(r"ast-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
COMPLETE = {"name": "Bio", "description": "d", "instructions": "i"}


def index_of(platform: Platform) -> str:
    return platform.variables["ASSISTANTS_VECTOR_STORE_INDEX_NAME"]


def keys(assistants: Assistants, visibility: str, status: str, created: str) -> Item:
    """Of the indexes; local files have none."""
    if not assistants.platform.in_tables:
        return {}
    by_status = f"STATUS#{status}#CREATED#{created}"
    return {
        "GSI_PK": f"OWNER#{assistants.owner.user_id}",
        "GSI_SK": by_status,
        "GSI2_PK": f"VISIBILITY#{visibility}",
        "GSI2_SK": by_status,
    }


def index_keys(item: Item) -> Item:
    return {name: value for name, value in item.items() if name.startswith("GSI")}


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": ""}, {"imageUrl": "ignored"}], ids=str)
async def test_example_10_a_draft(assistants: Assistants, body: dict[str, Any]) -> None:
    answer = await assistants("POST", "/draft", body)
    assert answer.status_code == 200
    made = answer.json()
    assert ID.fullmatch(made["assistantId"])
    assert MOMENT.fullmatch(made["createdAt"])
    assert made == {
        "assistantId": made["assistantId"],
        "ownerName": "Pat",
        "name": "Untitled Assistant",
        "description": "",
        "instructions": "",
        "vectorIndexId": index_of(assistants.platform),
        "visibility": "PRIVATE",
        "tags": [],
        "usageCount": 0,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "status": "DRAFT",
    }
    item = assistants.stored(made["assistantId"])
    assert item["ownerId"] == assistants.owner.user_id
    assert "imageUrl" not in item
    assert index_keys(item) == keys(assistants, "PRIVATE", "DRAFT", made["createdAt"])


async def test_what_is_created_is_complete_and_keeps_what_was_said(assistants: Assistants) -> None:
    said = {**COMPLETE, "visibility": "PUBLIC", "tags": ["a", "b"], "imageUrl": "https://example.edu/a.png"}
    made = (await assistants("POST", "", {**said, "vectorIndexId": "zzz", "status": "DRAFT"})).json()
    assert {name: made[name] for name in said} == said
    assert (made["status"], made["vectorIndexId"]) == ("COMPLETE", index_of(assistants.platform))
    assert index_keys(assistants.stored(made["assistantId"])) == keys(
        assistants, "PUBLIC", "COMPLETE", made["createdAt"]
    )
    assert (await assistants("GET", f"/{made['assistantId']}")).json() == made
    empty = (await assistants("POST", "", {"name": "", "description": "", "instructions": "", "tags": None})).json()
    assert [empty[name] for name in ("name", "description", "instructions", "tags")] == ["", "", "", []]


async def test_example_11_a_change(assistants: Assistants) -> None:
    made = await assistants.draft()
    change = {"name": "Bio", "vectorIndexId": "zzz", "visibility": "PUBLIC", "status": "COMPLETE"}
    changed = await assistants.change(made["assistantId"], **change)
    assert changed == {
        **made, "name": "Bio", "visibility": "PUBLIC", "status": "COMPLETE", "updatedAt": changed["updatedAt"]
    }  # fmt: skip
    assert changed["updatedAt"] > made["updatedAt"]
    item = assistants.stored(made["assistantId"])
    assert index_keys(item) == keys(assistants, "PUBLIC", "COMPLETE", made["createdAt"])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": None, "tags": None, "status": None},
        {"name": "", "description": "", "instructions": "", "tags": [], "imageUrl": ""},
        {"instructions": "New."},
        {"visibility": "SHARED"},
        {"status": "DRAFT"},
        {"status": "ARCHIVED", "visibility": "PUBLIC"},
        {"ownerId": "1", "createdAt": "2000-01-01T00:00:00Z", "assistantId": "x", "usageCount": 7, "ownerName": "y"},
    ],
    ids=str,
)
async def test_only_what_is_given_changes(assistants: Assistants, change: dict[str, Any]) -> None:
    assistant_id = assistants.an_id()
    row = assistant(assistants.owner.user_id, assistant_id, imageUrl="x", ofALaterVersion={"a": [1, None]})
    assistants.platform.store(row)
    before = assistants.stored(assistant_id)
    changed = await assistants.change(assistant_id, **change)
    mutable = {"name", "description", "instructions", "visibility", "tags", "status", "imageUrl"}
    given = {name: value for name, value in change.items() if name in mutable and value is not None}
    visibility, status = given.get("visibility", "PRIVATE"), given.get("status", "COMPLETE")
    after = assistants.stored(assistant_id)
    assert after == {
        **before, **given, "updatedAt": changed["updatedAt"], **keys(assistants, visibility, status, CREATED)
    }  # fmt: skip
    assert changed["updatedAt"] > CREATED
    assert {name: changed[name] for name in mutable} == {name: after[name] for name in mutable}
    assert "ownerId" not in changed


async def test_archiving_and_back(assistants: Assistants) -> None:
    made = (await assistants("POST", "", COMPLETE)).json()
    archived = await assistants("POST", f"/{made['assistantId']}/archive")
    assert (archived.status_code, archived.json()["status"]) == (200, "ARCHIVED")
    assert index_keys(assistants.stored(made["assistantId"])) == keys(
        assistants, "PRIVATE", "ARCHIVED", made["createdAt"]
    )
    assert (await assistants("GET", f"/{made['assistantId']}")).json() == archived.json()
    assert (await assistants.change(made["assistantId"], status="COMPLETE"))["status"] == "COMPLETE"


async def test_deleting(assistants: Assistants) -> None:
    made = await assistants.draft()
    gone = await assistants("DELETE", f"/{made['assistantId']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert assistants.stored(made["assistantId"]) == {}
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("POST", "/archive"), ("GET", "/shares")):
        again = await assistants(method, f"/{made['assistantId']}{path}", {} if method == "PUT" else None)
        await assistants.assert_failed(again, 404, "not_found")
        assert made["assistantId"] in again.json()["detail"]


@pytest.mark.parametrize(
    ("left_out", "shown"),
    [
        (("ownerName", "description", "instructions"), {"ownerName": "", "description": "", "instructions": ""}),
        (("name", "visibility", "tags"), {"name": "Untitled Assistant", "visibility": "PRIVATE", "tags": []}),
        (("usageCount", "status"), {"usageCount": 0, "status": "COMPLETE"}),
        (("updatedAt",), {"updatedAt": CREATED}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
async def test_f_ast_04_12_an_old_record_is_read_tolerantly(
    assistants: Assistants, left_out: tuple[str, ...], shown: dict[str, Any]
) -> None:
    """Also one without the name of its index."""
    assistant_id = assistants.an_id()
    without: dict[str, Any] = dict.fromkeys((*left_out, "vectorIndexId"), LEFT_OUT)
    assistants.platform.store(assistant(assistants.owner.user_id, assistant_id, **without))
    shown = {**shown, "vectorIndexId": index_of(assistants.platform)}
    read = (await assistants("GET", f"/{assistant_id}")).json()
    (listed,) = await assistants.listed()
    for one in (read, listed, await assistants.change(assistant_id, instructions=read["instructions"])):
        assert {name: one[name] for name in shown if name != "updatedAt"} == {
            name: value for name, value in shown.items() if name != "updatedAt"
        }
    assert read["updatedAt"] == CREATED


@pytest.mark.parametrize(
    "corruption",
    [{"assistantId": LEFT_OUT}, {"ownerId": LEFT_OUT}, {"tags": "x"}, {"visibility": "TEAM"}, {"name": 1}],
    ids=["no id", "no owner", "tags", "visibility", "name"],
)
async def test_f_ast_04_12_a_record_that_cannot_be_read_is_no_absent_one(
    in_table: Assistants, corruption: dict[str, Any]
) -> None:
    assistant_id = in_table.an_id()
    in_table.platform.store(assistant(in_table.owner.user_id, assistant_id, **corruption))
    for method, path in (("GET", f"/{assistant_id}"), ("DELETE", f"/{assistant_id}"), ("GET", "")):
        answer = await in_table(method, path)
        record = await in_table.assert_failed(answer, 500, "internal_error")
        assert (record["entity"], record["key"]) == ("Assistant", f"AST#{assistant_id} / METADATA")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [("{not json", 500, "internal_error"), ("[]", 500, "internal_error"), (None, 503, "service_unavailable")],
    ids=["bad JSON", "no object", "OSError"],
)
async def test_f_ast_07_08_16_a_file_that_cannot_be_read(
    in_files: Assistants, content: str | None, status: int, code: str
) -> None:
    assistant_id = in_files.an_id()
    path = in_files.platform.folder.assistant(assistant_id)
    path.parent.mkdir(exist_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_text(content, encoding="utf-8")
    try:
        for method, place in (("GET", f"/{assistant_id}"), ("PUT", f"/{assistant_id}"), ("GET", "")):
            await in_files.assert_failed(await in_files(method, place, {} if method == "PUT" else None), status, code)
    finally:
        path.rmdir() if content is None else path.unlink()
    assert await in_files.listed() == []


async def test_f_ast_08_a_folder_that_cannot_be_written_to(in_files: Assistants) -> None:
    """A file stands in its place."""
    made = await in_files.draft()
    folder = in_files.platform.folder.assistants
    aside = folder.rename(folder.with_name(f"{folder.name}-aside"))
    folder.write_text("", encoding="utf-8")
    try:
        for method, path in (
            ("POST", "/draft"),
            ("PUT", f"/{made['assistantId']}"),
            ("DELETE", f"/{made['assistantId']}"),
        ):
            await in_files.assert_failed(await in_files(method, path, {}), 503, "service_unavailable")
    finally:
        folder.unlink()
        aside.rename(folder)
    assert (await in_files("GET", f"/{made['assistantId']}")).json() == made


ODD_IDS = ["..%2F..%2Fetc%2Fpasswd", "..", "%2e%2e%2fx", "a%00b", "x" * 300, "x" * 3000, "a%20b", "METADATA%23"]


@pytest.mark.parametrize("assistant_id", ODD_IDS, ids=range(len(ODD_IDS)))
async def test_an_id_that_nothing_has_is_not_found(assistants: Assistants, assistant_id: str) -> None:
    answers = await asyncio.gather(
        assistants("GET", f"/{assistant_id}"),
        assistants("PUT", f"/{assistant_id}", {}),
        assistants("POST", f"/{assistant_id}/archive"),
        assistants("DELETE", f"/{assistant_id}"),
    )
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} <= {
        (404, "not_found"), (405, "bad_request")
    }  # fmt: skip


async def test_f_ast_02_instructions_that_no_item_can_hold(in_table: Assistants) -> None:
    huge = "x" * 450_000
    made = await in_table.draft()
    for method, path in (("POST", ""), ("PUT", f"/{made['assistantId']}")):
        answer = await in_table(method, path, {**COMPLETE, "instructions": huge})
        await in_table.assert_failed(answer, 400, "bad_request")
        assert answer.json()["field"] == "body.instructions"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"name": "n", "description": "d"}, "body.instructions"),
        ("", {**COMPLETE, "visibility": "TEAM"}, "body.visibility"),
        ("", {**COMPLETE, "instructions": "x" * 1_000_001}, "body.instructions"),
        ("", {**COMPLETE, "tags": ["x" * 1_001]}, "body.tags.0"),
        ("/draft", {"name": "x" * 10_001}, "body.name"),
        ("/draft", {"name": 1}, "body.name"),
    ],
    ids=["missing", "visibility", "long", "tag", "name", "type"],
)
async def test_a_body_that_is_refused(in_table: Assistants, path: str, body: dict[str, Any], field: str) -> None:
    answer = await in_table("POST", path, body)
    await in_table.assert_failed(answer, 422, "validation_error")
    assert answer.json()["field"] == field


async def test_p8_half_a_character_is_refused(in_table: Assistants) -> None:
    made = await in_table.draft()
    for method, path, text in (
        ("POST", "/draft", r'{"name": "a\ud83d"}'),
        ("POST", "", r'{"name": "n", "description": "", "instructions": "a\ud83d"}'),
        ("POST", f"/{made['assistantId']}/shares", r'{"emails": ["a\ud83d@b.edu"]}'),
        (
            "POST",
            f"/{made['assistantId']}/documents/upload-url",
            r'{"filename": "a\ud83d.md", "contentType": "", "sizeBytes": 1}',
        ),
    ):
        headers = {**in_table.owner.user.headers, "Content-Type": "application/json"}
        answer = await in_table.platform.app_api.http.request(
            method, f"/assistants{path}", content=text, headers=headers
        )
        await in_table.assert_failed(answer, 422, "validation_error")
        assert answer.json()["field"].startswith("body")
    assert in_table.rows(made["assistantId"]) == ["METADATA"]


async def test_f_ast_09_two_who_change_and_delete_at_once(in_table: Assistants) -> None:
    """A change never brings a deleted one back, and the indexes go by what is stored."""
    made = await in_table.draft()
    path = f"/{made['assistantId']}"
    with in_table.platform.proxy.holding("BatchGetItem", containing=made["assistantId"]) as hold:
        change = asyncio.create_task(in_table("PUT", path, {"status": "COMPLETE", "name": "late"}))
        await hold.has(1)
        in_table.platform.boto("dynamodb").delete_item(
            TableName=in_table.platform.variables["ASSISTANTS_TABLE_NAME"],
            Key={"PK": {"S": f"AST#{made['assistantId']}"}, "SK": {"S": "METADATA"}},
        )
    await in_table.assert_failed(await change, 404, "not_found")
    assert in_table.rows(made["assistantId"]) == []


async def test_changes_at_once_lose_nothing(assistants: Assistants) -> None:
    made = await assistants.draft()
    assistant_id = made["assistantId"]
    changes: list[dict[str, Any]] = [
        {"name": "N"}, {"visibility": "SHARED"}, {"status": "COMPLETE"}, {"tags": ["t"]}, {"instructions": "I"}
    ]  # fmt: skip
    await asyncio.gather(*(assistants.change(assistant_id, **change) for change in changes))
    item = assistants.stored(assistant_id)
    for change in changes:
        assert item.items() >= change.items()
    assert index_keys(item) == keys(assistants, "SHARED", "COMPLETE", made["createdAt"])


ROUND_TRIPS = [
    ("GET", "", None, ["BatchGetItem"]),
    ("PUT", "", {"visibility": "SHARED", "name": "n"}, ["UpdateItem"]),
    ("PUT", "", {"status": "COMPLETE"}, ["BatchGetItem", "UpdateItem"]),
    ("POST", "/shares", {"emails": ["a@b.edu", "c@d.edu"]}, ["BatchGetItem", "PutItem", "PutItem", "Query"]),
    ("GET", "/shares", None, ["BatchGetItem", "Query"]),
    ("DELETE", "/shares", {"emails": ["a@b.edu", "c@d.edu"]}, ["BatchGetItem", "BatchWriteItem", "Query"]),
    ("GET", "/documents", None, ["BatchGetItem", "Query"]),
    ("GET", "/documents/DOC-1", None, ["BatchGetItem", "GetItem"]),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "operations"),
    ROUND_TRIPS,
    ids=[f"{one[0]}{one[1]}-{len(one[3])}" for one in ROUND_TRIPS],
)
async def test_round_trips(
    in_table: Assistants, method: str, path: str, body: dict[str, Any] | None, operations: list[str]
) -> None:
    made = await in_table.draft()
    with in_table.platform.proxy.recording(containing=made["assistantId"]) as recording:
        await in_table(method, f"/{made['assistantId']}{path}", body)
    assert sorted(call.target.operation for call in recording.calls) == sorted(operations)


UPLOAD = {"filename": "a", "contentType": "", "sizeBytes": 1}
FAILURES = [
    ("F-AST-01 draft", "POST", "/draft", {}, "PutItem"),
    ("F-AST-01 create", "POST", "", COMPLETE, "PutItem"),
    ("F-AST-03 change", "PUT", "/{id}", {"status": "DRAFT"}, "BatchGetItem"),
    ("F-AST-03 archive", "POST", "/{id}/archive", None, "BatchGetItem"),
    ("F-AST-03 delete", "DELETE", "/{id}", None, "BatchGetItem"),
    ("F-AST-03 shares", "GET", "/{id}/shares", None, "BatchGetItem"),
    ("F-AST-03 share", "POST", "/{id}/shares", {"emails": ["a@b.edu"]}, "BatchGetItem"),
    ("F-AST-03 documents", "GET", "/{id}/documents", None, "BatchGetItem"),
    ("F-AST-03 upload", "POST", "/{id}/documents/upload-url", UPLOAD, "BatchGetItem"),
    ("F-AST-06 look", "GET", "/{id}", None, "BatchGetItem"),
    ("F-AST-10", "PUT", "/{id}", {"name": "n"}, "UpdateItem"),
    ("F-AST-11", "GET", "", None, "Query"),
    ("F-AST-17", "DELETE", "/{id}", None, "DeleteItem"),
    ("F-AST-19", "DELETE", "/{id}/shares", {"emails": ["a@b.edu"]}, "BatchWriteItem"),
    ("F-AST-20", "POST", "/{id}/shares", {"emails": ["a@b.edu"]}, "Query"),
    ("F-AST-21", "GET", "/{id}/shares", None, "Query"),
]  # fmt: skip
KINDS = [
    (FaultKind.THROTTLED, 503, "service_unavailable"),
    (FaultKind.ACCESS_DENIED, 500, "internal_error"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure[0])
async def test_a_failing_store_is_never_taken_for_an_absent_assistant(
    in_table: Assistants, failure: tuple[str, str, str, Any, str]
) -> None:
    """Nor for an empty list, nor for success (F-AST-05 too: a missing table is refused as a denied one is)."""
    _, method, path, body, operation = failure
    assistant_id = in_table.an_id()
    in_table.platform.store(assistant(in_table.owner.user_id, assistant_id))
    table = in_table.platform.variables["ASSISTANTS_TABLE_NAME"]
    # A new assistant has no id yet; its owner is named in it.
    named = assistant_id if "{id}" in path else in_table.owner.user_id
    for kind, status, code in KINDS:
        with in_table.platform.proxy.injecting(Fault(kind, "dynamodb", operation, table, containing=named)):
            answer = await in_table(method, path.format(id=assistant_id), body)
        await in_table.assert_failed(answer, status, code)
    assert in_table.stored(assistant_id)["name"] == "Biology"
