import pytest

from tests.faults.outcomes import OUTCOMES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := OUTCOMES.lines():
        terminalreporter.section("injected faults and what became of them")
        for line in lines:
            terminalreporter.write_line(line)
