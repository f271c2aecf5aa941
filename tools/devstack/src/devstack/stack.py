"""Start all parts in the right order, keep them running, and stop them in reverse."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from apis.shared.aws.errors import aws_errors
from apis.shared.errors import ErrorDetail
from apis.shared.result import Failure, Result, Success, attempt, railway
from devstack import aws, console, embeddings, model, objects, processes, services
from devstack.aws import BedrockModels
from devstack.environment import REGION, caller, without_aws
from devstack.failures import refusal
from devstack.identity import process
from devstack.identity.process import LocalIdentity
from devstack.ingestion import process as ingestion
from devstack.model import Model
from devstack.options import Options
from devstack.people import seed_people
from devstack.ports import LOOPBACK, bindable
from devstack.processes import Child
from devstack.seed import seed_model, seed_provider
from devstack.tables import TABLES, table_by_variable

LOCAL_KEY = "local"
_WATCH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stack:
    app_url: str
    inference_url: str
    aws_url: str | None
    """None: the caller's AWS account."""
    objects_url: str | None
    """None: the buckets are where the rest of AWS is."""
    model: Model
    identity: LocalIdentity | None
    """None: authentication is off, and everybody is the development user."""
    log_dir: Path
    dependencies: tuple[Child, ...]
    """The embedded AWS endpoint, the local model and the identity provider, as far as they run here."""
    apis: tuple[Child, ...]

    def watch(self) -> Result[None, ErrorDetail]:
        """Wait until an API ends, which it should not; only a signal ends the wait otherwise.

        A dependency that ends is an outage: it is reported, and the APIs go on, to show how they answer without it.
        """
        missed: set[str] = set()
        while True:
            for api in self.apis:
                if not api.is_running:
                    return Failure(api.death())
            for dependency in self.dependencies:
                if not dependency.is_running and dependency.name not in missed:
                    missed.add(dependency.name)
                    console.complain(f"{dependency.death().message}\n\nThe APIs go on without it. Ctrl-C stops them.")
            time.sleep(_WATCH_SECONDS)


@railway
def start(options: Options, log_dir: Path, cleanup: ExitStack) -> Result[Stack, ErrorDetail]:
    """Everything running and healthy. What was started is stopped by `cleanup`, also after a failure.

    Fails with a sentence for the terminal: a port is taken, a package or credentials are missing, a part did not start.
    """
    _check_ports(options).unwrap()
    parent = caller()
    api_key = parent.get("OPENAI_API_KEY", LOCAL_KEY) if options.model_url is not None else LOCAL_KEY
    dependencies: list[Child] = []

    loading: Child | None = None
    if options.model_url is not None:
        chosen = model.remote_model(options.model_url, options.model_name, api_key).unwrap()
    else:
        file = model.model_file().unwrap()
        loading, chosen = model.start(file, options.model_port, log_dir)
        cleanup.callback(processes.stop, [loading])
        dependencies.append(loading)

    if options.aws:
        cloud = _Cloud(_account(parent).unwrap())
    else:
        cloud = _embedded(options, parent, chosen, api_key, log_dir, cleanup).unwrap()
        dependencies += cloud.children
        dependencies.append(_ingestion(cloud.environment, log_dir, cleanup))

    identity: LocalIdentity | None = None
    signing_in: Mapping[str, str] = services.DEVELOPMENT
    if options.sign_in:
        app_url = f"http://{LOOPBACK}:{options.app_port}"
        provider, identity = process.start(options.identity_port, app_url, parent, log_dir)
        cleanup.callback(processes.stop, [provider])
        dependencies.append(provider)
        process.ready(provider, identity).unwrap()
        console.say(f"  identity       {identity.url}")
        # Still a machine of developers, whose web client may call the services.
        signing_in = {
            "ENVIRONMENT": "development",
            **identity.environment(parent.get("ENTRA_REDIRECT_URI")),
            # Where connecting an account ends; the provider has a page for it too.
            "FRONTEND_URL": parent.get("FRONTEND_URL") or identity.url,
        }
        if cloud.url is not None:
            attempt(_offer_account, cloud.url, cloud.environment, identity, errors=aws_errors()).unwrap()

    callback = f"http://{LOOPBACK}:{options.app_port}/oauth/callback"
    connecting = {"OAUTH_CALLBACK_URL": parent.get("OAUTH_CALLBACK_URL") or callback}
    environment = {**cloud.environment, **connecting, **signing_in, **chosen.environment(api_key)}
    app, app_url = services.start(services.APP_API, "app api", options.app_port, environment, log_dir)
    inference, inference_url = services.start(
        services.INFERENCE_API, "inference api", options.inference_port, environment, log_dir
    )
    cleanup.callback(processes.stop, [app, inference])
    if options.verbose:
        console.follow([*dependencies, app, inference])

    for child, url, service in ((app, app_url, services.APP_API), (inference, inference_url, services.INFERENCE_API)):
        services.ready(child, url, services.HEALTH_PATHS[service]).unwrap()
        console.say(f"  {child.name:<14} {url}")
    if loading is not None:
        loaded = model.ready(loading, chosen, console.progress(f"loading {chosen.name}"))
        console.end_progress()
        loaded.unwrap()
    console.say(f"  {'model':<14} {chosen.base_url}, {chosen.name}")
    apis = (app, inference)
    return Success(
        Stack(app_url, inference_url, cloud.url, cloud.objects, chosen, identity, log_dir, tuple(dependencies), apis)
    )


