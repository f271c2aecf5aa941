"""An embedded AWS endpoint (moto in server mode) and the resources of the platform in it."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from devstack import processes
from devstack.environment import DUMMY_CREDENTIALS, REGION, plumbing, without_aws
from devstack.model import Model
from devstack.ports import LOOPBACK, free_port
from devstack.processes import Child, or_raise
from devstack.tables import BUCKETS, TABLES, VECTORS, Bucket, Index, Key, Table, Vectors

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_bedrock_agentcore_control import BedrockAgentCoreControlClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        CreateTableInputTypeDef,
        GlobalSecondaryIndexTypeDef,
        KeySchemaElementTypeDef,
    )
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

WEB_ORIGINS = ["http://localhost:4200", "http://localhost:8000"]
EVENT_EXPIRY_DAYS = 90
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    endpoint: str
    process: Child

    def kill(self) -> None:
        """End the endpoint at once, as an outage does."""
        self.process.kill()
        self.process.wait()

    def reset(self) -> None:
        """Forget all resources and data; `create_resources` makes them anew."""
        reset(self.endpoint)


@dataclass(frozen=True, slots=True)
class BedrockModels:
    """What stands for models of Bedrock: `chat` answers for those that can chat."""

    embeddings: Literal["words", "meaning"] = "words"
    chat: Model | None = None
    api_key: str = ""


def start(port: int, log_dir: Path, models: BedrockModels = BedrockModels()) -> tuple[Child, str]:
    """The process and the URL that `ready` waits for."""
    environment = {
        **without_aws(plumbing()),
        **DUMMY_CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "OPENAI_API_KEY": models.api_key,
    }
    chat = () if models.chat is None else (models.chat.base_url, models.chat.name)
    command = ("devstack.aws_server", str(port), models.embeddings, *chat)
    child = processes.start("aws", *command, environment=environment, log_dir=log_dir)
    return child, f"http://{LOOPBACK}:{port}"


def ready(child: Child, endpoint: str) -> Result[float, ErrorDetail]:
    """Seconds until the endpoint answered."""
    return processes.wait_until_answers(child, f"{endpoint}/moto-api/", timeout=_START_SECONDS)


@contextmanager
def embedded_aws(port: int = 0) -> Iterator[EmbeddedAws]:
    """An empty endpoint in a process of its own, for tests and benchmarks; port 0 takes a free one."""
    with tempfile.TemporaryDirectory(prefix="devstack-aws-") as log_dir:
        child, endpoint = start(port or free_port(), Path(log_dir))
        try:
            or_raise(ready(child, endpoint))
            yield EmbeddedAws(endpoint, child)
        finally:
            processes.stop([child])


def reset(endpoint: str) -> None:
    """Forget all resources and data of the endpoint."""
    httpx.post(f"{endpoint}/moto-api/reset", trust_env=False, timeout=_START_SECONDS).raise_for_status()


def create_resources(endpoint: str, *, prefix: str = "local", objects: str | None = None) -> dict[str, str]:
    """Create all tables, buckets, the vector index, an AgentCore memory, and what keeps the secrets of OAuth
    connections, on an endpoint that lacks them. `objects` is that of the buckets, if it is another one.

    The result is the environment that makes both services use them, credentials and region included. Two prefixes
    are two independent sets on one endpoint.
    """
    session, direct = _session(), _no_proxy()
    dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint, config=direct)
    s3: S3Client = session.client("s3", endpoint_url=objects or endpoint, config=direct)
    control: BedrockAgentCoreControlClient = session.client(
        "bedrock-agentcore-control", endpoint_url=endpoint, config=direct
    )
    s3vectors: S3VectorsClient = session.client("s3vectors", endpoint_url=endpoint, config=direct)
    kms: KMSClient = session.client("kms", endpoint_url=endpoint, config=direct)

    with ThreadPoolExecutor(max_workers=4) as pool:
        memory = pool.submit(_create_memory, control, prefix)
        key = pool.submit(kms.create_key, Description=f"{prefix}-oauth-token-key")
        secret = pool.submit(_create_secret, secrets_client(endpoint), f"{prefix}-oauth-client-secrets")
        done = [pool.submit(_create_table, dynamodb, table, f"{prefix}-{table.name}") for table in TABLES]
        done += [pool.submit(_create_bucket, s3, bucket, f"{prefix}-{bucket.name}") for bucket in BUCKETS]
        done.append(pool.submit(_create_vectors, s3vectors, VECTORS, prefix))
        for future in done:
            future.result()
    return {
        **service_environment(endpoint),
        **({"AWS_ENDPOINT_URL_S3": objects} if objects is not None else {}),
        **{table.variable: f"{prefix}-{table.name}" for table in TABLES},
        **{bucket.variable: f"{prefix}-{bucket.name}" for bucket in BUCKETS},
        VECTORS.bucket_variable: f"{prefix}-{VECTORS.bucket}",
        VECTORS.index_variable: f"{prefix}-{VECTORS.index}",
        "AGENTCORE_MEMORY_TYPE": "dynamodb",
        "AGENTCORE_MEMORY_ID": memory.result(),
        "OAUTH_TOKEN_ENCRYPTION_KEY_ARN": key.result()["KeyMetadata"]["Arn"],
        "OAUTH_CLIENT_SECRETS_ARN": secret.result(),
    }


def create_buckets(endpoint: str, names: Mapping[str, str]) -> None:
    """Those that the variables `names` name, on an endpoint that does not have them yet."""
    s3: S3Client = _session().client("s3", endpoint_url=endpoint, config=_no_proxy())
    for bucket in BUCKETS:
        _create_bucket(s3, bucket, names[bucket.variable])


def service_environment(endpoint: str) -> dict[str, str]:
    """Endpoint, region and credentials alone: what a client of the endpoint needs."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **DUMMY_CREDENTIALS}


