"""Credentials of every source of botocore's chain, seen in the request; and their refresh beside the event loop."""

import asyncio
import datetime
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials as Source
from botocore.credentials import RefreshableCredentials, SSOProvider
from botocore.exceptions import CredentialRetrievalError

from apis.shared.aws.dynamodb import DynamoClient, Table
from apis.shared.aws.dynamodb.credentials import Credentials
from apis.shared.aws.dynamodb.signing import Keys
from apis.shared.errors import ErrorCode
from apis.shared.result import Success
from tests.integration.conftest import Configure
from tests.integration.dynamodb.raw_server import Act, RawServer, http, raw_server, says

KEY = {"PK": "P", "SK": "S"}
OLD, NEW = Keys("old", "secret", "token"), Keys("new", "secret", "token")
EXPIRED = {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "no"}


def moment(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat()


def authorities(servers: list[RawServer]) -> Act:
    """Every service that hands out credentials, and DynamoDB."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = servers[0].received[-1]
        path = request.head.split(" ")[1]
        document = {"AccessKeyId": "found", "SecretAccessKey": "s", "Token": "t", "Expiration": moment(3600)}
        if "x-amz-target" in request.headers:
            answer = http(b"{}")
        elif path.startswith("/federation"):
            role = {"accessKeyId": "found", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4e12}
            answer = http(json.dumps({"roleCredentials": role}).encode())
        elif b"AssumeRoleWithWebIdentity" in request.body:
            inner = f"<AccessKeyId>found</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{moment(3600)}</Expiration>"  # noqa: E501
            name = "AssumeRoleWithWebIdentity"
            xml = f"<{name}Response><{name}Result><Credentials>{inner}</Credentials></{name}Result></{name}Response>"
            answer = http(xml.encode(), headers={"Content-Type": "text/xml"})
        elif path.endswith("/api/token"):
            answer = http(b"session", headers={"Content-Type": "text/plain"})
        elif path.endswith("/security-credentials/"):
            answer = http(b"role", headers={"Content-Type": "text/plain"})
        else:
            answer = http(json.dumps({**document, "Code": "Success"}).encode())
        writer.write(answer)
        await writer.drain()

    return act


def environment(home: Path, url: str) -> Mapping[str, Mapping[str, str]]:
    """The variables of each source; `home` holds what they name."""
    process = f"{sys.executable} {home / 'process.py'}"
    (home / "process.py").write_text(
        """print('{"Version": 1, "AccessKeyId": "found", "SecretAccessKey": "s", "SessionToken": "t"}')"""
    )
    sso_start = "https://start.example"
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "t", "expiresAt": "2100-01-01T00:00:00Z", "startUrl": sso_start, "region": "us-west-2"}
    (cache / f"{hashlib.sha1(sso_start.encode()).hexdigest()}.json").write_text(json.dumps(token))
    (home / "config").write_text(
        f"[profile process]\ncredential_process = {process}\n"
        f"[profile sso]\nsso_start_url = {sso_start}\nsso_region = us-west-2\n"
        "sso_account_id = 123456789012\nsso_role_name = role\n"
        "[profile keys]\naws_access_key_id = found\naws_secret_access_key = s\naws_session_token = t\n"
    )
    (home / "identity").write_text("identity")
    config = {"AWS_CONFIG_FILE": str(home / "config")}
    return {
        "environment": {"AWS_ACCESS_KEY_ID": "found", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
        "profile": {**config, "AWS_PROFILE": "keys"},
        "process": {**config, "AWS_PROFILE": "process"},
        "SSO": {**config, "AWS_PROFILE": "sso"},
        "web identity": {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "identity"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
        },
        "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials"},
        "instance": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_EC2_METADATA_DISABLED": "false"},
    }


NO_SOURCE: Mapping[str, str | None] = {
    **dict.fromkeys(
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
        )
    ),
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "NO_PROXY": "127.0.0.1",
    "AWS_REGION": "us-west-2",
}


@pytest.mark.parametrize(
    "source", ["environment", "profile", "process", "SSO", "web identity", "container", "instance"]
)
async def test_a_source(source: str, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # botocore looks for the home folder when it is imported.
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / ".aws" / "sso" / "cache"))
    servers: list[RawServer] = []
    async with raw_server(authorities(servers)) as server:
        servers.append(server)
        variables = environment(tmp_path, server.url)[source]
        configure(**{**NO_SOURCE, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": server.url, **variables})
        client = DynamoClient()
        table = Table("t", client)
        outcomes = await asyncio.gather(*(table.get(KEY) for _ in range(5)))
        assert outcomes == [Success(None)] * 5
        await client.aclose()
        asked = [request for request in server.received if "x-amz-target" in request.headers]
        assert len(asked) == 5
        for request in asked:
            assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=found/")
            assert request.headers["x-amz-security-token"] == "t"
            assert "x-amz-security-token" in request.headers["authorization"]
        others = len(server.received) - len(asked)
        # The instance is asked for a session, its role and the keys.
        assert others == {"SSO": 1, "web identity": 1, "container": 1, "instance": 3}.get(source, 0), "read once"


async def test_f_smc_70_no_credentials_are_our_fault_until_there_are_some(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(says({})) as server:
        configure(**{**NO_SOURCE, "AWS_ENDPOINT_URL": server.url})
        client = DynamoClient()
        error = (await Table("t", client).get(KEY)).failure()
        assert error.code is ErrorCode.INTERNAL_ERROR
        assert server.received == []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert await Table("t", client).get(KEY) == Success(None)
        await client.aclose()


async def test_a_profile_that_does_not_exist(configure: Configure) -> None:
    configure(**{**NO_SOURCE, "AWS_PROFILE": "no-such-profile"})
    assert (await Table("t", DynamoClient()).get(KEY)).failure().code is ErrorCode.INTERNAL_ERROR


class Authority:
    """botocore's own refreshable credentials, from a source and with a clock that the test controls."""

    def __init__(self, remaining: float, *, fails: bool = False, then_remaining: float = 3600.0) -> None:
        self.fails, self.then_remaining = fails, then_remaining
        self.go = threading.Event()
        self.refreshes = 0
        self.at_once = 0
        self.most_at_once = 0
        self.passed = datetime.timedelta()
        self.remaining = remaining
        expires = self.now() + datetime.timedelta(hours=1)
        self.source = RefreshableCredentials(
            "old", "secret", "token", expires, self.refresh, "test", time_fetcher=self.now
        )

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + self.passed

    def refresh(self) -> dict[str, Any]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.go.wait(5)
        self.refreshes += 1
        self.at_once -= 1
        if self.fails:
            raise CredentialRetrievalError(provider="test", error_msg="not now")
        expires = self.now() + datetime.timedelta(seconds=self.then_remaining)
        return {"access_key": "new", "secret_key": "secret", "token": "token", "expiry_time": expires.isoformat()}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what it waits for happens in a thread
            await asyncio.sleep(0.01)


async def held(authority: Authority) -> Credentials:
    """Credentials that were read long ago and expire when the authority says."""
    credentials = Credentials(lambda: authority.source)
    assert await credentials.keys() == Success(OLD)
    authority.passed = datetime.timedelta(seconds=3600 - authority.remaining)
    return credentials


async def test_the_chain_is_read_once() -> None:
    reads: list[int] = []

    def find() -> Source:
        reads.append(threading.get_ident())
        time.sleep(0.1)
        return Source("old", "secret", "token")

    credentials = Credentials(find)
    assert await asyncio.gather(*(credentials.keys() for _ in range(20))) == [Success(OLD)] * 20
    assert len(reads) == 1
    assert reads[0] != threading.get_ident(), "off the event loop"


async def test_ahead_of_expiry_the_old_ones_are_used_while_new_ones_are_fetched() -> None:
    authority = Authority(remaining=12 * 60)
    credentials = await held(authority)
    assert await asyncio.gather(*(credentials.keys() for _ in range(20))) == [Success(OLD)] * 20
    assert authority.refreshes == 0, "nobody waited for it"
    authority.go.set()
    await until(lambda: authority.refreshes > 0)
    await asyncio.sleep(0.05)
    assert await credentials.keys() == Success(NEW)
    assert (authority.refreshes, authority.most_at_once) == (1, 1)


async def test_shortly_before_expiry_everybody_waits_for_one_refresh() -> None:
    authority = Authority(remaining=5 * 60)
    credentials = await held(authority)
    waiting = [asyncio.create_task(credentials.keys()) for _ in range(20)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting), "and the event loop is free"
    waiting[0].cancel()
    authority.go.set()
    assert await asyncio.gather(*waiting[1:]) == [Success(NEW)] * 19
    assert (authority.refreshes, authority.most_at_once) == (1, 1)


@pytest.mark.parametrize("remaining", [12 * 60, 5 * 60])
async def test_a_refresh_that_fails_keeps_the_old_ones(remaining: float) -> None:
    authority = Authority(remaining, fails=True)
    authority.go.set()
    credentials = await held(authority)
    for _ in range(5):
        assert await credentials.keys() == Success(OLD)
        await asyncio.sleep(0.02)
    assert authority.refreshes == 1, "the next attempt has time"
    credentials._not_before = 0.0
    authority.fails = False
    (await credentials.keys()).unwrap()
    await until(lambda: authority.refreshes > 1)
    await asyncio.sleep(0.05)
    assert await credentials.keys() == Success(NEW)


async def test_expired_ones_are_not_used() -> None:
    authority = Authority(remaining=-1, fails=True)
    authority.go.set()
    credentials = await held(authority)
    assert (await credentials.keys()).failure().code is ErrorCode.INTERNAL_ERROR
    authority.fails = False
    assert await credentials.keys() == Success(NEW)


async def test_a_source_that_gives_expired_ones() -> None:
    authority = Authority(remaining=-1, then_remaining=-1)
    authority.go.set()
    credentials = await held(authority)
    assert (await credentials.keys()).failure().code is ErrorCode.INTERNAL_ERROR


async def test_ones_that_the_service_says_have_expired_are_read_anew_once(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = says(EXPIRED, status="400 Bad")
    async with raw_server(*[expired] * 5, says({})) as server:
        configure(
            **{
                **NO_SOURCE,
                "AWS_ENDPOINT_URL": server.url,
                "AWS_ACCESS_KEY_ID": "old",
                "AWS_SECRET_ACCESS_KEY": "secret",
            }
        )
        client = DynamoClient()
        table = Table("t", client)
        # The same credentials again: nothing to repeat with.
        assert (await table.get(KEY)).failure().context["aws_code"] == "ExpiredTokenException"
        assert len(server.received) == 1
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
        assert await asyncio.gather(*(table.get(KEY) for _ in range(4))) == [Success(None)] * 4
        used = [request.headers["authorization"].split("/")[0].rpartition("=")[2] for request in server.received]
        assert used == ["old"] * 5 + ["new"] * 4
        await client.aclose()


async def test_a_write_is_repeated_with_new_credentials(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refused the first one before it did anything."""

    async def meanwhile_new(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
        await says(EXPIRED, status="400 Bad")(reader, writer)

    async with raw_server(meanwhile_new, says({})) as server:
        old = {"AWS_ACCESS_KEY_ID": "old", "AWS_SECRET_ACCESS_KEY": "secret"}
        configure(**{**NO_SOURCE, **old, "AWS_ENDPOINT_URL": server.url})
        client = DynamoClient()
        assert await Table("t", client).put_if_absent({**KEY}) == Success(True)
        assert len(server.received) == 2
        await client.aclose()
