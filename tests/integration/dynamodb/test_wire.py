"""What the gateway makes of a wire that misbehaves: broken connections, odd answers, slow ones, proxies, TLS."""

import asyncio
import base64
import gzip
import logging
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from apis.shared.aws.dynamodb import DynamoClient, HashKey, Put, Query, Table, added, transact
from apis.shared.errors import ErrorCode
from apis.shared.result import Success
from tests.integration.conftest import Configure
from tests.integration.dynamodb.raw_server import (
    Act,
    RawServer,
    http,
    keeps_silent,
    raw_server,
    says,
    sends,
    then_hangs_up,
    then_resets,
    trickles,
)
from tests.support.certificates import server_context
from tests.support.platform import until

KEY = {"PK": "P", "SK": "S"}
ITEM = {"PK": {"S": "P"}, "SK": {"S": "S"}, "n": {"N": "1"}}
FOUND = {"Item": ITEM}
READ = {"PK": "P", "SK": "S", "n": 1}
HTML = b"<html><body>Sign in to the guest network</body></html>"

type Connect = Callable[..., DynamoClient]


def error_type(name: str, **more: object) -> dict[str, Any]:
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "no", **more}


@pytest.fixture
async def connect(configure: Configure) -> AsyncIterator[Connect]:
    """A client of a server, with little patience and the default number of attempts."""
    clients: list[DynamoClient] = []

    def connected(url: str, *, variables: Mapping[str, str] | None = None, **patience: float) -> DynamoClient:
        environment: dict[str, str | None] = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": None,
            "NO_PROXY": "127.0.0.1",
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "no_proxy")),
        }
        configure(**{**environment, **(variables or {})})
        clients.append(DynamoClient(**{"read_seconds": 0.3, **patience}))
        return clients[-1]

    yield connected
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize(
    ("act", "code", "sent_by_a_read", "sent_by_a_write"),
    [
        pytest.param(says(HTML), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="200 of a proxy"),
        pytest.param(says(b""), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="200 and nothing"),
        pytest.param(says([1]), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="no object"),
        pytest.param(says(b'{"Item": {'), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="cut JSON"),
        pytest.param(says(b"\xff\xfe{}"), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="no UTF-8"),
        pytest.param(
            says(b"", status="302 Found", headers={"Location": "/x"}), ErrorCode.INTERNAL_ERROR, 1, 1, id="redirected"
        ),
        pytest.param(says(HTML, status="403 Forbidden"), ErrorCode.SERVICE_UNAVAILABLE, 1, 1, id="403 of a proxy"),
        pytest.param(says(b"", status="429 Slow"), ErrorCode.SERVICE_UNAVAILABLE, 2, 2, id="429 and nothing"),
        pytest.param(says(HTML, status="429 Slow"), ErrorCode.SERVICE_UNAVAILABLE, 2, 2, id="429 of a proxy"),
        pytest.param(says(HTML, status="503 Gone"), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="503 of a proxy"),
        pytest.param(says(b"", status="502 Bad"), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="502 and nothing"),
        pytest.param(says([], status="500 Bad"), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="500 and no object"),
        pytest.param(
            says(error_type("ThrottlingException"), status="503 Slow"), ErrorCode.SERVICE_UNAVAILABLE, 2, 2, id="slow"
        ),
        pytest.param(
            says(error_type("NeverHeardOf"), status="400 Bad"), ErrorCode.INTERNAL_ERROR, 1, 1, id="unknown type"
        ),
        pytest.param(
            says({"__type": "RequestLimitExceeded:http://x/"}, status="400 B"), ErrorCode.SERVICE_UNAVAILABLE, 2, 2,
            id="type without a name space",
        ),
        pytest.param(
            says({"__type": 7, "CancellationReasons": 1}, status="400 B"), ErrorCode.INTERNAL_ERROR, 1, 1, id="odd type"
        ),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="no HTTP"),
        pytest.param(then_hangs_up(), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="hangs up"),
        pytest.param(then_resets(), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="resets"),
        pytest.param(then_hangs_up(http(b"{}")[:-1]), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="half an answer"),
        pytest.param(then_resets(http(b"{}")[:30]), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="half a head"),
        pytest.param(keeps_silent, ErrorCode.TIMEOUT, 2, 1, id="silent"),
        pytest.param(
            says(b"{}", headers={"x-amz-crc32": "1"}), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="wrong checksum"
        ),
        pytest.param(
            says(b"no gzip", headers={"Content-Encoding": "gzip"}), ErrorCode.SERVICE_UNAVAILABLE, 2, 1, id="no gzip"
        ),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none(
    connect: Connect, act: Act, code: ErrorCode, sent_by_a_read: int, sent_by_a_write: int
) -> None:
    async with raw_server(act) as server:
        table = Table("t", connect(server.url))
        assert (await table.get(KEY)).failure().code is code
        assert len(server.received) == sent_by_a_read
        assert (await table.update(KEY, added({"n": 1}))).failure().code is code
        assert len(server.received) == sent_by_a_read + sent_by_a_write


@pytest.mark.parametrize(
    "answer",
    [
        {"Item": 1},
        {"Item": {"a": {}}},
        {"Item": {"a": {"N": "seven"}}},
        {"Item": {"a": {"B": "%"}}},
        {"Item": {"a": {"X": 1}}},
    ],
)
async def test_json_of_another_shape(connect: Connect, answer: object) -> None:
    async with raw_server(says(answer)) as server:
        assert (await Table("t", connect(server.url)).get(KEY)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
    async with raw_server(says({})) as server:
        table = Table("t", connect(server.url))
        query = Query(HashKey("PK", "P"))
        assert (await table.query_all(query)).failure().code is ErrorCode.SERVICE_UNAVAILABLE, "not an empty page"
        assert (await table.count(query)).failure().code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ([{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "m"}], ErrorCode.CONFLICT),
        ([{"Code": "ThrottlingError"}, {"Code": "TransactionConflict"}], ErrorCode.CONFLICT),
        ([{"Code": "ProvisionedThroughputExceeded"}, {"Code": "ThrottlingError"}], ErrorCode.SERVICE_UNAVAILABLE),
        ([{"Code": "ProvisionedThroughputExceeded"}], ErrorCode.SERVICE_UNAVAILABLE),
        ([{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}], ErrorCode.CONFLICT),
        ([{"Code": "ItemCollectionSizeLimitExceeded"}, {"Code": "ThrottlingError"}], ErrorCode.SERVICE_UNAVAILABLE),
        ([{"Code": "ItemCollectionSizeLimitExceeded"}], ErrorCode.BAD_REQUEST),
        ([{"Code": "ValidationError", "Message": "Item size has exceeded the limit"}], ErrorCode.BAD_REQUEST),
        ([{"Code": "ValidationError", "Message": None}], ErrorCode.INTERNAL_ERROR),
        ([], ErrorCode.INTERNAL_ERROR),
    ],
)
async def test_why_a_transaction_was_cancelled(connect: Connect, reasons: list[Any], code: ErrorCode) -> None:
    answer = says(error_type("TransactionCanceledException", CancellationReasons=reasons), status="400 Bad")
    async with raw_server(answer) as server:
        outcome = await transact([Put("t", {**KEY})], client=connect(server.url))
        assert outcome.failure().code is code
        assert len(server.received) == 1


