"""Uploads as a browser does them: with the very address that the API answered, to a server that verifies it."""

import itertools
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from apis.shared.aws.client import ServiceClient, s3_options
from apis.shared.aws.s3 import Bucket
from apis.shared.wiring import forget_all
from devstack.aws import create_buckets
from devstack.objects import ObjectStore
from devstack.tables import BUCKETS
from tests.support import stored
from tests.support.model_server import ModelServer
from tests.support.platform import USER_ID, Platform
from tests.support.signed_uploads import Uploads

MAX_SIZE = 4_194_304
_users = itertools.count(700_000_001)


@pytest.fixture
def client(uploading: Platform) -> Uploads:
    """Somebody new."""
    return Uploads(uploading, uploading.sign_in(str(next(_users)), "Staff"), "s1")


async def test_from_the_file_picker_to_the_answer(uploading: Platform, model: ModelServer, session_id: str) -> None:
    """What the web client does, one request after the other."""
    client = Uploads(uploading, uploading.user, session_id)
    used, files = await client.usage()
    signed = (await client.presign("My Report (1).md", "text/markdown", 8)).json()
    assert await client.put(signed["presignedUrl"], b"# Report", "text/markdown") == 200
    assert await client.listed(sessionId=session_id) == {"files": [], "nextCursor": None, "totalCount": 0}
    done = (await client.complete(signed["uploadId"])).json()
    bucket = uploading.variables[stored.FILES_BUCKET]
    key = f"user-files/{USER_ID}/{session_id}/{signed['uploadId']}/My Report (1).md"
    assert done == {
        "uploadId": signed["uploadId"],
        "status": "ready",
        "s3Uri": f"s3://{bucket}/{key}",
        "filename": "My Report (1).md",
        "sizeBytes": 8,
    }
    (listed,) = (await client.listed(sessionId=session_id))["files"]
    assert done.items() <= listed.items()
    assert await client.usage() == (used + 8, files + 1)

    turn = await uploading.chat(session_id, "look", file_upload_ids=[signed["uploadId"]])

    assert turn.failure is None
    assert "# Report" in str(model.calls[0]["messages"][-1]["content"])
    text = (await uploading.messages(session_id))[0]["content"][0]["text"]
    assert text == f"look\n\n[Attached files: {listed['filename']}]"
    assert await client.delete(signed["uploadId"]) == 204
    assert await client.usage() == (used, files)


async def test_the_page_may_send_it(uploading: Platform, client: Uploads) -> None:
    """The browser asks first, because the page comes from another origin."""
    url = (await client.presign("a.csv", "text/csv", 3)).json()["presignedUrl"]
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    async with httpx.AsyncClient(trust_env=False) as browser:
        allowed = await browser.options(url, headers={"Origin": "http://localhost:4200", **asks})
        refused = await browser.options(url, headers={"Origin": "https://elsewhere.example", **asks})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "http://localhost:4200")
    assert refused.status_code == 403


async def test_the_address_and_its_end_are_of_one_moment(client: Uploads) -> None:
    signed = (await client.presign("a.csv", "text/csv", 3)).json()
    query = parse_qs(urlsplit(signed["presignedUrl"]).query)
    begin = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
    assert datetime.fromisoformat(signed["expiresAt"]) == begin + timedelta(seconds=int(query["X-Amz-Expires"][0]))
    assert signed["expiresAt"].endswith("Z")


