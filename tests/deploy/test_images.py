"""What the images promise, read from their Dockerfiles."""

import re
import tomllib

import pytest

from devstack.services import HTTP
from tests.deploy.services import AGENTS, APP_API, DISTRIBUTIONS, INFERENCE_API, OTHER, ROOT, SHARED, Deployable

services = pytest.mark.parametrize("service", [APP_API, INFERENCE_API], ids=str)


@services
def test_no_stage_copies_a_file_of_the_other_service(service: Deployable) -> None:
    other = OTHER[service].distribution.folder
    parts = {part.folder for part in (SHARED, AGENTS, service.distribution)}
    assert set(service.dockerfile.sources) == {"pyproject.toml", "uv.lock", "images/finish.py", *parts}
    assert not any(other.startswith(source) or source.startswith(other) for source in service.dockerfile.sources)


@services
def test_dependencies_and_code_are_layers_of_their_own(service: Deployable) -> None:
    """A changed line moves a megabyte, not the dependencies. Nothing but these two comes from the builder."""
    builder, image = service.dockerfile.stages
    assert [arguments for name, arguments in image if name == "COPY"] == [
        "--from=builder /app/venv /app/venv",
        "--from=builder /app/code /app/code",
    ]
    before_the_code = builder[: builder.index(("COPY", "shared_lib shared_lib"))]
    installing = [arguments for name, arguments in before_the_code if name == "RUN"]
    assert [step.split()[:2] for step in installing] == [
        ["pip", "install"],
        ["uv", "sync"],
        ["python", "images/finish.py"],
    ]
    assert "--no-install-workspace" in installing[1]


@services
def test_uv_installs_the_locked_runtime_dependencies_of_one_distribution(service: Deployable) -> None:
    sync, install, export = service.dockerfile.uv_commands
    for command in (sync, export):
        assert {"--frozen", "--no-dev"} <= set(command)
        assert command[command.index("--package") + 1] == service.distribution.name
    assert "--no-deps" in install
    folders = [f"./{part.folder}" for part in (SHARED, AGENTS, service.distribution)]
    assert install[-3:] == folders


@services
def test_the_base_is_one_image_for_ever(service: Deployable) -> None:
    (base,) = service.dockerfile.all("ARG")[:1]
    assert re.fullmatch(r"PYTHON=python:3\.13\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert service.dockerfile.all("FROM") == ["${PYTHON} AS builder", "${PYTHON}"]
    assert base == OTHER[service].dockerfile.all("ARG")[0]
    assert f"{service.dockerfile.labels['org.opencontainers.image.base.name']}@" in base


def test_what_builds_our_distributions_is_pinned() -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = workspace["tool"]["uv"]["build-constraint-dependencies"]
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+", one) for one in pinned)
    for part in DISTRIBUTIONS:
        (backend,) = tomllib.loads((ROOT / part.folder / "pyproject.toml").read_text())["build-system"]["requires"]
        assert backend in pinned


@services
def test_the_standard_library_is_compiled(service: Deployable) -> None:
    _, image = service.dockerfile.stages
    (run,) = (arguments for name, arguments in image if name == "RUN")
    assert "compileall" in run
    assert "--invalidation-mode unchecked-hash" in run
    assert run.index("/usr/local/lib/python3.13") > run.index("compileall")


@services
def test_the_user_is_a_number_that_does_not_change(service: Deployable) -> None:
    """Volumes and policies name it."""
    assert service.dockerfile.last("USER") == "10001:10001"
    run = next(arguments for name, arguments in service.dockerfile.stages[1] if name == "RUN")
    assert "app:x:10001:10001:" in run
    assert "app:x:10001:'" in run
    assert "--owner=10001 --group=10001 --mode=0755 /app/src" in run


@services
def test_it_says_what_it_is(service: Deployable) -> None:
    labels = service.dockerfile.labels
    names = ("title", "description", "version", "licenses", "revision", "base.name")
    assert labels.keys() == {f"org.opencontainers.image.{name}" for name in names}
    distribution = tomllib.loads((ROOT / service.distribution.folder / "pyproject.toml").read_text())["project"]
    assert labels["org.opencontainers.image.version"] == distribution["version"]
    assert labels["org.opencontainers.image.licenses"] == distribution["license"]


@services
def test_an_init_is_process_1(service: Deployable) -> None:
    dockerfile = service.dockerfile
    assert dockerfile.entrypoint == ["dumb-init", "--single-child", "--"]
    assert dockerfile.last("WORKDIR") == "/app/src"
    assert dockerfile.command[:2] == ["uvicorn", f"{service.module}.main:app"]
    assert dockerfile.command[dockerfile.command.index("--port") + 1] == str(service.port)
    assert dockerfile.command[dockerfile.command.index("--http") + 1] == HTTP
    assert dockerfile.last("EXPOSE") == str(service.port)


def test_compose_takes_away_what_no_service_needs() -> None:
    text = (ROOT / "compose.yaml").read_text()
    shared = text[text.index("x-service:") : text.index("x-environment:")]
    lines = {line.strip() for line in shared.splitlines()}
    assert {"read_only: true", "- /tmp", "cap_drop:", "- ALL", "- no-new-privileges:true", "- data:/app/src"} <= lines
    services = text[text.index("\nservices:") : text.index("\nvolumes:")]
    assert services.count("<<: *service") == services.count("dockerfile:") == 2


@services
def test_the_health_check_asks_the_service_itself(service: Deployable) -> None:
    check = service.dockerfile.last("HEALTHCHECK")
    # Isolated and without the environment's packages: a check is a process of its own every 30 seconds.
    assert '"python", "-I", "-S", "-c"' in check
    assert f"'127.0.0.1', {service.port}" in check
    assert f"'GET', '{service.health_path}'" in check


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert kept == {"pyproject.toml", "uv.lock", "images", *(part.folder.partition("/")[0] for part in DISTRIBUTIONS)}
