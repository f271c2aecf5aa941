"""The fault proxy itself: what the SDK makes of each fault, and what is recorded."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import botocore.exceptions as sdk
import pytest
from botocore.config import Config

from devstack.aws import EmbeddedAws, create_resources, embedded_aws
from tests.support.aws_wire import SECRET_SAUCE
from tests.support.fault_proxy import Fault, FaultKind, FaultProxy

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with embedded_aws() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def environment(aws: EmbeddedAws) -> Mapping[str, str]:
    return create_resources(aws.endpoint, prefix="proxy")


@pytest.fixture(scope="module")
def proxy(aws: EmbeddedAws) -> Iterator[FaultProxy]:
    with FaultProxy(aws.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def client(proxy: FaultProxy) -> Client:
    return clients(proxy, read_timeout=10)


@pytest.fixture(scope="module")
def hasty(proxy: FaultProxy) -> Client:
    """For calls that are not answered; what is answered must be by then, too."""
    return clients(proxy, read_timeout=1)


def clients(proxy: FaultProxy, *, read_timeout: float) -> Client:
    def make(service: str, attempts: int = 1) -> Any:
        return boto3.client(
            service,
            endpoint_url=proxy.url,
            region_name="us-west-2",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            config=Config(
                read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": attempts}, proxies={}
            ),
        )

    return make


Operation = Callable[[Client, Mapping[str, str]], Any]


def get_item(client: Client, environment: Mapping[str, str], attempts: int = 1) -> Any:
    return client("dynamodb", attempts).get_item(
        TableName=environment["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"], Key={"PK": {"S": "P"}, "SK": {"S": "S"}}
    )


def list_events(client: Client, environment: Mapping[str, str]) -> Any:
    return client("bedrock-agentcore").list_events(
        memoryId=environment["AGENTCORE_MEMORY_ID"], actorId="actor", sessionId="session"
    )


def get_memory(client: Client, environment: Mapping[str, str]) -> Any:
    return client("bedrock-agentcore-control").get_memory(memoryId=environment["AGENTCORE_MEMORY_ID"])


def get_object(client: Client, environment: Mapping[str, str]) -> Any:
    s3 = client("s3")
    s3.put_object(Bucket=environment["S3_USER_FILES_BUCKET_NAME"], Key="folder/key", Body=b"content")
    return s3.get_object(Bucket=environment["S3_USER_FILES_BUCKET_NAME"], Key="folder/key")["Body"].read()


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("dynamodb", "GetItem"): get_item,
    ("bedrock-agentcore", "ListEvents"): list_events,
    ("bedrock-agentcore-control", "GetMemory"): get_memory,
    ("s3", "GetObject"): get_object,
}
CODES = {
    ("dynamodb", FaultKind.ACCESS_DENIED): "AccessDeniedException",
    ("dynamodb", FaultKind.THROTTLED): "ProvisionedThroughputExceededException",
    ("dynamodb", FaultKind.SERVER_ERROR): "InternalServerError",
    ("bedrock-agentcore", FaultKind.ACCESS_DENIED): "AccessDeniedException",
    ("bedrock-agentcore", FaultKind.THROTTLED): "ThrottledException",
    ("bedrock-agentcore", FaultKind.SERVER_ERROR): "ServiceException",
    ("bedrock-agentcore-control", FaultKind.ACCESS_DENIED): "AccessDeniedException",
    ("bedrock-agentcore-control", FaultKind.THROTTLED): "ThrottledException",
    ("bedrock-agentcore-control", FaultKind.SERVER_ERROR): "ServiceException",
    ("s3", FaultKind.ACCESS_DENIED): "AccessDenied",
    ("s3", FaultKind.THROTTLED): "SlowDown",
    ("s3", FaultKind.SERVER_ERROR): "InternalError",
}


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_without_a_fault_calls_pass_and_are_recorded(
    proxy: FaultProxy, client: Client, environment: Mapping[str, str], service: str, operation: str
) -> None:
    with proxy.recording() as recording:
        OPERATIONS[service, operation](client, environment)
    last = recording.calls[-1].target
    assert (last.service, last.operation) == (service, operation)


@pytest.mark.parametrize("kind", [FaultKind.ACCESS_DENIED, FaultKind.THROTTLED, FaultKind.SERVER_ERROR])
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_refusals_speak_the_protocol_of_the_service(
    proxy: FaultProxy,
    client: Client,
    environment: Mapping[str, str],
    service: str,
    operation: str,
    kind: FaultKind,
) -> None:
    fault = Fault(kind, service, operation)
    with proxy.injecting(fault) as injection, pytest.raises(sdk.ClientError, match=SECRET_SAUCE) as raised:
        OPERATIONS[service, operation](client, environment)
    assert raised.value.response["Error"]["Code"] == CODES[service, kind]
    assert injection.hits == 1


@pytest.mark.parametrize(
    ("kind", "exception"), [(FaultKind.TIMEOUT, sdk.ReadTimeoutError), (FaultKind.RESET, sdk.HTTPClientError)]
)
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_broken_connections(
    proxy: FaultProxy,
    hasty: Client,
    environment: Mapping[str, str],
    service: str,
    operation: str,
    kind: FaultKind,
    exception: type[Exception],
) -> None:
    # S3 hands out the body as a stream: there the connection breaks while it is read.
    expected = (exception, sdk.ResponseStreamingError, ConnectionError) if service == "s3" else exception
    with proxy.injecting(Fault(kind, service, operation)), pytest.raises(expected):
        OPERATIONS[service, operation](hasty, environment)


def test_a_corrupt_item_keeps_its_keys(proxy: FaultProxy, client: Client, environment: Mapping[str, str]) -> None:
    table = environment["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]
    item = {"PK": {"S": "P2"}, "SK": {"S": "S"}, "title": {"S": "text"}, "count": {"N": "3"}}
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item)
    with proxy.injecting(Fault(FaultKind.CORRUPT_ITEM, "dynamodb", "GetItem", table=table)) as injection:
        answer = dynamodb.get_item(TableName=table, Key={"PK": {"S": "P2"}, "SK": {"S": "S"}})
    assert answer["Item"] == {"PK": {"S": "P2"}, "SK": {"S": "S"}, "title": {"L": []}, "count": {"S": "corrupt"}}
    assert injection.hits == 1


def test_an_answer_without_content_cannot_be_corrupted(
    proxy: FaultProxy, client: Client, environment: Mapping[str, str]
) -> None:
    with proxy.injecting(Fault(FaultKind.CORRUPT_ITEM)) as injection:
        get_item(client, environment)
    assert (injection.hits, injection.without_content) == (0, 1)


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.TIMEOUT, FaultKind.RESET])
def test_the_sdk_retries_what_is_worth_it(
    proxy: FaultProxy, hasty: Client, environment: Mapping[str, str], kind: FaultKind
) -> None:
    with proxy.recording() as recording, proxy.injecting(Fault(kind, once=True)) as injection:
        get_item(hasty, environment, attempts=2)
    assert injection.hits == 1
    assert [attempt.attempt for attempt in recording.attempts] == [1, 2]
    assert len(recording.calls) == 1


def test_a_fault_meets_every_attempt_of_the_call_it_names(
    proxy: FaultProxy, client: Client, environment: Mapping[str, str]
) -> None:
    with proxy.injecting(Fault(FaultKind.THROTTLED, "dynamodb", "GetItem", nth=2)) as injection:
        get_item(client, environment, attempts=2)
        with pytest.raises(sdk.ClientError):
            get_item(client, environment, attempts=2)
        get_item(client, environment, attempts=2)
    assert injection.hits == 2


def test_latency_is_added(proxy: FaultProxy, client: Client, environment: Mapping[str, str]) -> None:
    proxy.delay_seconds = 0.05
    begun = time.perf_counter()
    get_item(client, environment)
    proxy.delay_seconds = 0
    assert 0.05 <= time.perf_counter() - begun < 2


def test_a_dead_endpoint_is_a_broken_connection(client: Client, environment: Mapping[str, str]) -> None:
    with FaultProxy("http://127.0.0.1:9") as proxy:
        dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=proxy.url,
            region_name="us-west-2",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        with pytest.raises(sdk.ConnectionClosedError):
            dynamodb.list_tables()
