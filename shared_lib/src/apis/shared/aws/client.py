"""One boto3 client per service and process, called from worker threads.

A client and its threads are made on first use. The number of threads equals the size of the client's connection
pool, so a call never waits for a connection while it holds a thread. Every call has a bound that includes the time
in the queue: a hanging endpoint is answered with `timeout`, whatever the retries do.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apis.shared.aws import memory_answers
from apis.shared.errors import ErrorDetail, timed_out
from apis.shared.result import ErrorTable, Failure, Result, attempt
from apis.shared.settings import AwsSettings, settings

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient
    from mypy_boto3_bedrock_agentcore_control import BedrockAgentCoreControlClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

# More threads than the processor can serve only fight for the interpreter lock, and starve the event loop.
POOL_SIZE = 8
CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 3.5
MAX_ATTEMPTS = 2
# Two attempts that both run into the read timeout, the pause between them, and some time in the queue.
CALL_DEADLINE_SECONDS = 8.5

type Options = Mapping[str, Any]  # Any: what botocore's Config takes


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer may take and, with its time in the queue, a call; how often it is sent, unless an operator
    has chosen otherwise."""

    read_seconds: float = READ_TIMEOUT_SECONDS
    call_seconds: float = CALL_DEADLINE_SECONDS
    attempts: int = MAX_ATTEMPTS
    is_fixed: bool = False


class ServiceClient[C]:
    """The client of one AWS service; `C` is its typed interface. `region` is asked when it is made; by default it is
    that of the deployment. `errors` makes the table of its failures, by default the AWS rows of the vocabulary.
    `options` is what its configuration has beside that of every client; `mending` gets answers, by operation, before
    the SDK reads them."""

    def __init__(
        self,
        service: str,
        *,
        speaks_json: bool = True,
        region: Callable[[], str] | None = None,
        errors: Callable[[], ErrorTable] | None = None,
        options: "Callable[[Session], Options]" = lambda _: {},
        mending: Mapping[str, memory_answers.BeforeParse] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._service = service
        self._speaks_json = speaks_json
        self._mending = mending or {}
        self._region = region or _region
        self._errors = errors
        self._options = options
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._client: C | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def call[T](
        self,
        operation: Callable[[C], T],
        *,
        lost_condition: ErrorDetail | None = None,
    ) -> Result[T, ErrorDetail]:
        """Run `operation` with the client in a worker thread.

        Fails as the AWS rows of the error vocabulary say. A failed condition becomes `lost_condition`, by default
        `conflict`.
        """
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._executor(), functools.partial(self._run, operation, lost_condition))
        try:
            await asyncio.wait((work,), timeout=self._patience.call_seconds)
        finally:
            # What nobody waits for any more, and no thread has begun, takes no thread from others.
            is_late = work.cancel()
        return Failure(timed_out(None, aws_service=self._service)) if is_late else work.result()

    def _run[T](self, operation: Callable[[C], T], lost_condition: ErrorDetail | None) -> Result[T, ErrorDetail]:
        from apis.shared.aws.errors import aws_errors  # noqa: PLC0415 - lazy: botocore stays out of the start

        errors = aws_errors(lost_condition) if self._errors is None else self._errors()
        return attempt(self._call_client, operation, errors=errors)

    def _call_client[T](self, operation: Callable[[C], T]) -> T:
        return operation(self._connected())

    def _connected(self) -> C:
        client = self._client
        if client is not None:
            return client
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _make(self) -> C:
        import boto3.session  # noqa: PLC0415 - lazy: boto3 stays out of the start

        from apis.shared.aws.errors import refuse_what_is_not_json  # noqa: PLC0415 - lazy: as above

        session = boto3.session.Session(region_name=self._region())
        config = client_config(self._patience, **self._options(session))
        client: C = session.client(self._service, config=config)  # the service's name decides which C it is
        events = client.meta.events  # type: ignore[attr-defined]  # C does not say so
        if self._speaks_json:
            events.register(f"before-parse.{self._service}", refuse_what_is_not_json)
        for operation, mend in self._mending.items():
            events.register(f"before-parse.{self._service}.{operation}", mend)
        return client

    def _executor(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix=f"aws-{self._service}")
        return self._threads


def _region() -> str:
    return settings(AwsSettings).region


def client_config(patience: Patience | None = None, **options: Any) -> "Config":  # Any: see Options
    """Timeouts, pool and retries of every client; `AWS_MAX_ATTEMPTS` and `AWS_RETRY_MODE` win over the defaults."""
    from botocore.config import Config  # noqa: PLC0415 - lazy: botocore stays out of the start

    chosen, patience = settings(AwsSettings), patience or Patience()
    chosen_attempts = None if patience.is_fixed else chosen.aws_max_attempts
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=patience.read_seconds,
        max_pool_connections=POOL_SIZE,
        tcp_keepalive=True,
        retries={
            "mode": chosen.aws_retry_mode or "standard",
            "total_max_attempts": chosen_attempts or patience.attempts,
        },
        **options,
    )


def s3_options(session: "Session") -> Options:
    """Signed addresses are for browsers: signature version 4, the host of the region (the global one redirects, which a
    preflight must not meet), and no checksum, which would be that of an empty body. Where the variables or the profile
    name an endpoint, the bucket is in its path: nothing says that its host has a name for each bucket."""
    from botocore.configprovider import ConfiguredEndpointProvider  # noqa: PLC0415 - lazy: botocore

    core = session._session  # boto3 has no other way to its configuration
    configured = ConfiguredEndpointProvider(core.full_config, core.get_scoped_config(), "s3").provide()
    is_elsewhere = configured is not None and not core.get_config_variable("ignore_configured_endpoint_urls")
    return {
        "signature_version": "s3v4",
        "request_checksum_calculation": "when_required",
        "s3": {
            "addressing_style": "path" if is_elsewhere else "virtual",
            "us_east_1_regional_endpoint": "regional",
        },
    }


s3: ServiceClient["S3Client"] = ServiceClient("s3", speaks_json=False, options=s3_options)
s3vectors: ServiceClient["S3VectorsClient"] = ServiceClient("s3vectors")
# Code of a model may run for minutes, and runs once: neither is so with what else the service is asked.
code_runs: ServiceClient["BedrockAgentCoreClient"] = ServiceClient(
    "bedrock-agentcore",
    speaks_json=False,
    patience=Patience(read_seconds=120.0, call_seconds=150.0, attempts=1, is_fixed=True),
)
ssm: ServiceClient["SSMClient"] = ServiceClient("ssm")
# Where deployments have put the address of the tool gateway, wherever else they run.
gateway_ssm: ServiceClient["SSMClient"] = ServiceClient("ssm", region=lambda: "us-west-2")
agentcore: ServiceClient["BedrockAgentCoreClient"] = ServiceClient("bedrock-agentcore")
# A turn can do without long-term memory: a search that hangs takes no thread from the messages of conversations.
memory_records: ServiceClient["BedrockAgentCoreClient"] = ServiceClient(
    "bedrock-agentcore", mending=memory_answers.RECORDS
)
agentcore_control: ServiceClient["BedrockAgentCoreControlClient"] = ServiceClient(
    "bedrock-agentcore-control", mending=memory_answers.STRATEGIES
)
kms: ServiceClient["KMSClient"] = ServiceClient("kms")
secrets_manager: ServiceClient["SecretsManagerClient"] = ServiceClient("secretsmanager")