async def test_a_transaction_still_running_is_asked_for_again(connect: Connect) -> None:
    async with raw_server(says(error_type("TransactionInProgressException"), status="400 Bad"), says({})) as server:
        assert await transact([Put("t", {**KEY})], client=connect(server.url)) == Success(None)
        assert server.received[0].body == server.received[1].body


async def test_a_transaction_that_does_not_end(connect: Connect) -> None:
    """It may still be done or not, so it is an outage and no conflict."""
    async with raw_server(says(error_type("TransactionInProgressException"), status="400 Bad")) as server:
        outcome = await transact([Put("t", {**KEY})], client=connect(server.url))
    assert outcome.failure().code is ErrorCode.SERVICE_UNAVAILABLE
    assert len(server.received) == 2


@pytest.mark.parametrize("hang_up", [then_hangs_up, then_resets])
async def test_a_kept_connection_that_went_stale(connect: Connect, hang_up: Callable[[], Act]) -> None:
    """It breaks with the next request. A read is sent again; a write may have been done, so its caller is told."""
    async with raw_server(says(FOUND), hang_up(), says(FOUND), hang_up(), says(FOUND)) as server:
        table = Table("t", connect(server.url))
        assert await table.get(KEY) == Success(READ)
        assert await table.get(KEY) == Success(READ)
        assert [request.connection for request in server.received] == [1, 1, 2]
        assert (await table.update(KEY, added({"n": 1}))).failure().code is ErrorCode.SERVICE_UNAVAILABLE
        assert len(server.received) == 4
        assert await table.update(KEY, added({"n": 1})) == Success(None)


