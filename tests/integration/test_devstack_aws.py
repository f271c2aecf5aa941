"""The embedded AWS endpoint holds what the one definition says."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from mypy_boto3_dynamodb import DynamoDBClient

from devstack.aws import EmbeddedAws, create_resources, dynamodb_client, embedded_aws
from devstack.model import LOCAL_MODEL, Model
from devstack.seed import seed_model
from devstack.tables import BUCKETS, TABLES, VECTORS

DEPLOYED = Path(__file__).with_name("deployed_tables.json")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with embedded_aws() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def variables(aws: EmbeddedAws) -> dict[str, str]:
    return create_resources(aws.endpoint)


def described(aws: EmbeddedAws, name: str) -> dict[str, Any]:
    """A table as the endpoint describes it, in the form of the snapshot."""
    client = dynamodb_client(aws.endpoint)
    table = client.describe_table(TableName=name)["Table"]
    time_to_live = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return {
        "billing": table["BillingModeSummary"]["BillingMode"],
        "keys": [f"{key['AttributeName']} {key['KeyType']}" for key in table["KeySchema"]],
        "attributes": {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]},
        "indexes": {
            index["IndexName"]: {
                "keys": [f"{key['AttributeName']} {key['KeyType']}" for key in index["KeySchema"]],
                "projection": index["Projection"]["ProjectionType"],
                "include": sorted(index["Projection"].get("NonKeyAttributes", [])),
            }
            for index in table.get("GlobalSecondaryIndexes", [])
        },
        "stream": table.get("StreamSpecification", {}).get("StreamViewType"),
        "time_to_live": time_to_live.get("AttributeName"),
    }


def test_the_tables_are_those_of_deployed_accounts(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    deployed = json.loads(DEPLOYED.read_text())
    assert {table.variable: described(aws, variables[table.variable]) for table in TABLES} == deployed


def test_the_buckets_exist_and_accept_uploads_from_the_web_client(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=variables["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    for bucket in BUCKETS:
        rules = s3.get_bucket_cors(Bucket=variables[bucket.variable])["CORSRules"]
        assert "http://localhost:4200" in rules[0]["AllowedOrigins"]
        assert "PUT" in rules[0]["AllowedMethods"]
    versioning = {b.name: s3.get_bucket_versioning(Bucket=variables[b.variable]).get("Status") for b in BUCKETS}
    assert versioning == {"user-files": None, "rag-documents": "Enabled"}


def test_the_memory_takes_events(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    client = boto3.client(
        "bedrock-agentcore",
        endpoint_url=aws.endpoint,
        region_name=variables["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    conversation = {"memoryId": variables["AGENTCORE_MEMORY_ID"], "actorId": "u1", "sessionId": "s1"}
    client.create_event(
        **conversation,
        eventTimestamp="2026-01-01T00:00:00Z",
        payload=[{"conversational": {"role": "USER", "content": {"text": "hello"}}}],
    )
    (event,) = client.list_events(**conversation, includePayloads=True)["events"]
    assert event["payload"][0]["conversational"]["content"]["text"] == "hello"


def test_two_prefixes_are_independent(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    other = create_resources(aws.endpoint, prefix="other")
    differing = {name for name in variables if variables[name] != other[name]}
    assert differing == {
        *(table.variable for table in TABLES),
        *(bucket.variable for bucket in BUCKETS),
        VECTORS.bucket_variable,
        VECTORS.index_variable,
        "AGENTCORE_MEMORY_ID",
        "OAUTH_CLIENT_SECRETS_ARN",
        "OAUTH_TOKEN_ENCRYPTION_KEY_ARN",
    }


def test_a_reset_forgets_everything_and_the_resources_can_be_made_anew() -> None:
    with embedded_aws() as aws:
        create_resources(aws.endpoint)
        aws.reset()
        client = dynamodb_client(aws.endpoint)
        assert client.list_tables()["TableNames"] == []
        create_resources(aws.endpoint)
        assert len(client.list_tables()["TableNames"]) == len(TABLES)


def test_a_killed_endpoint_refuses_connections() -> None:
    with embedded_aws() as aws:
        client = dynamodb_client(aws.endpoint)
        client.list_tables()
        aws.kill()
        with pytest.raises(EndpointConnectionError):
            client.list_tables()


def test_the_seeded_model_is_enabled_for_everybody_and_has_prices(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    table = variables["DYNAMODB_MANAGED_MODELS_TABLE_NAME"]
    client = dynamodb_client(aws.endpoint)
    seed_model(client, table, Model(LOCAL_MODEL, "http://127.0.0.1/v1"))
    (item,) = client.query(
        TableName=table,
        IndexName="ModelIdIndex",
        KeyConditionExpression="GSI1PK = :model",
        ExpressionAttributeValues={":model": {"S": f"MODEL#{LOCAL_MODEL}"}},
    )["Items"]
    assert item["PK"] == item["SK"] == {"S": f"MODEL#{item['id']['S']}"}
    assert item["enabled"] == {"BOOL": True}
    roles = {role["S"] for role in item["availableToRoles"]["L"]}
    assert roles >= {"Developer", "Staff"}, "the developer without signing in, and whoever signs in"
    assert float(item["inputPricePerMillionTokens"]["N"]) > 0
    assert float(item["outputPricePerMillionTokens"]["N"]) > 0


def transact(client: DynamoDBClient, table: str, *actions: dict[str, Any]) -> None:
    client.transact_write_items(
        TransactItems=[{kind: {"TableName": table, **body}} for action in actions for kind, body in action.items()]  # type: ignore[misc]  # the kind is a variable
    )


def key(name: str) -> dict[str, Any]:
    return {"PK": {"S": "atomic"}, "SK": {"S": name}}


def test_a_failed_transaction_leaves_no_trace(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    table = variables["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]
    client = dynamodb_client(aws.endpoint)
    for name in ("changed", "removed"):
        client.put_item(TableName=table, Item={**key(name), "n": {"N": "1"}})
    with pytest.raises(client.exceptions.TransactionCanceledException):
        transact(
            client,
            table,
            {
                "Update": {
                    "Key": key("changed"),
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            {"Delete": {"Key": key("removed")}},
            {"Put": {"Item": key("new")}},
            {"ConditionCheck": {"Key": key("absent"), "ConditionExpression": "attribute_exists(PK)"}},
        )
    for name in ("changed", "removed"):
        assert client.get_item(TableName=table, Key=key(name))["Item"]["n"] == {"N": "1"}
    assert "Item" not in client.get_item(TableName=table, Key=key("new"))


def test_no_write_is_lost_to_a_transaction_that_fails_meanwhile(aws: EmbeddedAws, variables: dict[str, str]) -> None:
    table = variables["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]
    client = dynamodb_client(aws.endpoint)

    for number in range(600):  # enough for a transaction to take a while
        client.put_item(TableName=table, Item=key(f"other-{number}"))

    def fail(_: int) -> None:
        with pytest.raises(client.exceptions.TransactionCanceledException):
            transact(
                client,
                table,
                {"Put": {"Item": key("never")}},
                {"ConditionCheck": {"Key": key("absent"), "ConditionExpression": "attribute_exists(PK)"}},
            )

    def count(_: int) -> None:
        client.update_item(
            TableName=table,
            Key=key("counter"),
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(work, turn) for turn in range(80) for work in (fail, count)]
        for outcome in outcomes:
            outcome.result()
    assert client.get_item(TableName=table, Key=key("counter"))["Item"]["n"] == {"N": "80"}


def test_transactions_do_not_fill_the_memory() -> None:
    with embedded_aws() as aws:
        table = create_resources(aws.endpoint)["DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]
        client = dynamodb_client(aws.endpoint)
        before = resident_megabytes(aws)
        for number in range(600):
            transact(client, table, {"Put": {"Item": key(str(number))}})
        assert resident_megabytes(aws) - before < 40


def resident_megabytes(aws: EmbeddedAws) -> int:
    status = Path(f"/proc/{aws.process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) // 1024