@pytest.mark.parametrize(
    ("content_type", "headers", "status"),
    [
        ("text/csv", {}, 200),
        ("text/csv; charset=utf-8", {}, 403),
        ("Text/CSV", {}, 403),
        (None, {}, 403),
        ("text/csv", {"x-amz-acl": "public-read"}, 403),
        ("text/csv", {"x-amz-meta-a": "b"}, 403),
    ],
)
async def test_only_what_was_signed_is_taken(
    client: Uploads, content_type: str | None, headers: dict[str, str], status: int
) -> None:
    """A refused upload is none: finishing it says so, and it counts for nothing."""
    signed = (await client.presign("a.csv", "text/csv", 3)).json()
    assert await client.put(signed["presignedUrl"], b"a,b", content_type, **headers) == status
    if status == 200:
        assert (await client.complete(signed["uploadId"])).status_code == 200
        return
    answers = [await client.complete(signed["uploadId"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 409]
    assert "failed" in answers[1].json()["detail"]
    assert client.row(signed["uploadId"])["status"] == "failed"
    assert await client.usage() == (0, 0)


async def test_an_address_is_for_one_key(client: Uploads) -> None:
    url = (await client.presign("a.csv", "text/csv", 3)).json()["presignedUrl"]
    assert await client.put(url.replace("/a.csv?", "/b.csv?"), b"a,b", "text/csv") == 403
    assert await client.put(url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000"), b"a,b", "text/csv") == 403


@pytest.mark.parametrize(
    ("filename", "segment"),
    [
        ('C++ 100% "done"?#1;a=b&c.txt', 'C++ 100% "done"?#1;a=b&c.txt'),
        ("授業 計画.pdf", "授業 計画.pdf"),
        ("😀.md", "😀.md"),
        ("e\u0301.txt", "e\u0301.txt"),
        ("..hidden", "..hidden"),
        ("a.txt ", "a.txt "),
        ("Budget, final [v2].pdf", "Budget, final [v2].pdf"),
        ("\u202egpj.pdf", "\u202egpj.pdf"),
        ("../../other/x.pdf", ".._.._other_x.pdf"),
        ("..\\x.pdf", ".._x.pdf"),
        ("\0x.txt", "_x.txt"),
        ("..", "__"),
        (".", "_"),
        ("😀" * 255, "😀" * 63),
    ],
)
async def test_any_name(uploading: Platform, client: Uploads, filename: str, segment: str) -> None:
    """A name stays in its segment of the key, can be uploaded, and comes back character by character."""
    signed = (await client.presign(filename, "text/plain", 2)).json()
    assert await client.put(signed["presignedUrl"], b"ok", "text/plain") == 200
    assert (await client.complete(signed["uploadId"])).json()["filename"] == filename
    assert [file["filename"] for file in (await client.listed())["files"]] == [filename]
    key = client.row(signed["uploadId"])["s3Key"]
    user_id = client.row(signed["uploadId"])["userId"]
    assert key == f"user-files/{user_id}/s1/{signed['uploadId']}/{segment}"
    found = uploading.boto("s3").head_object(Bucket=uploading.variables[stored.FILES_BUCKET], Key=key)
    assert (found["ContentLength"], found["ContentType"]) == (2, "text/plain")


@pytest.mark.parametrize("session", ["../987654321/s9", "..", "", "s" * 900])
async def test_any_session(client: Uploads, session: str) -> None:
    signed = (await client.presign("a.txt", "text/plain", 2, sessionId=session)).json()
    assert await client.put(signed["presignedUrl"], b"ok", "text/plain") == 200
    assert (await client.complete(signed["uploadId"])).status_code == 200
    row = client.row(signed["uploadId"])
    assert row["sessionId"] == session
    segments = row["s3Key"].split("/")
    assert len(segments) == 5
    assert [segments[0], segments[1], segments[3]] == ["user-files", row["userId"], signed["uploadId"]]
    assert [file["sessionId"] for file in (await client.listed(sessionId=session))["files"]] == [session]


@pytest.mark.parametrize(
    ("size", "status", "says"), [(MAX_SIZE, 200, ""), (MAX_SIZE + 1, 400, "4MB"), (0, 400, "empty")]
)
async def test_what_was_uploaded_counts_not_what_was_declared(
    uploading: Platform, client: Uploads, size: int, status: int, says: str
) -> None:
    signed = (await client.presign("a.txt", "text/plain", 10)).json()
    assert await client.put(signed["presignedUrl"], b"x" * size, "text/plain") == 200
    answer = await client.complete(signed["uploadId"])
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["sizeBytes"], client.row(signed["uploadId"])["sizeBytes"]) == (size, size)
        assert await client.usage() == (size, 1)
        return
    assert says in answer.json()["detail"]
    assert "too large" not in answer.json()["detail"]
    row = client.row(signed["uploadId"])
    assert row["status"] == "failed"
    assert _objects(uploading, row["s3Key"]) == []
    assert await client.usage() == (0, 0)


async def test_an_upload_that_ends_after_it_was_given_up(uploading: Platform, client: Uploads) -> None:
    signed = (await client.presign("a.txt", "text/plain", 2)).json()
    assert (await client.complete(signed["uploadId"])).status_code == 404
    assert await client.put(signed["presignedUrl"], b"ok", "text/plain") == 200
    again = await client.complete(signed["uploadId"])
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await client.listed())["files"] == []
    assert await client.usage() == (0, 0)
    key = client.row(signed["uploadId"])["s3Key"]
    assert await client.delete(signed["uploadId"]) == 204
    assert _objects(uploading, key) == []


@pytest.mark.parametrize("content", [b"other bytes!", b"x" * (MAX_SIZE + 1)], ids=["other", "longer"])
async def test_what_was_replaced_afterwards_is_not_read(
    uploading: Platform, model: ModelServer, session_id: str, content: bytes
) -> None:
    """The address still holds for some minutes after the upload was finished."""
    client = Uploads(uploading, uploading.user, session_id)
    signed = (await client.presign("a.txt", "text/plain", 12)).json()
    assert await client.put(signed["presignedUrl"], b"first bytes!", "text/plain") == 200
    assert (await client.complete(signed["uploadId"])).status_code == 200
    assert await client.put(signed["presignedUrl"], content, "text/plain") == 200
    turn = await uploading.chat(session_id, "look", file_upload_ids=[signed["uploadId"]])
    assert (turn.status, turn.error["code"]) == (200, "conflict")
    assert model.calls == []


@pytest.fixture
def aws_itself(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Credentials of the server, and no endpoint: addresses are those of S3."""
    names = {bucket.variable: f"{uuid.uuid4().hex}-{bucket.name}" for bucket in BUCKETS}
    create_buckets(object_store.endpoint, names)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    forget_all()
    return names


async def test_the_address_of_a_region(object_store: ObjectStore, aws_itself: dict[str, str]) -> None:
    """As it is signed where no endpoint is configured; the server is told the host of the address."""
    bucket = Bucket(aws_itself[stored.FILES_BUCKET], ServiceClient("s3", speaks_json=False, options=s3_options))
    key = "user-files/123456789/s1/1a2067ac070_f7406981bd3047d1/My Report (1).pdf"
    put = urlsplit((await bucket.presigned_put(key, "application/pdf", timedelta(minutes=15))).unwrap().url)
    get = urlsplit((await bucket.presigned_get(key, timedelta(minutes=15))).unwrap().url)
    assert put.netloc == f"{bucket.name}.s3.us-west-2.amazonaws.com"
    async with httpx.AsyncClient(base_url=object_store.endpoint, trust_env=False) as browser:

        async def replay(method: str, url: Any, **options: Any) -> httpx.Response:
            headers = {"Host": url.netloc, **options.pop("headers", {})}
            return await browser.request(method, f"{url.path}?{url.query}", headers=headers, **options)

        wrong = await replay("PUT", put, content=b"%PDF", headers={"Content-Type": "application/octet-stream"})
        right = await replay("PUT", put, content=b"%PDF", headers={"Content-Type": "application/pdf"})
        read = await replay("GET", get)
    assert (wrong.status_code, right.status_code) == (403, 200)
    assert (read.status_code, read.content, read.headers["content-type"]) == (200, b"%PDF", "application/pdf")


def _objects(platform: Platform, key: str) -> list[str]:
    found = platform.boto("s3").list_objects_v2(Bucket=platform.variables[stored.FILES_BUCKET], Prefix=key)
    return [entry["Key"] for entry in found.get("Contents", [])]
