"""The documents of an assistant as its owner sees them, and what is left of them."""

import asyncio
import base64
import itertools
import json
import re
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import pytest

from tests.integration.assistants.conftest import Assistants
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.stored import LEFT_OUT, StoredObject
from tests.support.stored.assistants import (
    ASSISTANTS,
    DOCUMENTS_BUCKET,
    assistant,
    document,
    document_key,
    ghost,
    ingested,
    share,
)
from tests.support.stored.knowledge import vectors

ID = re.compile(r"DOC-[0-9a-f]{12}")
PDF = {"filename": "a.pdf", "contentType": "application/pdf", "sizeBytes": 3}
_numbers = itertools.count(1)


def an_assistant(of: Assistants, **attributes: Any) -> str:
    assistant_id = of.an_id()
    of.platform.store(assistant(of.owner.user_id, assistant_id, **attributes))
    return assistant_id


def a_document_id() -> str:
    return f"DOC-{next(_numbers):012x}"


def objects(of: Assistants, prefix: str) -> list[str]:
    found = of.platform.boto("s3").list_objects_v2(Bucket=of.platform.variables[DOCUMENTS_BUCKET], Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", [])]


async def begin(of: Assistants, assistant_id: str, **members: Any) -> dict[str, Any]:
    answer = await of("POST", f"/{assistant_id}/documents/upload-url", {**PDF, **members})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def key_of(url: str, of: Assistants) -> str:
    """The key that an address names, as S3 reads it."""
    return unquote(urlsplit(url).path).partition(f"{of.platform.variables[DOCUMENTS_BUCKET]}/")[2]


async def test_example_16_an_upload(in_table: Assistants) -> None:
    assistant_id = an_assistant(in_table)
    begun = await begin(in_table, assistant_id, filename="My Notes (v1).PDF")
    document_id = begun["documentId"]
    assert ID.fullmatch(document_id)
    assert begun["expiresIn"] == 3600
    parts = urlsplit(begun["uploadUrl"])
    assert parts.path.endswith(f"/assistants/{assistant_id}/documents/{document_id}/my_notes_%28v1%29.pdf")
    query = parse_qs(parts.query)
    assert (query["X-Amz-Expires"], query["X-Amz-SignedHeaders"]) == (["3600"], ["content-type;host"])
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"DOC#{document_id}")
    now = row["createdAt"]
    assert row == {
        "PK": f"AST#{assistant_id}",
        "SK": f"DOC#{document_id}",
        "documentId": document_id,
        "assistantId": assistant_id,
        "filename": "My Notes (v1).PDF",
        "contentType": "application/pdf",
        "sizeBytes": 3,
        "s3Key": document_key(assistant_id, document_id, "my_notes_(v1).pdf"),
        "status": "uploading",
        "createdAt": now,
        "updatedAt": now,
    }


NAMES = [
    ("授業計画.pdf", "____.pdf"),
    ("İstanbul.PDF", "i_stanbul.pdf"),
    ("\U0001f600.md", "_.md"),
    ("../../other/x.pdf", ".._.._other_x.pdf"),
    ("..\\x.pdf", ".._x.pdf"),
    ("\u0000x.txt", "_x.txt"),
    ("..", "__"),
    (".", "_"),
    ("a#b?c&d=e+f%20g.txt", "a_b_c_d_e_f_20g.txt"),
    (" blank .txt ", "_blank_.txt_"),
    ("x" * 255, "x" * 255),
]


@pytest.mark.parametrize(("filename", "segment"), NAMES, ids=range(len(NAMES)))
async def test_p6_p12_a_name_never_leaves_its_segment(in_table: Assistants, filename: str, segment: str) -> None:
    """And stays as it is for its owner; what is put to the address is found by the row."""
    assistant_id = an_assistant(in_table)
    begun = await begin(in_table, assistant_id, filename=filename)
    document_id = begun["documentId"]
    key = document_key(assistant_id, document_id, segment)
    row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"DOC#{document_id}")
    assert (row["s3Key"], row["filename"]) == (key, filename)
    assert key_of(begun["uploadUrl"], in_table) == key
    read = (await in_table("GET", f"/{assistant_id}/documents/{document_id}")).json()
    assert read["filename"] == filename
    fetched = (await in_table("GET", f"/{assistant_id}/documents/{document_id}/download")).json()
    assert (fetched["filename"], key_of(fetched["downloadUrl"], in_table)) == (filename, key)
    assert parse_qs(urlsplit(fetched["downloadUrl"]).query)["X-Amz-SignedHeaders"] == ["host"]


