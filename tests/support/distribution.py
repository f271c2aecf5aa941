"""How the tests are handed to the workers of pytest-xdist (`--dist loadfile`): what is slow first, in units that share.

A unit is what one worker runs as a whole: a file, as its tests share fixtures, but for two exceptions. Each scenario of
the fault matrix stands alone. The tests of one installed service, which takes a minute to make, are together whatever
their file.
"""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

MATRIX = "tests/faults/test_matrix.py::test_no_failure_stays_unseen"
_INSTALLED = re.compile(r"tests/deploy/.*\[(\w+-(?:app|inference)-api-(?:wheels|image))")
_SLOWEST_FIRST = (
    "tests/deploy",
    "tests/integration/test_devstack_run",
    "tests/faults",
    "tests/surface",
    "tests/e2e",
    "tools",
    "tests/integration",
)
"""What takes long and begins late would leave the other workers without work."""


class Units(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        # Not by the number of tests: the slowest files have few.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    if nodeid.startswith(MATRIX):
        return nodeid
    if installed := _INSTALLED.match(nodeid):
        return installed[1]
    return nodeid.partition("::")[0]


def slowest_first(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    ranks = (rank for rank, folder in enumerate(_SLOWEST_FIRST) if nodeid.startswith(folder))
    return next(ranks, len(_SLOWEST_FIRST))
