from collections.abc import Iterator

import pytest

from apis.shared.wiring import forget_all


@pytest.fixture(autouse=True)
def _a_fresh_process() -> Iterator[None]:
    """Each test begins and leaves as if the process had just started."""
    forget_all()
    yield
    forget_all()