@dataclass(frozen=True, slots=True)
class _Cloud:
    """What stands for AWS: `environment` makes the services use it."""

    environment: Mapping[str, str]
    url: str | None = None
    objects: str | None = None
    children: tuple[Child, ...] = ()


@railway
def _embedded(
    options: Options, parent: Mapping[str, str], chosen: Model, api_key: str, log_dir: Path, cleanup: ExitStack
) -> Result[_Cloud, ErrorDetail]:
    models = BedrockModels(embeddings.best(), chosen, api_key)
    endpoint, url = aws.start(options.aws_port, log_dir, models)
    children = [endpoint]
    cleanup.callback(processes.stop, children)
    objects_url: str | None = None
    if objects.is_installed():
        server, objects_url = objects.start(options.objects_port, log_dir)
        children.append(server)
        objects.ready(server, objects_url).unwrap()
    aws.ready(endpoint, url).unwrap()
    environment = attempt(_furnish, parent, url, objects_url, chosen, errors=aws_errors()).unwrap()
    console.say(f"  aws            {url}, {len(TABLES)} tables")
    console.say(f"  objects        {objects_url or 'with aws, where nobody checks the signature of an upload'}")
    return Success(_Cloud(environment, url, objects_url, tuple(children)))


def _ingestion(storage: Mapping[str, str], log_dir: Path, cleanup: ExitStack) -> Child:
    """Nobody waits for it: what is uploaded before it looks is found when it does."""
    child = ingestion.start(storage, log_dir)
    cleanup.callback(processes.stop, [child])
    console.say(f"  ingestion      of documents, which are found by {embeddings.best()}")
    return child


@railway
def _check_ports(options: Options) -> Result[None, ErrorDetail]:
    """Fails with the name of the option that chooses another port."""
    wanted = {"--app-port": options.app_port, "--inference-port": options.inference_port}
    if not options.aws:
        wanted["--aws-port"] = options.aws_port
        if objects.is_installed():
            wanted["--objects-port"] = options.objects_port
    if options.model_url is None:
        wanted["--model-port"] = options.model_port
    if options.sign_in:
        wanted["--identity-port"] = options.identity_port
    for option, port in wanted.items():
        bindable(port, option=option).unwrap()
    return Success(None)


def _furnish(parent: Mapping[str, str], endpoint: str, objects_url: str | None, chosen: Model) -> dict[str, str]:
    """Create and seed the resources; the result is the environment of the services."""
    created = aws.create_resources(endpoint, objects=objects_url)
    models = created[table_by_variable("DYNAMODB_MANAGED_MODELS_TABLE_NAME").variable]
    client = aws.dynamodb_client(endpoint)
    seed_model(client, models, chosen)
    seed_people(client, created)
    return {**without_gateway(parent), **without_aws(parent), **created}


def without_gateway(parent: Mapping[str, str]) -> dict[str, str]:
    """Unless the caller has one: looking for it in the embedded endpoint takes longer, at first, than a turn waits."""
    return {} if parent.get("GATEWAY_URL") else {"AGENTCORE_GATEWAY_MCP_ENABLED": "false"}


def _offer_account(endpoint: str, storage: Mapping[str, str], identity: LocalIdentity) -> None:
    seed_provider(
        aws.dynamodb_client(endpoint),
        storage[table_by_variable("DYNAMODB_OAUTH_PROVIDERS_TABLE_NAME").variable],
        aws.secrets_client(endpoint),
        storage["OAUTH_CLIENT_SECRETS_ARN"],
        identity,
    )


def _account(parent: Mapping[str, str]) -> Result[dict[str, str], ErrorDetail]:
    """The caller's environment, when it has AWS credentials."""
    import boto3.session  # noqa: PLC0415 - lazy: only needed for --aws

    region = parent.get("AWS_REGION") or parent.get("AWS_DEFAULT_REGION") or REGION
    if boto3.session.Session(region_name=region).get_credentials() is None:
        return Failure(
            refusal(
                "No AWS credentials were found. Sign in or set AWS_PROFILE or AWS_ACCESS_KEY_ID, "
                "or run without --aws to use the embedded endpoint."
            )
        )
    unset = [table.variable for table in TABLES if not parent.get(table.variable)]
    if unset:
        console.say(f"  aws            without {', '.join(unset)}: local files or default names take their place")
    return Success({**parent, "AWS_REGION": region})
