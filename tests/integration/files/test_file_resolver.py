"""From upload ids to file contents: whose files, in which order, in how many calls, and every way it fails."""

import uuid
from collections import Counter
from typing import Any

import pytest

from apis.shared.files.file_resolver import FileResolver, ResolvedFile, get_file_resolver
from apis.shared.result import Success
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind


@pytest.fixture
def user() -> str:
    return uuid.uuid4().hex[:9]


@pytest.fixture
def resolver(aws: Aws) -> FileResolver:
    return get_file_resolver()


def upload(aws: Aws, user_id: str, name: str = "a.pdf", content: bytes | None = b"content", **changes: Any) -> str:
    """A ready file with its object; `content` None stores none. The id."""
    bucket = aws.environment[stored.FILES_BUCKET]
    pdf = {"mimeType": "application/pdf", "sizeBytes": 7}
    data, row = stored.uploaded_file(user_id, "s1", bucket, filename=name, content=content or b"", **{**pdf, **changes})
    aws.store(row, *([] if content is None else [data]))
    return str(row.item["uploadId"])


async def test_files_come_in_the_order_of_the_ids(aws: Aws, resolver: FileResolver, user: str) -> None:
    names = ["z.pdf", "Zürich/../etc \u2603.pdf", "a.pdf", "empty.txt", "m.pdf"]
    contents = [b"1", b"\x00\xff", b"3", b"", b"5" * 300_000]
    ids = [upload(aws, user, name, content) for name, content in zip(names, contents, strict=True)]
    with aws.proxy.recording() as recording:
        resolved = await resolver.resolve(user, ids)
    assert resolved == Success(
        [ResolvedFile(name, "application/pdf", content) for name, content in zip(names, contents, strict=True)]
    )
    assert Counter(call.target.operation for call in recording.calls) == {"GetItem": 5, "GetObject": 5}


async def test_nothing_attached_asks_nobody(aws: Aws, resolver: FileResolver, user: str) -> None:
    with aws.proxy.recording() as recording:
        assert await resolver.resolve(user, []) == Success([])
    assert recording.calls == []


async def test_the_record_says_where_the_object_is(aws: Aws, resolver: FileResolver, user: str) -> None:
    other = aws.environment["ASSISTANTS_DOCUMENTS_BUCKET_NAME"]
    elsewhere = upload(aws, user, s3Bucket=other, s3Key="old/place", content=b"elsewhere")
    without_bucket = upload(aws, user, s3Bucket=stored.LEFT_OUT, content=b"by default")
    resolved = (await resolver.resolve(user, [elsewhere, without_bucket])).unwrap()
    assert [file.data for file in resolved] == [b"elsewhere", b"by default"]


@pytest.mark.parametrize(("limit", "accepted"), [(None, 5), ("2", 2), ("9", 5)])
async def test_how_many_files_a_message_can_have(
    aws: Aws, configure: Configure, user: str, limit: str | None, accepted: int
) -> None:
    configure(FILE_UPLOAD_MAX_FILES_PER_MESSAGE=limit)
    resolver, upload_id = get_file_resolver(), upload(aws, user)
    assert len((await resolver.resolve(user, [upload_id] * accepted)).unwrap()) == accepted
    with aws.proxy.recording() as recording:
        error = (await resolver.resolve(user, [upload_id] * (accepted + 1))).failure()
    assert (error.code, error.message) == ("bad_request", f"A message can have at most {accepted} files.")
    assert recording.calls == []


async def test_a_file_of_somebody_else_does_not_exist(aws: Aws, resolver: FileResolver, user: str) -> None:
    mine, foreign = upload(aws, user), upload(aws, "somebody-else")
    unknown = (await resolver.resolve(user, [mine, "no-such-id"])).failure()
    refused = (await resolver.resolve(user, [mine, foreign])).failure()
    assert unknown == refused
    assert refused.code == "not_found"


@pytest.mark.parametrize("status", ["pending", "failed"])
async def test_an_upload_that_is_not_complete(aws: Aws, resolver: FileResolver, user: str, status: str) -> None:
    error = (await resolver.resolve(user, [upload(aws, user), upload(aws, user, status=status)])).failure()
    assert (error.code, error.message) == ("conflict", "The file a.pdf has not been uploaded completely.")


async def test_an_object_that_is_gone(aws: Aws, resolver: FileResolver, user: str) -> None:
    error = (await resolver.resolve(user, [upload(aws, user, content=None)])).failure()
    assert error.code == "not_found"
    assert "user-files" not in error.message


@pytest.mark.parametrize(
    ("changes", "content"),
    [({"etag": '"another"'}, b"content"), ({}, b"x" * 4_194_305), ({"etag": stored.LEFT_OUT}, b"x" * 4_194_305)],
    ids=["replaced", "longer", "longer, and older than its etag"],
)
async def test_an_object_that_is_another_one(
    aws: Aws, resolver: FileResolver, user: str, changes: dict[str, Any], content: bytes
) -> None:
    error = (await resolver.resolve(user, [upload(aws, user, content=content, **changes)])).failure()
    assert error.code == "conflict"


@pytest.mark.parametrize(
    "changes", [{"status": "lost"}, {"s3Key": stored.LEFT_OUT, "content": None}, {"sizeBytes": "big"}]
)
async def test_a_corrupt_record(aws: Aws, resolver: FileResolver, user: str, changes: dict[str, Any]) -> None:
    upload_id = upload(aws, user, **changes)
    error = (await resolver.resolve(user, [upload_id])).failure()
    assert error.code == "internal_error"
    assert error.context["key"] == f"USER#{user} / FILE#{upload_id}"
    assert "a.pdf" not in f"{error.context}{error.cause}"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.THROTTLED, "service_unavailable"),
        (FaultKind.SERVER_ERROR, "service_unavailable"),
        (FaultKind.RESET, "service_unavailable"),
        (FaultKind.ACCESS_DENIED, "internal_error"),
    ],
)
@pytest.mark.parametrize("operation", ["GetItem", "GetObject"])
async def test_one_failing_file_fails_all(
    aws: Aws, resolver: FileResolver, user: str, operation: str, kind: FaultKind, code: str
) -> None:
    ids = [upload(aws, user, name) for name in ("a.pdf", "b.pdf")]
    with aws.proxy.injecting(Fault(kind, operation=operation, containing=ids[1])) as fault:
        error = (await resolver.resolve(user, ids)).failure()
    assert (error.code, fault.hits) == (code, 1)
    assert (await resolver.resolve(user, ids)).map(len) == Success(2), "the failure was kept"