@pytest.mark.parametrize(
    ("members", "signed"),
    [
        ({"contentType": ""}, "application/octet-stream"),
        ({"contentType": "  "}, "application/octet-stream"),
        ({"contentType": "Text/Markdown; charset=UTF-8"}, "Text/Markdown; charset=UTF-8"),
    ],
    ids=["empty", "blank", "parameters"],
)
async def test_p11_which_type_is_signed(in_table: Assistants, members: dict[str, Any], signed: str) -> None:
    assistant_id = an_assistant(in_table)
    begun = await begin(in_table, assistant_id, **members)
    row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"DOC#{begun['documentId']}")
    assert row["contentType"] == signed


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"contentType": "text/plain\r\nx-a: b"}, "body.contentType"),
        ({"contentType": "text/pläin"}, "body.contentType"),
        ({"filename": ""}, "body.filename"),
        ({"filename": "x" * 256}, "body.filename"),
        ({"sizeBytes": -1}, "body.sizeBytes"),
        ({"sizeBytes": "many"}, "body.sizeBytes"),
    ],
    ids=["P11 header", "P11 umlaut", "no name", "long name", "negative", "text"],
)
async def test_p11_an_upload_that_is_refused(in_table: Assistants, members: dict[str, Any], field: str) -> None:
    assistant_id = an_assistant(in_table)
    answer = await in_table("POST", f"/{assistant_id}/documents/upload-url", {**PDF, **members})
    await in_table.assert_failed(answer, 422, "validation_error")
    assert answer.json()["field"] == field
    assert in_table.rows(assistant_id) == ["METADATA"]


async def test_example_18_the_status_while_it_is_polled(in_table: Assistants) -> None:
    """Members without a value are there and null; only `errorMessage` tells why it failed."""
    assistant_id = an_assistant(in_table)
    document_id = (await begin(in_table, assistant_id))["documentId"]
    path = f"/{assistant_id}/documents/{document_id}"
    shown = (await in_table("GET", path)).json()
    assert shown == {
        "documentId": document_id, "assistantId": assistant_id, "filename": "a.pdf",
        "contentType": "application/pdf", "sizeBytes": 3, "status": "uploading", "errorMessage": None,
        "errorDetails": None, "chunkCount": None, "createdAt": shown["createdAt"], "updatedAt": shown["createdAt"],
    }  # fmt: skip
    steps: list[dict[str, Any]] = [
        {"status": "chunking", "chunkCount": 10},
        {"status": "embedding", "chunkCount": 12},
        {"status": "failed", "errorMessage": "There is no text in it.", "errorDetails": "Traceback ..."},
        {"status": "complete", "chunkCount": 12, "vectorStoreId": "assistants-index"},
    ]
    for step in steps:
        in_table.platform.store(document(assistant_id, document_id, **{"chunkCount": LEFT_OUT, **step}))
        polled = (await in_table("GET", path)).json()
        assert polled["status"] == step["status"]
        assert polled["chunkCount"] == step.get("chunkCount")
        assert (polled["errorMessage"], polled["errorDetails"]) == (step.get("errorMessage"), None)
        assert "s3Key" not in polled
        assert "vectorStoreId" not in polled


async def test_example_17_an_old_row_that_holds_the_wrong_key(in_table: Assistants) -> None:
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    name = "My Notes (v1).PDF"
    wrong = document_key(assistant_id, document_id, name)
    right = document_key(assistant_id, document_id, "my_notes_(v1).pdf")
    in_table.platform.store(
        document(assistant_id, document_id, filename=name),
        StoredObject(DOCUMENTS_BUCKET, wrong, b"1"),
        StoredObject(DOCUMENTS_BUCKET, right, b"2"),
    )
    fetched = (await in_table("GET", f"/{assistant_id}/documents/{document_id}/download")).json()
    assert urlsplit(fetched["downloadUrl"]).path.endswith("/my_notes_%28v1%29.pdf")
    assert (fetched["filename"], fetched["expiresIn"]) == (name, 3600)
    assert (await in_table("DELETE", f"/{assistant_id}/documents/{document_id}")).status_code == 204
    assert objects(in_table, f"assistants/{assistant_id}/") == []


async def test_example_18_d2_a_ghost_is_no_document(in_table: Assistants) -> None:
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(ghost(assistant_id, document_id))
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        answer = await in_table(method, f"/{assistant_id}/documents/{document_id}{path}")
        await in_table.assert_failed(answer, 404, "not_found")
        assert document_id in answer.json()["detail"]
    assert (await in_table("GET", f"/{assistant_id}/documents")).json() == {"documents": [], "nextToken": None}


