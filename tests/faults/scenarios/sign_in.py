from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.platform import Platform
from tests.support.stored import Thing


def a_pending_sign_in(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.pending_state(f"state-{case.marker}")


SCENARIOS = [
    # The state is new each time: no call of it tells whose it is.
    Scenario("begin to sign in", Request("GET /auth/login", fill={})),
    Scenario(
        "get tokens for a code",
        Request("POST /auth/token", lambda case: {"code": f"code-{case.marker}", "state": f"state-{case.marker}"}),
        a_pending_sign_in,
        # A state is used up by the attempt.
        repeats=False,
    ),
]
CALLS_NOTHING = {
    "POST /auth/refresh": "Asks the identity provider only, whose failures `test_identity_provider.py` tells.",
    "GET /auth/logout": "Answers an address made of the configuration.",
}
