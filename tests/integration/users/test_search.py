"""Finding people to share with."""

import unicodedata
from typing import Any

import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, User
from tests.support.stored import Row


async def search(platform: Platform, user: User, q: str, **options: Any) -> list[dict[str, str]]:
    answer = await platform.app_api.http.get("/users/search", params={"q": q, **options}, headers=user.headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["users"])


async def ids(platform: Platform, user: User, q: str, **options: Any) -> list[str]:
    return [one["userId"] for one in await search(platform, user, q, **options)]


def second(number: int) -> str:
    """Later for a higher number."""
    return f"2025-01-15T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"


def crowd(number: int, *, email: str = "p{}@crowd.test", name: str = "P {}") -> list[Row]:
    return [stored.person(f"5{i:08d}", email.format(i), name=name.format(i), seen=second(i)) for i in range(number)]


async def test_who_is_shown_and_in_which_order(people: Platform, staff: User) -> None:
    people.store(
        stored.person("1", "zoe@a.test", name="Zoe Ann"),
        stored.person("2", "ann@a.test", name="zed"),
        stored.person("3", "b@ann.test", name="Bob"),
        stored.person("4", "c@a.test", name="Cy"),
        stored.person("5", "d@a.test", name="Ann", status="inactive"),
        stored.person("6", "e@a.test", name="Ann", status="suspended"),
        stored.person(staff.user_id, "me@a.test", name="Ann Myself"),
    )
    assert await search(people, staff, " ANN ") == [
        {"userId": staff.user_id, "email": "me@a.test", "name": "Ann Myself"},
        {"userId": "3", "email": "b@ann.test", "name": "Bob"},
        {"userId": "2", "email": "ann@a.test", "name": "zed"},
        {"userId": "1", "email": "zoe@a.test", "name": "Zoe Ann"},
    ]
    assert await ids(people, staff, "Ann@A.test") == ["2"]
    assert await ids(people, staff, "@a.test") == [staff.user_id, "4", "2", "1"]
    assert await ids(people, staff, "nobody") == []


async def test_the_exact_e_mail_comes_first_and_may_fill_the_limit(people: Platform, staff: User) -> None:
    people.store(
        stored.person("1", "al@a.test", name="Zoe", seen=second(1)),
        stored.person("2", "pal@a.test", name="Abe", seen=second(2)),
    )
    assert await ids(people, staff, "al@a.test") == ["1", "2"]
    assert await ids(people, staff, "al@a.test", limit=1) == ["1"]


async def test_u3_an_address_that_was_given_to_a_new_person(people: Platform, staff: User, admin: User) -> None:
    """U9 beside it: as text the second moment sorts before the first."""
    people.store(
        stored.person("1", "shared@a.test", name="Old", seen="2025-01-15T10:30:00Z"),
        stored.person("2", "shared@a.test", name="New", seen="2025-01-15T10:30:00.500000Z"),
        stored.person("3", "shared@a.test", name="Gone", status="inactive"),
    )
    assert await ids(people, staff, "shared@a.test") == ["2", "1"]
    found = await people.app_api.http.get("/admin/users/search?email=shared@a.test", headers=admin.headers)
    assert [one["userId"] for one in found.json()["users"]] == ["2"]


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("José", unicodedata.normalize("NFD", "josé")),
        ("İnci", "inci"),
        ("Straße", "STRASSE"),
        ("100 % Ada", "%"),
        ("Ada (x)", "("),
        ("A.*", ".*"),
    ],
    ids=["composition", "dotted i", "sharp s", "percent", "bracket", "dot and star"],
)
async def test_u4_letters_and_signs(people: Platform, staff: User, name: str, q: str) -> None:
    people.store(stored.person("1", "a@a.test", name=name), stored.person("2", "b@a.test", name="Other"))
    assert await search(people, staff, q) == [{"userId": "1", "email": "a@a.test", "name": name}]


async def test_u5_longer_than_a_key(people: Platform, staff: User, admin: User) -> None:
    people.store(stored.person("1", "a@a.test", name="A"))
    q = "é" * 1100
    assert await ids(people, staff, q) == []
    found = await people.app_api.http.get("/admin/users/search", params={"email": q}, headers=admin.headers)
    assert (found.status_code, found.json()["users"]) == (200, [])
    for listed in ({"domain": q}, {"status": q}):
        page = await people.app_api.http.get("/admin/users", params=listed, headers=admin.headers)
        assert (page.status_code, page.json()["users"]) == (200, [])


@pytest.mark.parametrize("q", ["", " ", "\t\n"])
async def test_nothing_is_nobody(people: Platform, staff: User, q: str) -> None:
    people.store(stored.person("1", "a@a.test"))
    with people.proxy.recording() as recording:
        assert await ids(people, staff, q) == []
    assert recording.calls == []


async def test_d_17_beyond_the_first_hundred(people: Platform, staff: User) -> None:
    people.store(*crowd(210), stored.person("1", "far@a.test", name="Far Away", seen=second(0)))
    with people.proxy.recording() as recording:
        assert await ids(people, staff, "far away") == ["1"]
    indexes = [call.text.partition('"IndexName":"')[2].partition('"')[0] for call in recording.calls]
    assert sorted(indexes) == ["EmailIndex", *["StatusLoginIndex"] * 3]


async def test_d_17_until_the_limit_is_reached(people: Platform, staff: User) -> None:
    people.store(*crowd(120))
    with people.proxy.recording() as recording:
        found = await ids(people, staff, "crowd.test", limit=5)
    assert set(found) == {f"5{i:08d}" for i in range(115, 120)}, "those who were seen last"
    assert len(recording.calls) == 2


async def test_e1_without_a_token(tables: Platform) -> None:
    for path in ("/users/search?q=an", "/users/search"):
        answer = await tables.app_api.http.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        body = answer.json()
        assert body["code"] == "unauthorized"
        assert isinstance(body["detail"], str)


@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "query.q"), ({"q": "a", "limit": 0}, "query.limit"), ({"q": "a", "limit": 51}, "query.limit")],
    ids=["no q", "limit 0", "limit 51"],
)
async def test_invalid(tables: Platform, staff: User, query: dict[str, Any], field: str) -> None:
    answer = await tables.app_api.http.get("/users/search", params=query, headers=staff.headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize("index", ["EmailIndex", "StatusLoginIndex"])
async def test_f_users_03_05_13_a_failing_read_is_not_nobody(people: Platform, staff: User, index: str) -> None:
    with people.proxy.injecting(Fault(FaultKind.THROTTLED, containing=index)) as injection:
        answer = await people.app_api.http.get("/users/search?q=ab", headers=staff.headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert injection.hits == 1


@pytest.mark.parametrize("corrupt", [{"userId": stored.LEFT_OUT}, {"name": 7}], ids=["no id", "a number as name"])
async def test_f_users_14_a_record_that_does_not_fit(people: Platform, staff: User, corrupt: dict[str, Any]) -> None:
    people.store(stored.person("1", "a@a.test", name="Ada"), stored.person("2", "b@a.test", **corrupt))
    answer = await people.app_api.http.get("/users/search?q=ada", headers=staff.headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "b@a.test" not in answer.text