async def test_d3_whatever_stands_still_is_shown_and_can_be_deleted(in_table: Assistants) -> None:
    assistant_id = an_assistant(in_table)
    made = {status: a_document_id() for status in ("uploading", "chunking", "embedding", "failed", "complete")}
    for status, document_id in made.items():
        in_table.platform.store(*ingested(assistant_id, document_id, status=status))
    listed = (await in_table("GET", f"/{assistant_id}/documents")).json()["documents"]
    assert {one["status"]: one["documentId"] for one in listed} == made
    for document_id in made.values():
        assert (await in_table("DELETE", f"/{assistant_id}/documents/{document_id}")).status_code == 204
        assert in_table.platform.vectors(f"{document_id}#") == {}
    assert (in_table.rows(assistant_id), objects(in_table, f"assistants/{assistant_id}/")) == (["METADATA"], [])


async def test_example_19_d1_a_shorter_second_upload_leaves_nothing_behind(in_table: Assistants) -> None:
    """Ten vectors, and a row that knows of three."""
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(*ingested(assistant_id, document_id), *vectors(assistant_id, document_id, 10))
    with in_table.platform.proxy.injecting(Fault(FaultKind.SERVER_ERROR, "s3vectors", containing=document_id)):
        failed = await in_table("DELETE", f"/{assistant_id}/documents/{document_id}")
    await in_table.assert_failed(failed, 503, "service_unavailable")
    assert [one["documentId"] for one in (await in_table("GET", f"/{assistant_id}/documents")).json()["documents"]] == [
        document_id
    ]
    assert (await in_table("DELETE", f"/{assistant_id}/documents/{document_id}")).status_code == 204
    assert in_table.platform.vectors(f"{document_id}#") == {}


async def test_d5_prefixes_end_where_ids_end(in_table: Assistants) -> None:
    """Neither the longer id of a document nor that of an assistant is touched."""
    first = in_table.an_id("ast-prefix")
    longer = f"{first}0"
    in_table.platform.store(*(assistant(in_table.owner.user_id, one) for one in (first, longer)))
    document_id = a_document_id()
    for assistant_id, one in ((first, document_id), (first, f"{document_id}b"), (longer, f"{document_id}c")):
        in_table.platform.store(*ingested(assistant_id, one))
    assert (await in_table("DELETE", f"/{first}/documents/{document_id}")).status_code == 204
    assert len(in_table.platform.vectors(f"{document_id}b#")) == 3
    assert (await in_table("DELETE", f"/{first}")).status_code == 204
    assert in_table.rows(first) == []
    assert objects(in_table, f"assistants/{first}/") == []
    assert in_table.rows(longer) == [f"DOC#{document_id}c", "METADATA"]
    assert len(objects(in_table, f"assistants/{longer}/")) == 1
    assert list(in_table.platform.vectors(document_id)) == [f"{document_id}c#{number}" for number in range(3)]


async def test_f_ast_34_deleting_an_assistant_leaves_nothing(in_table: Assistants) -> None:
    """Neither ghosts nor rows that cannot be read stay, nor objects that no row names."""
    assistant_id = an_assistant(in_table, visibility="SHARED")
    good, ghostly, corrupt = a_document_id(), a_document_id(), a_document_id()
    in_table.platform.store(
        *ingested(assistant_id, good),
        ghost(assistant_id, ghostly),
        *vectors(assistant_id, ghostly, 2),
        document(assistant_id, corrupt, sizeBytes="x"),
        StoredObject(DOCUMENTS_BUCKET, document_key(assistant_id, "DOC-unknown", "x.pdf"), b"1"),
        *(share(assistant_id, f"{number}@b.edu") for number in range(30)),
        share(assistant_id, "corrupt@b.edu", firstInteracted="x"),
    )
    them = in_table.person(email="7@b.edu")
    assert len((await in_table("GET", by=them)).json()["assistants"]) == 1
    assert (await in_table("DELETE", f"/{assistant_id}")).status_code == 204
    assert in_table.rows(assistant_id) == []
    assert objects(in_table, f"assistants/{assistant_id}/") == []
    for document_id in (good, ghostly):
        assert in_table.platform.vectors(f"{document_id}#") == {}
    assert (await in_table("GET", by=them)).json()["assistants"] == []


