"""The local ingestion, by the contract of the deployed one: rows, statuses and vectors."""

import json
from typing import Any
from uuid import uuid4

import pytest

from apis.shared.knowledge.service import get_knowledge_base
from apis.shared.result import Success, error_of
from devstack.embeddings import DIMENSION
from devstack.ingestion import pipeline
from devstack.ingestion.chunks import SIZE
from devstack.ingestion.pipeline import Ingestion, Place, Stores, event_of, place_of
from devstack.ingestion.worker import Watch, stores
from tests.integration.conftest import Aws
from tests.support.aws_wire import Answer
from tests.support.documents import pdf
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.stored import LEFT_OUT
from tests.support.stored.assistants import ASSISTANTS, DOCUMENTS_BUCKET, document

DOCUMENT = "DOC-0123456789ab"


class Uploads:
    """One assistant's documents, as its owner uploads them and finds them afterwards."""

    def __init__(self, aws: Aws, clients: Stores) -> None:
        self.aws = aws
        self.stores = clients
        self.assistant_id = f"ast-{uuid4().hex[:12]}"
        self.bucket = aws.environment[DOCUMENTS_BUCKET]
        before = {"status": "uploading", "chunkCount": LEFT_OUT, "vectorStoreId": LEFT_OUT}
        failed_before = {"errorMessage": "old", "errorDetails": "old"}
        aws.store(document(self.assistant_id, DOCUMENT, filename="My Notes (v1).PDF", **before, **failed_before))

    def key(self, name: str) -> str:
        return f"assistants/{self.assistant_id}/documents/{DOCUMENT}/{name}"

    def put(self, name: str, data: bytes) -> pipeline.Event:
        self.aws.s3.put_object(Bucket=self.bucket, Key=self.key(name), Body=data)
        return event_of(self.bucket, self.key(name))

    def ingest(self, name: str, data: bytes) -> dict[str, Any]:
        assert Ingestion(self.stores).ingest(self.put(name, data)) == Success(None)
        return self.row

    @property
    def row(self) -> dict[str, Any]:
        return self.aws.item(ASSISTANTS, f"AST#{self.assistant_id}", f"DOC#{DOCUMENT}")

    @property
    def vectors(self) -> dict[str, Any]:
        found = self.aws.vectors(f"{DOCUMENT}#")
        return {key: found for key, found in found.items() if found["assistant_id"] == self.assistant_id}


@pytest.fixture(scope="module")
def clients(embedded: Aws) -> Stores:
    """Making them takes a second."""
    return stores(embedded.environment)


@pytest.fixture
def uploads(aws: Aws, clients: Stores) -> Uploads:
    return Uploads(aws, clients)


def paragraphs(count: int) -> bytes:
    """Texts of so many chunks."""
    return "\n\n".join(f"Passage {number}. " + "x" * (SIZE - 20) for number in range(count)).encode()


async def test_a_document_is_found_once_it_is_complete(uploads: Uploads) -> None:
    row = uploads.ingest("my_handbook_(v1).pdf", pdf("The library is open until nine", "Fees are due in May"))
    assert (row["status"], row["chunkCount"], row["vectorStoreId"]) == ("complete", 1, "assistants-index")
    assert "errorMessage" not in row
    assert "errorDetails" not in row
    assert row["filename"] == "My Notes (v1).PDF"
    assert uploads.vectors == {
        f"{DOCUMENT}#0": {
            "text": "The library is open until nine\nFees are due in May",
            "document_id": DOCUMENT,
            "assistant_id": uploads.assistant_id,
            "source": "my_handbook_(v1).pdf",
        }
    }
    (chunk,) = (await get_knowledge_base().search(uploads.assistant_id, "When are fees due?")).unwrap()
    assert (chunk.document_id, chunk.source) == (DOCUMENT, "My Notes (v1).PDF")


def test_the_statuses_on_the_way(uploads: Uploads) -> None:
    with uploads.aws.proxy.recording(containing=uploads.assistant_id) as recording:
        uploads.ingest("a.txt", paragraphs(12))
    updates = [json.loads(call.text.partition(" ")[2]) for call in recording.calls if "UpdateItem" in str(call.target)]
    told = [
        (values[":status"]["S"], int(values[":chunkCount"]["N"]) if ":chunkCount" in values else None)
        for values in (update["ExpressionAttributeValues"] for update in updates)
    ]
    assert told == [("chunking", None), ("chunking", 10), ("embedding", 12), ("complete", None)]
    assert not any("ConditionExpression" in update for update in updates)
    assert sorted(uploads.vectors) == sorted(f"{DOCUMENT}#{number}" for number in range(12))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.pdf", pdf("", ""), "no text in this document"),
        ("a.pdf", b"", "empty"),
        ("a.pdf", b"Dear reader", "cannot be read as a PDF"),
        ("a.pdf", pdf("Hello", user_password="x"), "password"),
        ("a.docm", b"PK", "type '.docm'"),
    ],
    ids=["scanned", "no bytes", "text named PDF", "password", "macros"],
)
def test_what_cannot_be_read_fails_with_a_sentence(uploads: Uploads, name: str, data: bytes, told: str) -> None:
    row = uploads.ingest(name, data)
    assert row["status"] == "failed"
    assert told in row["errorMessage"]
    assert row["errorDetails"]
    assert uploads.vectors == {}


