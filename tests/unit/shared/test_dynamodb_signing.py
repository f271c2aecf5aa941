"""The signature is botocore's, whatever is signed; and the endpoint is the one that botocore would ask."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import botocore.auth
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.aws.dynamodb.resolution import Target, resolve_target
from apis.shared.aws.dynamodb.signing import Keys, Signer

texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
tokens = st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=900)
keys = st.builds(Keys, texts, texts, tokens)
hosts = st.sampled_from(
    ["dynamodb.us-west-2.amazonaws.com", "localhost:8000", "127.0.0.1:4566", "[::1]:8000", "vpce-1.example:8443"]
)
paths = st.sampled_from(["/", "/aws", "/a/b-c_d.e~f/"])
bodies = st.binary(max_size=300) | st.dictionaries(st.text(), st.text()).map(lambda value: json.dumps(value).encode())
moments = st.datetimes(datetime.datetime(2001, 1, 1), datetime.datetime(2099, 12, 31))
regions = st.sampled_from(["us-west-2", "eu-central-1", "us-gov-west-1"])
operations = st.sampled_from(["GetItem", "Query", "TransactWriteItems"])


def botocore_signs(
    url: str, headers: Mapping[str, str], body: bytes, keys: Keys, region: str, moment: datetime.datetime
) -> Mapping[str, str]:
    request = AWSRequest("POST", url, headers=dict(headers), data=body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    # The only way to tell it the time.
    with patch.object(botocore.auth, "get_current_datetime", lambda *_: moment):
        SigV4Auth(credentials, "dynamodb", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(keys, hosts, paths, bodies, moments, regions, operations)
def test_the_signature_is_botocores(
    keys: Keys, host: str, path: str, body: bytes, moment: datetime.datetime, region: str, operation: str
) -> None:
    now = moment.replace(tzinfo=datetime.UTC).timestamp()
    ours = Signer(region=region, host=host, path=path).headers(operation, body, keys, now)
    unsigned = {name: ours[name] for name in ("content-type", "x-amz-target")}
    theirs = botocore_signs(f"http://{host}{path}", unsigned, body, keys, region, moment)
    assert ours["host"] == host
    assert ours["authorization"] == theirs["authorization"]
    assert ours["x-amz-date"] == theirs["x-amz-date"]
    assert ours.get("x-amz-security-token") == keys.token == theirs.get("x-amz-security-token")
    assert ("x-amz-security-token" in ours["authorization"]) == (keys.token is not None), "the token is signed"


@given(st.lists(st.tuples(keys, moments), min_size=2, max_size=4))
def test_a_signer_that_changes_keys_and_days(uses: list[tuple[Keys, datetime.datetime]]) -> None:
    """What it derives from a secret and a day is kept for the next request, and for no other secret or day."""
    kept = Signer(region="us-west-2", host="h", path="/")
    for keys, moment in (*uses, *uses):
        fresh = Signer(region="us-west-2", host="h", path="/")
        now = moment.replace(tzinfo=datetime.UTC).timestamp()
        assert kept.headers("Query", b"{}", keys, now) == fresh.headers("Query", b"{}", keys, now)


def test_no_secret_is_shown() -> None:
    assert repr(Keys("id", "secret-key", "secret-token")) == "Keys(access_key='id')"


def asked_by_botocore(region: str) -> tuple[str, str, str]:
    """URL, host and signing region of what a client of botocore would send."""
    client = botocore.session.get_session().create_client(
        "dynamodb", region_name=region, aws_access_key_id="id", aws_secret_access_key="secret"
    )
    seen: list[AWSRequest] = []

    class NoBody:
        def stream(self, **_: object) -> list[bytes]:
            return [b"{}"]

    def instead_of_sending(request: AWSRequest, **_: object) -> AWSResponse:
        seen.append(request)
        return AWSResponse(str(request.url), 200, HTTPHeaders(), NoBody())

    client.meta.events.register("before-send.dynamodb.GetItem", instead_of_sending)  # type: ignore[arg-type]  # the stubs forget the answer
    client.get_item(TableName="t", Key={"PK": {"S": "P"}})  # type: ignore[attr-defined]  # the stubs know no operations
    url = str(seen[0].url)
    return url, urlsplit(url).netloc, str(seen[0].headers["Authorization"]).split("/")[2]


PROFILE = """
[default]
endpoint_url = http://profile.example:1
[profile service]
services = mine
[services mine]
dynamodb =
  endpoint_url = http://service.example:2/aws
s3 =
  endpoint_url = http://s3.example:3
[profile fips]
use_fips_endpoint = true
"""


@pytest.mark.parametrize(
    ("variables", "region", "url"),
    [
        ({}, "us-west-2", "https://dynamodb.us-west-2.amazonaws.com/"),
        ({}, "cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn/"),
        ({}, "local", "http://localhost:8000/"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "us-west-2", "https://dynamodb-fips.us-west-2.amazonaws.com/"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com/"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "us-west-2", "https://dynamodb.us-west-2.api.aws/"),
        ({"AWS_ENDPOINT_URL": "http://a:1"}, "us-west-2", "http://a:1/"),
        ({"AWS_ENDPOINT_URL": "http://[::1]:8000"}, "us-west-2", "http://[::1]:8000/"),
        ({"AWS_ENDPOINT_URL": "https://a:443/x"}, "us-west-2", "https://a:443/x"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://b:2"}, "us-west-2", "http://b:2/"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://b:2"}, "us-west-2", "http://a:1/"),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "us-west-2",
            "https://dynamodb.us-west-2.amazonaws.com/",
        ),
        ({"AWS_CONFIG_FILE": "profile"}, "us-west-2", "http://profile.example:1/"),
        ({"AWS_CONFIG_FILE": "profile", "AWS_PROFILE": "service"}, "us-west-2", "http://service.example:2/aws"),
        (
            {"AWS_CONFIG_FILE": "profile", "AWS_PROFILE": "fips"},
            "us-west-2",
            "https://dynamodb-fips.us-west-2.amazonaws.com/",
        ),
    ],
)
def test_the_endpoint_is_botocores(
    variables: Mapping[str, str], region: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "profile").write_text(PROFILE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if name == "AWS_CONFIG_FILE" else value)
    target = resolve_target(region)
    assert target.url == url
    asked, netloc, signing_region = asked_by_botocore(region)
    assert (target.url, target.region) == (asked, signing_region)
    assert target.host == netloc.removesuffix(":443"), "the port of the scheme is not part of the host"
    assert (target.tls is not None) == url.startswith("https:")


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "https://a.example", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://a.example", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.example"}, "https://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.example", None),
        ({"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"}, "https://a.example", "http://lower:1"),
    ],
)
def test_the_proxy(variables: Mapping[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    target: Target = resolve_target("us-west-2")
    assert target.proxy == proxy