async def test_d4_nothing_is_asked_for_nothing(in_table: Assistants) -> None:
    """S3 and the vector store refuse empty lists."""
    assistant_id = an_assistant(in_table)
    with in_table.platform.proxy.recording(containing=assistant_id) as recording:
        assert (await in_table("DELETE", f"/{assistant_id}")).status_code == 204
    operations = [call.target.operation for call in recording.calls]
    assert "DeleteVectors" not in operations
    assert "BatchWriteItem" not in operations
    assert not [call for call in recording.calls if "delete" in call.text.partition(" ")[0]]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [(FaultKind.ACCESS_DENIED, 500, "internal_error"), (FaultKind.THROTTLED, 503, "service_unavailable")],
)
async def test_d6_f_doc_12_a_vector_store_that_refuses(
    in_table: Assistants, kind: FaultKind, status: int, code: str
) -> None:
    """Never 404, which clients take for `not yet`."""
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(*ingested(assistant_id, document_id))
    for path in (f"/{assistant_id}/documents/{document_id}", f"/{assistant_id}"):
        with in_table.platform.proxy.injecting(Fault(kind, "s3vectors", containing=document_id)):
            await in_table.assert_failed(await in_table("DELETE", path), status, code)
    assert in_table.rows(assistant_id) == [f"DOC#{document_id}", "METADATA"]
    assert len(objects(in_table, f"assistants/{assistant_id}/")) == 1
    assert len(in_table.platform.vectors(f"{document_id}#")) == 3