def test_five_hundred_chunks_at_most(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pipeline.MOST_CHUNKS == 500
    monkeypatch.setattr(pipeline, "MOST_CHUNKS", 3)
    assert uploads.ingest("a.txt", paragraphs(3))["status"] == "complete"
    row = uploads.ingest("a.txt", paragraphs(4))
    assert (row["status"], row["errorMessage"]) == ("failed", pipeline.TOO_LONG.message)


def test_twenty_megabytes_at_most(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pipeline.LARGEST == 20 * 1024 * 1024
    monkeypatch.setattr(pipeline, "LARGEST", 10)
    assert uploads.ingest("a.txt", b"0123456789")["status"] == "complete"
    assert uploads.ingest("a.txt", b"0123456789a")["errorMessage"] == pipeline.TOO_LARGE.message


def test_a_blank_chunk_and_one_without_direction_are_left_out(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "chunks", lambda text: iter(["one", "  ", "silence", "two"]))

    def embedded(call: Call) -> Answer | None:
        if call.target.operation != "InvokeModel":
            return None
        first = 0.0 if "silence" in call.text else 1.0
        body = json.dumps({"embedding": [first, *[0.0] * (DIMENSION - 1)]}).encode()
        return Answer(200, "application/json", body)

    with uploads.aws.proxy.answering(embedded):
        row = uploads.ingest("a.txt", b"text")
        assert (row["status"], row["chunkCount"]) == ("complete", 3)
        assert {key: found["text"] for key, found in uploads.vectors.items()} == {
            f"{DOCUMENT}#0": "one", f"{DOCUMENT}#2": "two"
        }  # fmt: skip
        monkeypatch.setattr(pipeline, "chunks", lambda text: iter(["silence"]))
        assert uploads.ingest("a.txt", b"text")["status"] == "failed"


@pytest.mark.parametrize("operation", ["InvokeModel", "GetObject", "PutVectors"])
@pytest.mark.parametrize("kind", [FaultKind.ACCESS_DENIED, FaultKind.SERVER_ERROR])
def test_a_document_that_fails_on_its_way_is_failed_and_quotes_nothing(
    uploads: Uploads, operation: str, kind: FaultKind
) -> None:
    nth = 7 if operation == "InvokeModel" else None
    with uploads.aws.proxy.injecting(Fault(kind, operation=operation, nth=nth)) as injected:
        row = uploads.ingest("a.txt", paragraphs(9))
    assert injected.hits >= 1
    assert (row["status"], row["errorMessage"]) == ("failed", pipeline.NOT_DONE)
    assert "Traceback" in row["errorDetails"] or "Error" in row["errorDetails"]
    assert uploads.vectors == {}


def test_the_same_event_twice_is_as_once_and_a_shorter_upload_leaves_the_count_right(uploads: Uploads) -> None:
    once = uploads.ingest("a.txt", paragraphs(3))
    vectors = uploads.vectors
    twice = uploads.ingest("a.txt", paragraphs(3))
    assert {**once, "updatedAt": ""} == {**twice, "updatedAt": ""}
    assert uploads.vectors == vectors
    assert uploads.ingest("a.txt", paragraphs(1))["chunkCount"] == 1


def test_a_document_deleted_meanwhile_comes_back_as_a_ghost(uploads: Uploads) -> None:
    event = uploads.put("a.txt", b"text")
    uploads.aws.clear(ASSISTANTS)
    assert Ingestion(uploads.stores).ingest(event) == Success(None)
    assert set(uploads.row) == {"PK", "SK", "status", "updatedAt", "chunkCount", "vectorStoreId"}


KEYS = {
    "assistants/ast-1/documents/DOC-1/My+Notes+%28v1%29.pdf": ("ast-1", "DOC-1", "My Notes (v1).pdf"),
    "assistants/ast-1/documents/DOC-1/a%252Fb.pdf": ("ast-1", "DOC-1", "a%2Fb.pdf"),
    "assistants/ast-1/documents/DOC-1/a%2Fb.pdf": ("ast-1", "DOC-1", "a/b.pdf"),
    "ast-1/DOC-1/old.pdf": ("ast-1", "DOC-1", "old.pdf"),
    "assistants/ast-1/documents/DOC-1/": None,
    "assistants/": None,
}


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_events_are_decoded_once_and_before_they_are_split(key: str) -> None:
    event = {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": key}}}]}
    found = place_of(event)
    wanted = KEYS[key]
    assert (None if found is None else (found.assistant_id, found.document_id, found.name)) == wanted


def test_an_event_names_the_object_that_it_was_made_for() -> None:
    key = "assistants/a/documents/d/my_notes_+(v1)_100%.pdf"
    assert place_of(event_of("b", key)) == Place("b", key, "a", "d", "my_notes_+(v1)_100%.pdf")


def test_a_row_that_cannot_be_written_is_a_failure(uploads: Uploads) -> None:
    event = uploads.put("a.txt", b"text")
    with uploads.aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="UpdateItem")):
        assert error_of(Ingestion(uploads.stores).ingest(event)) is not None


def test_the_watch_ingests_each_upload_once_and_what_could_not_be_written_again(
    uploads: Uploads, capsys: pytest.CaptureFixture[str]
) -> None:
    for found in uploads.aws.s3.list_objects_v2(Bucket=uploads.bucket).get("Contents", ()):
        uploads.aws.s3.delete_object(Bucket=uploads.bucket, Key=found["Key"])
    watch = Watch(uploads.stores, uploads.bucket)
    uploads.put("a.txt", b"text")
    with uploads.aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="UpdateItem")):
        watch.look()
    assert uploads.row["status"] == "uploading"
    with uploads.aws.proxy.recording(containing=uploads.assistant_id) as recording:
        watch.look()
        watch.look()
    assert uploads.row["status"] == "complete"
    assert [call.target.operation for call in recording.calls].count("GetObject") == 1
    uploads.put("a.txt", b"other text")
    watch.look()
    assert [found["text"] for found in uploads.vectors.values()] == ["other text"]
    with uploads.aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, service="s3")):
        watch.look()
    assert "cannot look into" in capsys.readouterr().out