async def test_a_connection_that_was_closed_meanwhile_is_not_used(connect: Connect) -> None:
    """So a write does not meet it."""
    async with raw_server(then_hangs_up(http(b"{}")), says({})) as server:
        table = Table("t", connect(server.url))
        (await table.update(KEY, added({"n": 1}))).unwrap()
        await asyncio.sleep(0.05)
        (await table.update(KEY, added({"n": 1}))).unwrap()
        assert [request.connection for request in server.received] == [1, 2]


async def test_nothing_was_sent_without_a_connection(connect: Connect) -> None:
    """Then a write is tried again, too: here the endpoint comes up between the attempts."""
    async with raw_server(says({})) as server:
        port = int(server.url.rpartition(":")[2])
    table = Table("t", connect(f"http://127.0.0.1:{port}", variables={"AWS_MAX_ATTEMPTS": "10"}))
    waiting = asyncio.create_task(table.update(KEY, added({"n": 1})))
    await asyncio.sleep(0.3)
    received = RawServer([says({})])
    late = await asyncio.start_server(received.serve, "127.0.0.1", port)
    async with late:
        assert await waiting == Success(None)
        assert len(received.received) == 1
        assert received.received[0].headers["amz-sdk-request"] > "attempt=1"
        late.close()
        await table.client.aclose()


