from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("Admin",)


def email(case: Case) -> str:
    return f"{case.marker}@{case.marker}.edu"


def a_person(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.person(case.user_id, email(case), name=f"Person {case.marker}", roles=[case.role])


def a_person_with_everything(platform: Platform, case: Case) -> Iterator[Thing]:
    """With a quota by a role of the token, so that what comes before it is read too."""
    yield from a_person(platform, case)
    yield from stored.role(f"role_{case.marker}", case.role, enabled=True)
    yield stored.quota_tier(f"tier-{case.marker}")
    yield stored.quota_assignment("jwt_role", case.role, f"tier-{case.marker}")
    yield stored.quota_assignment("direct_user", case.user_id, f"tier-{case.marker}", enabled=False)
    yield stored.quota_override(case.user_id, until="2025-02-01T00:00:00Z")
    yield stored.quota_event(case.user_id, "2025-01-01T00:00:00Z")
    yield stored.spent(case.user_id, 12.5)


PERSON = {"user_id": lambda case: case.user_id}

SCENARIOS = [
    Scenario("find people", Request("GET /users/search", query=lambda case: {"q": email(case)}), a_person),
    Scenario("list people", Request("GET /admin/users", roles=ADMIN), a_person),
    Scenario(
        "list people of a domain",
        Request("GET /admin/users", roles=ADMIN, query=lambda case: {"domain": f"{case.marker}.edu"}),
        a_person,
    ),
    Scenario(
        "find a person",
        Request("GET /admin/users/search", roles=ADMIN, query=lambda case: {"email": email(case)}),
        a_person,
    ),
    Scenario(
        "look at a person",
        Request("GET /admin/users/{user_id}", fill=PERSON, roles=ADMIN),
        a_person_with_everything,
    ),
    # A blank search reads nothing: its one call is the write behind every authenticated request.
    Scenario("mirror a user", Request("GET /users/search", query=lambda _: {"q": " "}, email=email)),
]

CALLS_NOTHING = {"GET /admin/users/domains/list": "Nobody counts domains, so there are none to list."}
