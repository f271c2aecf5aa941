"""Documents of an assistant as a browser uploads and opens them: with the very addresses that the API answered, at a
server that verifies them."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.platform import USER_ID, Platform
from tests.support.signed_uploads import Uploads
from tests.support.stored.assistants import ASSISTANTS, DOCUMENTS_BUCKET, assistant, document_key

FORM = "application/x-www-form-urlencoded; charset=utf-8"


@pytest.fixture
def assistant_id(uploading: Platform) -> str:
    """One of the developer's."""
    made = f"ast-{uuid4().hex[:12]}"
    uploading.store(assistant(USER_ID, made))
    return made


@pytest.fixture
def browser(uploading: Platform) -> Uploads:
    return Uploads(uploading, uploading.user, "s1")


async def begin(platform: Platform, assistant_id: str, filename: str, content_type: str) -> dict[str, Any]:
    body = {"filename": filename, "contentType": content_type, "sizeBytes": 2}
    answer = await platform.ask(platform.user, "POST", f"/assistants/{assistant_id}/documents/upload-url", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("given", "sent", "others"),
    [
        ("", "application/octet-stream", [None, "text/plain"]),
        ("Text/Markdown; charset=UTF-8", "Text/Markdown; charset=UTF-8", [None, "text/markdown; charset=utf-8"]),
        ("text/plain;  a=b ", "text/plain; a=b", ["text/plain"]),
        (FORM, FORM, [None, "text/html", "application/x-www-form-urlencoded"]),
    ],
    ids=["blank", "with parameters", "with blanks", "of forms"],
)
async def test_p11_only_the_type_that_was_told_is_taken(
    uploading: Platform, browser: Uploads, assistant_id: str, given: str, sent: str, others: list[str | None]
) -> None:
    begun = await begin(uploading, assistant_id, "a.bin", given)
    for other in others:
        assert await browser.put(begun["uploadUrl"], b"ok", other) == 403
    key = document_key(assistant_id, begun["documentId"], "a.bin")
    bucket, s3 = uploading.variables[DOCUMENTS_BUCKET], uploading.boto("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=key)
    assert await browser.put(begun["uploadUrl"], b"ok", sent, **{"x-amz-meta-a": "b"}) == 403
    assert await browser.put(begun["uploadUrl"], b"ok", sent) == 200
    assert s3.head_object(Bucket=bucket, Key=key)["ContentType"] == sent


@pytest.mark.parametrize(
    ("filename", "segment"),
    [
        ("My Notes (v1).PDF", "my_notes_(v1).pdf"),
        ("\u6388\u696d\u8a08\u753b.pdf", "____.pdf"),
        ("\u0130stanbul.PDF", "i_stanbul.pdf"),
        ("\U0001f600.md", "_.md"),
        ("..", "__"),
        ("../../other/C++ 100%?#1.txt", ".._.._other_c___100___1.txt"),
        ("\U0001f600" * 255, "_" * 255),
    ],
    ids=["upper case", "characters", "two of one", "outside the plane", "dots", "path", "long"],
)
async def test_p6_p12_from_the_upload_to_the_deletion(
    uploading: Platform, browser: Uploads, assistant_id: str, filename: str, segment: str
) -> None:
    begun = await begin(uploading, assistant_id, filename, "text/plain")
    path = f"/assistants/{assistant_id}/documents/{begun['documentId']}"
    assert await browser.put(begun["uploadUrl"], b"ok", "text/plain") == 200
    assert await browser.put(begun["uploadUrl"].replace(begun["documentId"], "DOC-000000000000"), b"ok", None) == 403
    row = uploading.item(ASSISTANTS, f"AST#{assistant_id}", f"DOC#{begun['documentId']}")
    assert row["s3Key"] == document_key(assistant_id, begun["documentId"], segment)

    fetched = (await uploading.ask(uploading.user, "GET", f"{path}/download")).json()
    assert fetched["filename"] == filename
    async with httpx.AsyncClient(trust_env=False) as tab:
        opened = await tab.get(fetched["downloadUrl"])
        altered = await tab.get(fetched["downloadUrl"].replace("Expires=3600", "Expires=36000"))
    assert (opened.status_code, opened.content, altered.status_code) == (200, b"ok", 403)

    assert (await uploading.ask(uploading.user, "DELETE", path)).status_code == 204
    left = uploading.boto("s3").list_objects_v2(
        Bucket=uploading.variables[DOCUMENTS_BUCKET], Prefix=f"assistants/{assistant_id}/"
    )
    assert left["KeyCount"] == 0
    assert (await uploading.ask(uploading.user, "GET", path)).status_code == 404


async def test_an_assistant_goes_with_all_objects_that_ever_were_its_own(
    uploading: Platform, browser: Uploads, assistant_id: str
) -> None:
    """Also with one that was uploaded again after its document was deleted: its address still held."""
    begun = [await begin(uploading, assistant_id, name, "text/plain") for name in ("a.txt", "b.txt")]
    for one in begun:
        assert await browser.put(one["uploadUrl"], b"ok", "text/plain") == 200
    gone = f"/assistants/{assistant_id}/documents/{begun[0]['documentId']}"
    assert (await uploading.ask(uploading.user, "DELETE", gone)).status_code == 204
    assert await browser.put(begun[0]["uploadUrl"], b"ok", "text/plain") == 200
    assert (await uploading.ask(uploading.user, "DELETE", f"/assistants/{assistant_id}")).status_code == 204
    left = uploading.boto("s3").list_objects_v2(
        Bucket=uploading.variables[DOCUMENTS_BUCKET], Prefix=f"assistants/{assistant_id}/"
    )
    assert left["KeyCount"] == 0
    assert uploading.items(ASSISTANTS, f"AST#{assistant_id}") == []
