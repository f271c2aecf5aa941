"""What the images promise, read from their Dockerfiles."""

import pytest

from devstack.services import HTTP
from tests.deploy.services import AGENTS, APP_API, DISTRIBUTIONS, INFERENCE_API, OTHER, ROOT, SHARED, Deployable

services = pytest.mark.parametrize("service", [APP_API, INFERENCE_API], ids=str)


@services
def test_no_stage_copies_a_file_of_the_other_service(service: Deployable) -> None:
    other = OTHER[service].distribution.folder
    allowed = {"pyproject.toml", "uv.lock", *(part.folder for part in (SHARED, AGENTS, service.distribution))}
    assert set(service.dockerfile.sources) == allowed
    assert not any(other.startswith(source) or source.startswith(other) for source in service.dockerfile.sources)


@services
def test_only_the_environment_goes_from_the_builder_into_the_image(service: Deployable) -> None:
    from_stage = [copy for copy in service.dockerfile.all("COPY") if copy.startswith("--from")]
    assert from_stage == ["--from=builder /app/venv /app/venv"]


@services
def test_uv_installs_the_locked_runtime_dependencies_of_one_distribution(service: Deployable) -> None:
    for command in service.dockerfile.uv_commands:
        assert command[0] == "sync"
        assert {"--frozen", "--no-dev"} <= set(command)
        assert command[command.index("--package") + 1] == service.distribution.name
    assert "--no-editable" in service.dockerfile.uv_commands[-1]


@services
def test_the_process_is_not_root_and_receives_signals_itself(service: Deployable) -> None:
    dockerfile = service.dockerfile
    assert dockerfile.last("USER") not in {"root", "0"}
    assert dockerfile.last("WORKDIR") == "/app/src"
    assert dockerfile.command[:2] == ["uvicorn", f"{service.module}.main:app"]
    assert dockerfile.command[dockerfile.command.index("--port") + 1] == str(service.port)
    assert dockerfile.command[dockerfile.command.index("--http") + 1] == HTTP
    assert dockerfile.last("EXPOSE") == str(service.port)


@services
def test_the_health_check_asks_the_service_itself(service: Deployable) -> None:
    check = service.dockerfile.last("HEALTHCHECK")
    assert '"python", "-c"' in check
    assert f"'127.0.0.1', {service.port}" in check
    assert f"'GET', '{service.health_path}'" in check


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert kept == {"pyproject.toml", "uv.lock", *(part.folder.partition("/")[0] for part in DISTRIBUTIONS)}