async def test_an_endpoint_that_is_not_there(connect: Connect) -> None:
    async with raw_server(says({})) as server:
        url = server.url
    for client in (connect(url), connect("http://no-such-host.invalid:1")):
        started = time.monotonic()
        assert (await Table("t", client).get(KEY)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
        assert time.monotonic() - started < 8.5


async def test_a_slow_trickle_ends_at_the_deadline(connect: Connect) -> None:
    async with raw_server(trickles(http(b"{}"), pause=0.1)) as server:
        table = Table("t", connect(server.url, deadline_seconds=0.6))
        started = time.monotonic()
        error = (await table.get(KEY)).failure()
        assert (error.code, error.context) == (ErrorCode.TIMEOUT, {"aws_service": "dynamodb"})
        assert time.monotonic() - started < 4, "the trickle alone takes longer"


async def test_the_deadline_includes_the_wait_for_a_connection(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apis.shared.aws.dynamodb import transport

    monkeypatch.setattr(transport, "CONNECTIONS", 1)
    async with raw_server(keeps_silent) as server:
        table = Table("t", connect(server.url, deadline_seconds=0.4, read_seconds=5.0))
        started = time.monotonic()
        errors = [outcome.failure() for outcome in await asyncio.gather(*(table.get(KEY) for _ in range(5)))]
        assert {error.code for error in errors} == {ErrorCode.TIMEOUT}
        assert time.monotonic() - started < 4, "less than one of them may read"
        assert server.connections <= 1, "a bounded number of calls in flight"


async def test_cancelled_calls_leave_the_pool_usable(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from apis.shared.aws.dynamodb import transport

    monkeypatch.setattr(transport, "CONNECTIONS", 2)
    async with raw_server(*[keeps_silent] * 2, says(FOUND)) as server:
        table = Table("t", connect(server.url, read_seconds=5.0))
        calls = [asyncio.create_task(table.get(KEY)) for _ in range(6)]

        async def are_sent() -> bool:
            return len(server.received) >= 2

        await until(are_sent)
        assert len(server.received) == 2
        for call in calls[:4]:  # two in flight, two that wait for a connection
            call.cancel()
        assert await asyncio.gather(*calls[4:]) == [Success(READ), Success(READ)]
        assert all(call.cancelled() for call in calls[:4])
        assert await asyncio.gather(*(table.get(KEY) for _ in range(6))) == [Success(READ)] * 6
        assert server.open_connections <= 2


async def test_a_caller_that_gives_up_during_the_first_call_stops_nobody_else(connect: Connect) -> None:
    async with raw_server(says(FOUND)) as server:
        table = Table("t", connect(server.url))
        first, second = asyncio.create_task(table.get(KEY)), asyncio.create_task(table.get(KEY))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == Success(READ)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_answer(connect: Connect, encoding: str) -> None:
    """None is asked for; a proxy may send one anyway."""
    plain = b'{"Item": {"PK": {"S": "P"}, "SK": {"S": "S"}, "n": {"N": "1"}}}'
    packed = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    headers = {"Content-Encoding": encoding, "x-amz-crc32": str(zlib.crc32(packed))}
    async with raw_server(says(packed, headers=headers)) as server:
        assert await Table("t", connect(server.url)).get(KEY) == Success(READ)
        assert server.received[0].headers["accept-encoding"] == "identity"


async def test_the_checksum_of_a_good_answer(connect: Connect) -> None:
    async with raw_server(says(b"{}", headers={"x-amz-crc32": str(zlib.crc32(b"{}"))})) as server:
        assert await Table("t", connect(server.url)).get(KEY) == Success(None)


async def test_connections_are_kept(connect: Connect) -> None:
    async with raw_server(says(FOUND)) as server:
        table = Table("t", connect(server.url))
        for _ in range(5):
            (await table.get(KEY)).unwrap()
        assert server.connections == 1
        await table.client.aclose()
        await asyncio.sleep(0.05)
        assert server.open_connections == 0
        (await table.get(KEY)).unwrap()
        assert server.connections == 2


def test_each_event_loop_has_its_own_connections(configure: Configure) -> None:
    client = DynamoClient()

    async def ask() -> None:
        async with raw_server(says(FOUND)) as server:
            configure(AWS_ENDPOINT_URL=server.url, AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="secret")
            client.forget()
            assert await asyncio.gather(*(Table("t", client).get(KEY) for _ in range(3))) == [Success(READ)] * 3
            await client.aclose()

    for _ in range(3):
        asyncio.run(ask())


async def test_tls_with_an_authority_of_its_own(connect: Connect, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    async with raw_server(says(FOUND), tls=server_context("localhost", bundle), host="localhost") as server:
        no_proxy = {"NO_PROXY": "localhost"}
        refused = await Table("t", connect(server.url, variables=no_proxy)).get(KEY)
        assert refused.failure().code is ErrorCode.SERVICE_UNAVAILABLE
        for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            client = connect(server.url, variables={**no_proxy, variable: str(bundle)})
            assert await Table("t", client).get(KEY) == Success(READ)
        missing = connect(server.url, variables={**no_proxy, "AWS_CA_BUNDLE": str(tmp_path / "none.pem")})
        assert (await Table("t", missing).get(KEY)).failure().code is ErrorCode.INTERNAL_ERROR


async def test_a_plain_endpoint_behind_a_proxy(connect: Connect) -> None:
    async with raw_server(says(FOUND)) as proxy:
        address = proxy.url.removeprefix("http://")
        proxied = {"HTTP_PROXY": f"http://user:pass@{address}", "NO_PROXY": ""}
        client = connect("http://dynamodb.example:8000", variables=proxied)
        assert await Table("t", client).get(KEY) == Success(READ)
        (request,) = proxy.received
        assert request.head.startswith("POST http://dynamodb.example:8000/ HTTP/1.1")
        assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()
        assert request.headers["host"] == "dynamodb.example:8000"


async def test_no_proxy_is_honoured(connect: Connect) -> None:
    async with raw_server(says(FOUND)) as server, raw_server(says({})) as proxy:
        direct = connect(server.url, variables={"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"})
        assert await Table("t", direct).get(KEY) == Success(READ)
        assert proxy.received == []


async def test_tls_through_a_proxy(connect: Connect, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    async with raw_server(says(FOUND), tls=server_context("dynamodb.example", bundle)) as server:
        port = int(server.url.rpartition(":")[2])

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

        async with raw_server(tunnel) as proxy:
            variables = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "", "AWS_CA_BUNDLE": str(bundle)}
            client = connect("https://dynamodb.example", variables=variables)
            table = Table("t", client)
            assert await table.get(KEY) == Success(READ)
            assert await table.get(KEY) == Success(READ)
            (request,) = proxy.received
            assert request.head.startswith("CONNECT dynamodb.example:443 ")
            assert "authorization" not in request.headers
            assert server.received[0].headers["host"] == "dynamodb.example"
            await client.aclose()


async def test_a_proxy_that_refuses(connect: Connect, tmp_path: Path) -> None:
    async with raw_server(says(HTML, status="407 Proxy Authentication Required")) as proxy:
        client = connect("https://dynamodb.example", variables={"HTTPS_PROXY": proxy.url, "NO_PROXY": ""})
        error = (await Table("t", client).update(KEY, added({"n": 1}))).failure()
        assert error.code is ErrorCode.SERVICE_UNAVAILABLE


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_no_log_shows_what_is_stored(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at its lowest level."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    secret, answered = "what-somebody-wrote", "what-is-stored"
    failing = says({"__type": "x#InternalServerError"}, status="500 Bad")
    async with raw_server(says({"Item": {"text": {"S": answered}}}), failing, says({})) as server:
        table = Table("t", connect(server.url))
        (await table.get({"PK": secret, "SK": "S"})).unwrap()
        assert (await table.put_if_absent({**KEY, "text": secret})).failure().code is ErrorCode.SERVICE_UNAVAILABLE
        (await table.put({**KEY, "text": secret})).unwrap()
    for shown in (secret, answered, "Credential=id/"):
        assert shown not in caplog.text
