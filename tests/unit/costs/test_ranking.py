"""Who spent most: exact where the index tells cents only, and of constant size however many users there are."""

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.shared.aws.dynamodb import DynamoClient, Table
from apis.shared.costs.formula import cents_key
from apis.shared.costs.summaries import UserCostSummaries
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success

LARGEST_PAGE = 5_000


class Index(DynamoClient):
    """`PeriodCostIndex` of one month: users and what they spent, in the order of cents. No page holds more than
    `largest_page` of them, and the call `failing` fails."""

    def __init__(
        self, costs: Sequence[Decimal], *, largest_page: int = LARGEST_PAGE, failing: int | None = None
    ) -> None:
        super().__init__()
        # Within equal cents in no order that anybody asked for.
        places = ((cents_key(cost), number) for number, cost in enumerate(costs))
        self._ranked = [number for _, number in sorted(places, key=lambda place: place[0], reverse=True)]
        self._costs = costs
        self._largest_page = largest_page
        self._failing = failing
        self.calls = 0

    async def call(
        self,
        operation: str,
        payload: Callable[[], Mapping[str, Any]],
        *,
        repeatable: bool = False,
        lost: ErrorDetail | None = None,
    ) -> Result[Any, ErrorDetail]:
        self.calls += 1
        asked = payload()
        assert (operation, repeatable, lost, asked["ScanIndexForward"]) == ("Query", True, None, False)
        if self.calls == self._failing:
            return Failure(service_unavailable())
        lowest = asked["ExpressionAttributeValues"][":v1"]["S"]
        first = int(asked.get("ExclusiveStartKey", {"at": {"S": "0"}})["at"]["S"])
        until = first + min(asked["Limit"], self._largest_page)
        page = [number for number in self._ranked[first:until] if cents_key(self._costs[number]) >= lowest]
        answer: dict[str, Any] = {"Items": [self._item(number) for number in page]}
        if len(page) == until - first:
            answer["LastEvaluatedKey"] = {"at": {"S": str(until)}}
        return Success(answer)

    def _item(self, number: int) -> dict[str, Any]:
        cost = self._costs[number]
        return {
            "PK": {"S": f"USER#{number:06}"},
            "SK": {"S": "PERIOD#2025-01"},
            "GSI2SK": {"S": cents_key(cost)},
            "userId": {"S": f"{number:06}"},
            "totalCost": {"N": str(cost)},
            "totalRequests": {"N": "1"},
            "lastUpdated": {"S": "2025-01-15T10:00:00+00:00"},
        }


def ranking(index: Index) -> UserCostSummaries:
    return UserCostSummaries(Table("summaries", index))


def costliest(costs: Sequence[Decimal], limit: int, at_least: Decimal) -> list[str]:
    wanted = sorted((-cost, f"{number:06}") for number, cost in enumerate(costs) if cost >= at_least)
    return [user_id for _, user_id in wanted[:limit]]


few_costs = st.lists(st.decimals(0, "0.05", places=3) | st.decimals(0, 10, places=2), max_size=40)


@settings(deadline=None)
@given(few_costs, st.integers(1, 45), st.decimals(0, "0.05", places=4), st.integers(1, 10))
async def test_p3_it_is_that_of_sorting_all_users(
    costs: list[Decimal], limit: int, at_least: Decimal, largest_page: int
) -> None:
    found = await ranking(Index(costs, largest_page=largest_page)).top("2025-01", limit, at_least=at_least)
    assert [user.user_id for user in found.unwrap()] == costliest(costs, limit, at_least)


@pytest.mark.parametrize(("users", "rows"), [(0, 0), (999, 999), (1000, 1000), (1001, 1000), (1500, 1000)])
async def test_x3_the_costliest_thousand_in_one_call(users: int, rows: int) -> None:
    costs = [Decimal(number) / 4 for number in range(users)]
    index = Index(costs)
    found = (await ranking(index).top("2025-01", 1000)).unwrap()
    assert [user.user_id for user in found] == [f"{number:06}" for number in reversed(range(users))][:rows]
    assert index.calls == 1


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_x3_no_page_may_be_missing(failing: int) -> None:
    index = Index([Decimal("0.001")] * 2500, failing=failing)
    found = await ranking(index).top("2025-01", 1000)
    assert (index.calls, found) == (failing, Failure(service_unavailable()))


async def test_users_who_share_a_place_need_no_more_memory_than_a_page() -> None:
    async def peak(users: int) -> int:
        index = Index([Decimal("0.009") if number == 777 else Decimal("0.001") for number in range(users)])
        tracemalloc.start()
        found = (await ranking(index).top("2025-01", 1000)).unwrap()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [user.user_id for user in found[:3]] == ["000777", "000000", "000001"]
        assert (len(found), index.calls) == (1000, users // 1000)
        return most

    assert await peak(6000) < 1.1 * await peak(3000)