FAILURES = [
    ("F-DOC-01", "POST", "/upload-url", PDF, "PutItem"),
    ("F-DOC-04", "GET", "/{id}", None, "GetItem"),
    ("F-DOC-06", "GET", "", None, "Query"),
    ("F-DOC-09", "GET", "", None, "BatchGetItem"),
    ("F-DOC-09 get", "GET", "/{id}", None, "BatchGetItem"),
    ("F-DOC-10", "DELETE", "/{id}", None, "BatchWriteItem"),
    ("F-DOC-14 read", "GET", "/{id}/download", None, "GetItem"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure[0])
async def test_a_failing_store_is_never_taken_for_an_absent_document(
    in_table: Assistants, failure: tuple[str, str, str, Any, str]
) -> None:
    _, method, path, body, operation = failure
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(document(assistant_id, document_id))
    table = in_table.platform.variables[ASSISTANTS]
    with in_table.platform.proxy.injecting(
        Fault(FaultKind.THROTTLED, "dynamodb", operation, table, containing=assistant_id)
    ):
        answer = await in_table(method, f"/{assistant_id}/documents{path.format(id=document_id)}", body)
    await in_table.assert_failed(answer, 503, "service_unavailable")
    assert in_table.rows(assistant_id) == [f"DOC#{document_id}", "METADATA"]


async def test_f_doc_11_an_object_that_cannot_be_deleted_keeps_its_row(in_table: Assistants) -> None:
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(*ingested(assistant_id, document_id))
    path = f"/{assistant_id}/documents/{document_id}"
    with in_table.platform.proxy.injecting(Fault(FaultKind.THROTTLED, "s3", containing=document_id)):
        await in_table.assert_failed(await in_table("DELETE", path), 503, "service_unavailable")
    assert in_table.rows(assistant_id) == [f"DOC#{document_id}", "METADATA"]
    assert (await in_table("DELETE", path)).status_code == 204
    again = await in_table("DELETE", path)
    await in_table.assert_failed(again, 404, "not_found")


@pytest.mark.parametrize(
    "corruption",
    [{"sizeBytes": "x"}, {"status": "thinking"}, {"filename": LEFT_OUT}],
    ids=["size", "status", "without a name"],
)
async def test_f_doc_04_07_a_row_that_cannot_be_read_is_no_absent_one(
    in_table: Assistants, corruption: dict[str, Any]
) -> None:
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(document(assistant_id, document_id, **corruption))
    for path in ("", f"/{document_id}", f"/{document_id}/download"):
        answer = await in_table("GET", f"/{assistant_id}/documents{path}")
        record = await in_table.assert_failed(answer, 500, "internal_error")
        assert record["key"] == f"AST#{assistant_id} / DOC#{document_id}"


async def test_pages_hold_every_document_once(in_table: Assistants) -> None:
    """Ghosts between them count for nothing."""
    assistant_id = an_assistant(in_table)
    made = sorted(a_document_id() for _ in range(7))
    rows = [
        ghost(assistant_id, one) if number % 3 == 1 else document(assistant_id, one) for number, one in enumerate(made)
    ]
    in_table.platform.store(*rows)
    expected = [one for number, one in enumerate(made) if number % 3 != 1]
    for limit in (1, 2, 5, 6, 10**30):
        found: list[list[str]] = []
        token = None
        while token is not None or not found:
            query = f"?limit={limit}" + (f"&next_token={quote(token)}" if token else "")
            page = (await in_table("GET", f"/{assistant_id}/documents{query}")).json()
            found.append([one["documentId"] for one in page["documents"]])
            token = page["nextToken"]
        assert list(itertools.chain(*found)) == expected
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    for query in ("", "?limit=0", "?limit=-3"):
        page = (await in_table("GET", f"/{assistant_id}/documents{query}")).json()
        assert ([one["documentId"] for one in page["documents"]], page["nextToken"]) == (expected, None)


async def test_f_doc_08_a_bad_token_is_not_the_first_page(in_table: Assistants) -> None:
    assistant_id = an_assistant(in_table)
    foreign = {"PK": f"AST#{assistant_id}0", "SK": "DOC#DOC-1"}
    outside = {"PK": f"AST#{assistant_id}", "SK": "METADATA"}
    keys: list[Any] = [foreign, outside, {}, []]
    encoded = [base64.b64encode(json.dumps(key).encode()).decode() for key in keys]
    for token in ("more", "%", *encoded):
        answer = await in_table("GET", f"/{assistant_id}/documents?next_token={quote(token, safe='')}")
        await in_table.assert_failed(answer, 400, "bad_request")
        assert answer.json()["field"] == "query.next_token"


async def test_a_document_is_found_under_its_own_assistant_only(in_table: Assistants) -> None:
    """Not by guessing its id under another one that the caller owns."""
    theirs, document_id = Assistants(in_table.platform), a_document_id()
    foreign = an_assistant(theirs)
    in_table.platform.store(*ingested(foreign, document_id))
    mine = an_assistant(in_table)
    for assistant_id in (mine, foreign):
        for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
            answer = await in_table(method, f"/{assistant_id}/documents/{document_id}{path}")
            await in_table.assert_failed(answer, 404, "not_found")
            assert document_id in answer.json()["detail"]
    assert len(in_table.platform.vectors(f"{document_id}#")) == 3


async def test_two_who_delete_at_once(in_table: Assistants) -> None:
    assistant_id, document_id = an_assistant(in_table), a_document_id()
    in_table.platform.store(*ingested(assistant_id, document_id))
    path = f"/{assistant_id}/documents/{document_id}"
    answers = await asyncio.gather(*(in_table("DELETE", path) for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert in_table.rows(assistant_id) == ["METADATA"]
    answers = await asyncio.gather(*(in_table("DELETE", f"/{assistant_id}") for _ in range(3)))
    assert min(answer.status_code for answer in answers) == 204
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert in_table.rows(assistant_id) == []


async def test_f_doc_05_local_files_know_no_documents(in_files: Assistants) -> None:
    assistant_id = an_assistant(in_files)
    assert (await in_files("GET", f"/{assistant_id}/documents")).json() == {"documents": [], "nextToken": None}
    begun = await in_files("POST", f"/{assistant_id}/documents/upload-url", PDF)
    await in_files.assert_failed(begun, 503, "service_unavailable")
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        answer = await in_files(method, f"/{assistant_id}/documents/DOC-1{path}")
        await in_files.assert_failed(answer, 404, "not_found")
    absent = await in_files("GET", "/ast-none/documents")
    await in_files.assert_failed(absent, 404, "not_found")


async def test_an_upload_from_its_beginning_to_its_end(in_table: Assistants) -> None:
    """As the web client goes: an address, the bytes, polling, a download in a new tab, and a deletion."""
    assistant_id, content = an_assistant(in_table), b"%PDF of fees"
    begun = await begin(in_table, assistant_id, filename="Fees 2026.pdf", sizeBytes=len(content))
    async with httpx.AsyncClient(trust_env=False) as browser:
        sent = await browser.put(begun["uploadUrl"], content=content, headers={"Content-Type": "application/pdf"})
        assert sent.status_code == 200
        row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"DOC#{begun['documentId']}")
        assert objects(in_table, f"assistants/{assistant_id}/") == [row["s3Key"]]
        path = f"/{assistant_id}/documents/{begun['documentId']}"
        assert (await in_table("GET", path)).json()["status"] == "uploading"
        in_table.platform.put(ASSISTANTS, {**row, "status": "complete", "chunkCount": 1})
        assert (await in_table("GET", path)).json()["status"] == "complete"
        address = (await in_table("GET", f"{path}/download")).json()["downloadUrl"]
        assert (await browser.get(address)).content == content
    assert (await in_table("DELETE", path)).status_code == 204
    assert objects(in_table, f"assistants/{assistant_id}/") == []