def dynamodb_client(endpoint: str) -> "DynamoDBClient":
    """A client for looking into, or filling, the tables of an endpoint."""
    client: DynamoDBClient = _session().client("dynamodb", endpoint_url=endpoint, config=_no_proxy())
    return client


def secrets_client(endpoint: str) -> "SecretsManagerClient":
    client: SecretsManagerClient = _session().client("secretsmanager", endpoint_url=endpoint, config=_no_proxy())
    return client


def _no_proxy() -> "Config":
    from botocore.config import Config  # noqa: PLC0415 - lazy, as boto3

    return Config(proxies={})


def _session() -> "Session":
    import boto3.session  # noqa: PLC0415 - lazy: half a second that the children's start can use

    return boto3.session.Session(
        aws_access_key_id=DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=DUMMY_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


def _create_table(client: "DynamoDBClient", table: Table, name: str) -> None:
    keys = [table.key, *(index.key for index in table.indexes)]
    attributes = sorted({attribute for key in keys for attribute in key.attributes()})
    request: CreateTableInputTypeDef = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(table.key),
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    client.create_table(**request)
    if table.time_to_live is not None:
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table.time_to_live}
        )


def _index(index: Index) -> "GlobalSecondaryIndexTypeDef":
    if index.include is None:
        return {"IndexName": index.name, "KeySchema": _key_schema(index.key), "Projection": {"ProjectionType": "ALL"}}
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.key),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.include)},
    }


def _key_schema(key: Key) -> "list[KeySchemaElementTypeDef]":
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": key.partition, "KeyType": "HASH"}]
    if key.sort is not None:
        schema.append({"AttributeName": key.sort, "KeyType": "RANGE"})
    return schema


def _create_bucket(client: "S3Client", bucket: Bucket, name: str) -> None:
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_cors(
        Bucket=name,
        CORSConfiguration={
            "CORSRules": [
                {
                    "AllowedOrigins": WEB_ORIGINS,
                    "AllowedMethods": ["GET", "HEAD", "PUT"],
                    "AllowedHeaders": ["Content-Length", "Content-Type", "x-amz-*"],
                    "ExposeHeaders": ["Content-Length", "Content-Type", "ETag"],
                    "MaxAgeSeconds": 3600,
                }
            ]
        },
    )
    if bucket.versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def _create_vectors(client: "S3VectorsClient", vectors: Vectors, prefix: str) -> None:
    bucket = f"{prefix}-{vectors.bucket}"
    client.create_vector_bucket(vectorBucketName=bucket)
    client.create_index(
        vectorBucketName=bucket,
        indexName=f"{prefix}-{vectors.index}",
        dataType="float32",
        dimension=vectors.dimension,
        distanceMetric="cosine",
        metadataConfiguration={"nonFilterableMetadataKeys": list(vectors.not_filterable)},
    )


def _create_memory(client: "BedrockAgentCoreControlClient", prefix: str) -> str:
    answer = client.create_memory(name=f"{prefix}_memory".replace("-", "_"), eventExpiryDuration=EVENT_EXPIRY_DAYS)
    return answer["memory"]["id"]


def _create_secret(client: "SecretsManagerClient", name: str) -> str:
    """With a random text in it, as deployments have it before the first provider is registered."""
    return client.create_secret(Name=name, SecretString=secrets.token_urlsafe())["ARN"]
