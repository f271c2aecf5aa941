"""How far a search looks, on lists that a test makes up."""

from collections.abc import Sequence
from itertools import batched

from apis.shared.aws.dynamodb import Key
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success
from apis.shared.users.models import UserListing, UserProfile
from apis.shared.users.repository import Listed, UserRepository
from apis.shared.users.service import MOST_PAGES, PAGE_SIZE, UserDirectory


class People(UserRepository):
    def __init__(self, names: Sequence[str], *exact: UserProfile) -> None:
        super().__init__(None)
        listings = [listing(number, name) for number, name in enumerate(names)]
        self._pages = [list(page) for page in batched(listings, PAGE_SIZE, strict=False)]
        self._exact = list(exact)
        self.read = 0

    async def get_users_by_email(self, email: str) -> Result[list[UserProfile], ErrorDetail]:
        return Success([one for one in self._exact if one.email == email])

    async def list_users_by_status(
        self, status: str, limit: int = 25, last_evaluated_key: Key | None = None
    ) -> Result[Listed, ErrorDetail]:
        assert (status, limit) == ("active", PAGE_SIZE)
        number = int(last_evaluated_key["PK"]) if last_evaluated_key else 0
        self.read += 1
        following = {"PK": str(number + 1)} if number + 1 < len(self._pages) else None
        return Success((self._pages[number] if self._pages else [], following))


def listing(number: int, name: str) -> UserListing:
    return UserListing(user_id=str(number), email=f"{number}@a.test", name=name, status="active")


async def found(people: People, query: str, limit: int = 20) -> list[str]:
    return [one.name for one in (await UserDirectory(people).search(query, limit)).unwrap()]


async def test_d_17_at_most_ten_pages() -> None:
    people = People(["other"] * (MOST_PAGES * PAGE_SIZE) + ["Ada"])
    assert await found(people, "ada") == []
    assert people.read == MOST_PAGES
    people = People(["other"] * (MOST_PAGES * PAGE_SIZE - 1) + ["Ada"])
    assert await found(people, "ada") == ["Ada"]


async def test_a_limit_that_is_reached_ends_the_reading() -> None:
    people = People(["Ada 2", "Ada 1", *["other"] * PAGE_SIZE])
    assert await found(people, "ada", 2) == ["Ada 1", "Ada 2"]
    assert people.read == 1


async def test_nobody_is_shown_twice() -> None:
    exact = UserProfile(user_id="0", email="ada@a.test", name="Ada", status="active")
    assert await found(People(["Ada"], exact), "ada@a.test") == ["Ada"]


async def test_an_exact_hit_that_fills_the_limit_needs_no_list() -> None:
    class Unlisted(People):
        async def list_users_by_status(
            self, status: str, limit: int = 25, last_evaluated_key: Key | None = None
        ) -> Result[Listed, ErrorDetail]:
            return Failure(service_unavailable())

    exact = UserProfile(user_id="0", email="ada@a.test", name="Ada", status="active")
    assert await found(Unlisted([], exact), "ada@a.test", 1) == ["Ada"]
