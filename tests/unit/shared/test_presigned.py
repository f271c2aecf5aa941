"""Addresses for browsers: every property of a signed URL. That S3 takes them is shown with a server that verifies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from apis.shared.aws.client import ServiceClient, s3_options
from apis.shared.aws.s3 import Bucket, PresignedUrl
from apis.shared.wiring import forget_all

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIFETIME = timedelta(seconds=900)
OTHER_HOSTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in OTHER_HOSTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    forget_all()


def new_client() -> "ServiceClient[S3Client]":
    return ServiceClient("s3", speaks_json=False, options=s3_options)


# Making a client takes a tenth of a second: those who want no other variables share one.
_shared = new_client()


async def put_url(
    key: str = "a/b.csv", *, name: str = "uf-bucket", client: "ServiceClient[S3Client]" = _shared
) -> PresignedUrl:
    return (await Bucket(name, client).presigned_put(key, "text/csv", LIFETIME)).unwrap()


@pytest.mark.parametrize(
    ("name", "variables", "address"),
    [
        ("uf-bucket", {}, "https://uf-bucket.s3.us-west-2.amazonaws.com/a/b.csv"),
        ("uf-bucket", {"AWS_REGION": "us-east-1"}, "https://uf-bucket.s3.us-east-1.amazonaws.com/a/b.csv"),
        ("uf-bucket", {"AWS_REGION": "cn-north-1"}, "https://uf-bucket.s3.cn-north-1.amazonaws.com.cn/a/b.csv"),
        ("uf.bucket", {}, "https://s3.us-west-2.amazonaws.com/uf.bucket/a/b.csv"),
        ("uf.bucket", {"AWS_REGION": "us-east-1"}, "https://s3.us-east-1.amazonaws.com/uf.bucket/a/b.csv"),
        ("uf-bucket", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9/uf-bucket/a/b.csv"),
        ("uf-bucket", {"AWS_ENDPOINT_URL_S3": "http://localhost:9"}, "http://localhost:9/uf-bucket/a/b.csv"),
        (
            "uf-bucket",
            {"AWS_ENDPOINT_URL": "http://a:9", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://uf-bucket.s3.us-west-2.amazonaws.com/a/b.csv",
        ),
        (
            "uf-bucket",
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://a:9"},
            "https://uf-bucket.s3.us-west-2.amazonaws.com/a/b.csv",
        ),
    ],
)
async def test_the_host(name: str, variables: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    forget_all()
    assert (await put_url(name=name, client=new_client())).url.partition("?")[0] == address


@pytest.mark.parametrize("checksums", [None, "when_supported"])
async def test_what_is_signed(checksums: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a browser does not send: it sends a content type and no header of S3."""
    client = new_client() if checksums else _shared
    if checksums:
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", checksums)
    put = parse_qs(urlsplit((await put_url(client=client)).url).query)
    get = parse_qs(urlsplit((await Bucket("b", client).presigned_get("a", LIFETIME)).unwrap().url).query)
    names = "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-Signature X-Amz-SignedHeaders"
    assert sorted(put) == sorted(get) == names.split()
    assert put["X-Amz-SignedHeaders"] == ["content-type;host"]
    assert get["X-Amz-SignedHeaders"] == ["host"]
    assert put["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert put["X-Amz-Expires"] == ["900"]


async def test_the_type_that_the_sdk_takes_for_its_own() -> None:
    """It is signed like any other: S3 is to take nothing else."""
    told = "application/x-www-form-urlencoded; charset=utf-8"
    signed = (await Bucket("uf-bucket", _shared).presigned_put("a", told, LIFETIME)).unwrap()
    assert parse_qs(urlsplit(signed.url).query)["X-Amz-SignedHeaders"] == ["content-type;host"]


async def test_credentials_of_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/token=")
    signed = await put_url(client=new_client())
    assert parse_qs(urlsplit(signed.url).query)["X-Amz-Security-Token"] == ["a/token="]


async def test_one_reading_of_the_clock() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    signed = await put_url()
    (moment,) = parse_qs(urlsplit(signed.url).query)["X-Amz-Date"]
    assert signed.expires_at == datetime.strptime(moment, "%Y%m%dT%H%M%S%z") + LIFETIME
    assert before <= signed.expires_at - LIFETIME <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("segment", "escaped"),
    [
        ("My Report (1).pdf", "My%20Report%20%281%29.pdf"),
        ('C++ 100% "done"?#1;a=b&c.txt', "C%2B%2B%20100%25%20%22done%22%3F%231%3Ba%3Db%26c.txt"),
        ("授業.pdf", "%E6%8E%88%E6%A5%AD.pdf"),
        ("e\u0301.txt", "e%CC%81.txt"),
        ("a~b-c_d.e", "a~b-c_d.e"),
        ("a'*!,:@$.txt ", "a%27%2A%21%2C%3A%40%24.txt%20"),
    ],
)
async def test_each_segment_of_the_key_is_escaped(segment: str, escaped: str) -> None:
    assert urlsplit((await put_url(f"user-files/1/s/{segment}")).url).path == f"/user-files/1/s/{escaped}"


@pytest.mark.parametrize("variables", [{"name": ""}, {"name": "uf-bucket", "credentials": ""}])
async def test_what_cannot_be_signed(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    if "credentials" in variables:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    error = (await Bucket(variables["name"], new_client()).presigned_put("a", "text/csv", LIFETIME)).failure()
    assert error.code == "internal_error"
