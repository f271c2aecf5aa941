import gc
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from apis.shared.wiring import forget_all
from devstack import objects
from devstack.aws import create_buckets
from devstack.objects import ObjectStore
from tests.support.distribution import Units, slowest_first
from tests.support.platform import Platform, Surroundings, running_platform, surroundings
from tests.support.tool_server import ToolServer, tool_server

# How long an example takes is a matter of the machine, and of what else it does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-fault", action="store_true", help="fail each AWS call in every way, not in two")


def pytest_collection_finish() -> None:
    """What was collected stays: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slowest_first(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Units | None:
    return Units(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(autouse=True)
def _a_fresh_process() -> Iterator[None]:
    """Each test begins and leaves as if the process had just started."""
    forget_all()
    yield
    forget_all()


@pytest.fixture(scope="session")
def around() -> Iterator[Surroundings]:
    """AWS, fault proxy, identity provider and scripted model of the whole run."""
    with surroundings() as started:
        yield started


@pytest.fixture(scope="session")
async def one_tool_server() -> AsyncIterator[ToolServer]:
    """A tool server of the whole run, for tests that forget what it heard and answered."""
    async with tool_server() as running:
        yield running


@pytest.fixture(scope="session")
async def tables(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The platform with everything in AWS."""
    async with running_platform(around, tmp_path_factory.mktemp("unused"), in_tables=True) as running:
        yield running


@pytest.fixture(scope="session")
async def files(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The platform with sessions, messages and costs in local files."""
    async with running_platform(around, tmp_path_factory.mktemp("sessions"), in_tables=False) as running:
        yield running


@pytest.fixture(scope="session")
async def gated(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The platform with everything in AWS, and with quotas enforced."""
    enforcing = replace(around, chosen={"ENABLE_QUOTA_ENFORCEMENT": "true"})
    async with running_platform(enforcing, tmp_path_factory.mktemp("unused"), in_tables=True) as running:
        yield running


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """An S3 server that verifies signatures. There is no package of it for every system."""
    if not objects.is_installed() and "REQUIRE_TEST_TOOLS" not in os.environ:
        pytest.skip("no S3 server that verifies signatures is installed")
    with objects.object_store() as store:
        yield store


@pytest.fixture(scope="session")
async def uploading(
    around: Surroundings, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Platform]:
    """The platform with everything in AWS, and its buckets on a server that verifies signatures."""
    create_buckets(object_store.endpoint, around.variables)
    there = replace(around, chosen={"AWS_ENDPOINT_URL_S3": object_store.endpoint})
    async with running_platform(there, tmp_path_factory.mktemp("unused"), in_tables=True) as running:
        yield running


@pytest.fixture(params=["tables", "files"])
def platform(request: pytest.FixtureRequest) -> Platform:
    """Both storage modes, one after the other."""
    running: Platform = request.getfixturevalue(request.param)
    return running
