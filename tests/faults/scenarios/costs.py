from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.faults.scenarios.sessions import a_conversation_with_costs
from tests.support import stored
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("DotNetDevelopers",)


def month_of(case: Case) -> str:
    """One that no other case has: what administrators see is of all users, and names none."""
    number = int(case.marker) - 100_000_000
    return f"{3000 + number // 12:04}-{number % 12 + 1:02}"


def a_month_with_costs(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.cost_summary(case.user_id, "2025-01", 1.5)


def costs_of_everybody(_: Platform, case: Case) -> Iterator[Thing]:
    month = month_of(case)
    # The last place is shared: a second page is read.
    yield from (stored.cost_summary(f"{case.user_id}-{number}", month, 1.5) for number in range(3))
    yield stored.rollup("MONTHLY", month, 4.5)
    yield stored.rollup("DAILY", f"{month}-01", 4.5)
    yield stored.rollup("MODEL", f"{month}#m", 4.5)


def admins(name: str, operation: str, **query: str) -> Scenario:
    """`{month}` in the query is the month of the case."""

    def filled(case: Case) -> dict[str, str]:
        return {name: value.format(month=month_of(case)) for name, value in query.items()}

    return Scenario(name, Request(operation, query=filled, roles=ADMIN), costs_of_everybody)


SCENARIOS = [
    Scenario("cost summary", Request("GET /costs/summary", query=lambda _: {"period": "2025-01"}), a_month_with_costs),
    Scenario(
        "cost report",
        Request("GET /costs/detailed-report", query=lambda _: {"start_date": "2025-01-01", "end_date": "2025-01-31"}),
        a_conversation_with_costs,
    ),
    admins("cost dashboard", "GET /admin/costs/dashboard", period="{month}", topUsersLimit="1"),
    admins("top users", "GET /admin/costs/top-users", period="{month}", limit="1"),
    admins("system summary", "GET /admin/costs/system-summary", period="{month}"),
    admins("system summary of a day", "GET /admin/costs/system-summary", period="{month}-01", periodType="daily"),
    admins("usage by model", "GET /admin/costs/by-model", period="{month}"),
    admins("cost trends", "GET /admin/costs/trends", startDate="{month}-01", endDate="{month}-02"),
    admins("cost export", "GET /admin/costs/export", period="{month}"),
]

CALLS_NOTHING = {"GET /admin/costs/by-tier": "Usage is not known by tier, so the list is always empty."}
