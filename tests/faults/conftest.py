from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.outcomes import OUTCOMES
from tests.faults.platform import Platform, running_platform


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform() -> AsyncIterator[Platform]:
    """One pair of services for all cases."""
    async with running_platform() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := OUTCOMES.lines():
        terminalreporter.section("injected faults and what became of them")
        for line in lines:
            terminalreporter.write_line(line)
