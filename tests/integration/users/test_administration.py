"""What administrators see of people: lists, one by e-mail, and one with costs and quota."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, User


async def get(platform: Platform, user: User, path: str, **query: Any) -> httpx.Response:
    return await platform.app_api.http.get(path, params=query or None, headers=user.headers)


async def page(platform: Platform, user: User, **query: Any) -> dict[str, Any]:
    answer = await get(platform, user, "/admin/users", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(listed: dict[str, Any]) -> list[str]:
    return [one["userId"] for one in listed["users"]]


def cursor(key: Any) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def four_people(platform: Platform) -> None:
    for i in range(4):
        platform.store(stored.person(str(i), f"user{i}@d{i}.edu", name=f"User {i}", seen=f"2025-01-15T10:3{i}:00Z"))


async def test_e17_pages_by_status(people: Platform, admin: User) -> None:
    four_people(people)
    first = await page(people, admin, limit=2)
    assert first["users"] == [
        {
            "userId": "3",
            "email": "user3@d3.edu",
            "name": "User 3",
            "status": "active",
            "lastLoginAt": "2025-01-15T10:33:00Z",
            "emailDomain": "d3.edu",
            "currentMonthCost": None,
            "quotaUsagePercentage": None,
        },
        {
            "userId": "2",
            "email": "user2@d2.edu",
            "name": "User 2",
            "status": "active",
            "lastLoginAt": "2025-01-15T10:32:00Z",
            "emailDomain": "d2.edu",
            "currentMonthCost": None,
            "quotaUsagePercentage": None,
        },
    ]
    assert first["totalCount"] is None
    key = {"PK": "USER#2", "SK": "PROFILE", "GSI3PK": "STATUS#active", "GSI3SK": "2025-01-15T10:32:00Z"}
    assert first["nextCursor"] == cursor(key), "the form of the cursors that are in use"
    second = await page(people, admin, limit=2, cursor=first["nextCursor"])
    assert ids(second) == ["1", "0"]
    while second["nextCursor"] is not None:
        second = await page(people, admin, limit=2, cursor=second["nextCursor"])
        assert second["users"] == []


async def test_d_10_pages_by_domain(people: Platform, admin: User) -> None:
    people.store(
        stored.person("1", "a@Cs.Edu".lower(), status="suspended", seen="2025-01-01T00:00:00Z"),
        stored.person("2", "b@cs.edu", seen="2025-01-02T00:00:00Z"),
        stored.person("3", "c@other.edu"),
    )
    first = await page(people, admin, domain="CS.edu", status="inactive", limit=1)
    assert [(one["userId"], one["status"], one["emailDomain"]) for one in first["users"]] == [("2", "active", "cs.edu")]
    key = {"PK": "USER#2", "SK": "PROFILE", "GSI2PK": "DOMAIN#cs.edu", "GSI2SK": "2025-01-02T00:00:00Z"}
    assert first["nextCursor"] == cursor(key)
    second = await page(people, admin, domain="cs.edu", cursor=first["nextCursor"])
    assert [(one["userId"], one["status"]) for one in second["users"]] == [("1", "suspended")]


async def test_d_10_the_status_is_the_stored_one(people: Platform, admin: User) -> None:
    """Example 17, its end; an unknown status is nobody's."""
    people.store(stored.person("1", "a@a.test", status="suspended"), stored.person("2", "b@a.test"))
    (one,) = (await page(people, admin, status="suspended"))["users"]
    assert (one["userId"], one["status"]) == ("1", "suspended")
    for unknown in ("retired", "Suspended", "%"):
        assert await page(people, admin, status=unknown) == {"users": [], "nextCursor": None, "totalCount": None}


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({"lastLoginAt": stored.LEFT_OUT}, "2025-02-02T00:00:00Z"),
        ({"lastLoginAt": None, "GSI3SK": "2025-03-03T00:00:00Z"}, "2025-03-03T00:00:00Z"),
    ],
    ids=["absent", "null"],
)
async def test_when_somebody_was_seen_is_in_the_key_too(
    people: Platform, admin: User, attributes: dict[str, Any], shown: str
) -> None:
    people.store(stored.person("1", "a@a.test", seen="2025-02-02T00:00:00Z", **attributes))
    (one,) = (await page(people, admin))["users"]
    assert one["lastLoginAt"] == shown


async def test_u6_everybody_moves_between_two_pages(people: Platform, admin: User) -> None:
    four_people(people)
    reading = await page(people, admin, limit=2)
    for i in range(4):
        people.store(stored.person(str(i), f"user{i}@d{i}.edu", seen=f"2025-06-01T00:00:0{i}Z"))
    for _ in range(5):
        if reading["nextCursor"] is None:
            break
        reading = await page(people, admin, limit=2, cursor=reading["nextCursor"])
    assert reading["nextCursor"] is None


PLACE = {"PK": "USER#1", "SK": "PROFILE", "GSI3PK": "STATUS#active", "GSI3SK": "2025-01-15T10:30:00Z"}


@pytest.mark.parametrize(
    ("bad", "filters"),
    [
        ("%%%", {}),
        ("", {}),
        ("bnVsbA==", {}),
        (base64.b64encode(b"\xff\xfe").decode(), {}),
        (cursor([1, 2]), {}),
        (cursor({**PLACE, "PK": 5}), {}),
        (cursor({**PLACE, "GSI3SK": None}), {}),
        (cursor({**PLACE, "more": "x"}), {}),
        (cursor({name: value for name, value in PLACE.items() if name != "SK"}), {}),
        (cursor({**PLACE, "GSI3PK": "STATUS#inactive"}), {"status": "active"}),
        (cursor(PLACE), {"domain": "d1.edu"}),
        (cursor({**PLACE, "PK": "ROLE#admin"}), {}),
        (cursor({**PLACE, "PK": f"USER#{'x' * 2048}"}), {}),
        (cursor({**PLACE, "SK": ""}), {}),
        (cursor({**PLACE, "GSI3SK": "\ud800"}), {}),
        (cursor(PLACE).rstrip("="), {}),
    ],
    ids=lambda value: f"{len(value)} characters" if isinstance(value, str) else ",".join(value) or "-",
)
async def test_u7_f_users_08_09_a_cursor_that_is_no_place_here(
    people: Platform, admin: User, bad: str, filters: dict[str, str]
) -> None:
    """Example 17; 16 bytes more or less would be padding of another length, hence the last one."""
    answer = await get(people, admin, "/admin/users", cursor=bad, **filters)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "bad_request", "query.cursor")


async def test_u7_a_cursor_of_nine_kilobytes(people: Platform, admin: User) -> None:
    answer = await get(people, admin, "/admin/users", cursor="x" * 9216)
    assert (answer.status_code, answer.json()["field"]) == (422, "query.cursor")


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/admin/users", {"limit": 0}, "query.limit"),
        ("/admin/users", {"limit": 101}, "query.limit"),
        ("/admin/users/search", {}, "query.email"),
        ("/admin/users/domains/list", {"limit": 201}, "query.limit"),
        ("/admin/users", {"domain": "x" * 2001}, "query.domain"),
    ],
    ids=["limit 0", "limit 101", "no e-mail", "limit 201", "a long domain"],
)
async def test_invalid(tables: Platform, admin: User, path: str, query: dict[str, Any], field: str) -> None:
    answer = await get(tables, admin, path, **query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_one_by_e_mail(people: Platform, admin: User) -> None:
    people.store(stored.person("1", "ada@a.test", name="Ada", status="inactive"))
    answer = await get(people, admin, "/admin/users/search", email=" Ada@A.TEST ")
    assert answer.json() == {
        "users": [
            {
                "userId": "1",
                "email": "ada@a.test",
                "name": "Ada",
                "status": "inactive",
                "lastLoginAt": "2025-01-15T10:30:00Z",
                "emailDomain": "a.test",
                "currentMonthCost": None,
                "quotaUsagePercentage": None,
            }
        ],
        "nextCursor": None,
        "totalCount": None,
    }
    for nobody in ("ada@a", " ", "b@a.test"):
        assert (await get(people, admin, "/admin/users/search", email=nobody)).json()["users"] == []


async def test_domains_are_never_listed(people: Platform, admin: User) -> None:
    people.store(stored.person("1", "a@a.test"))
    with people.proxy.recording() as recording:
        answer = await get(people, admin, "/admin/users/domains/list")
    assert (answer.status_code, answer.json(), recording.calls) == (200, [], [])


async def test_e18_a_table_that_throttles(people: Platform, admin: User) -> None:
    """F-USERS-02 to -05."""
    paths = ("/admin/users", "/admin/users?domain=a.b", "/admin/users/search?email=a@b.c", "/admin/users/1")
    with people.proxy.injecting(Fault(FaultKind.THROTTLED, table=people.variables[stored.USERS])):
        for path in (*paths, "/users/search?q=ab"):
            answer = await get(people, admin, path)
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), path
    answer = await get(people, admin, "/admin/users/nope")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "User nope not found"


@pytest.mark.parametrize(
    "corrupt",
    [{"userId": stored.LEFT_OUT}, {"status": "retired", "GSI3PK": "STATUS#active"}],
    ids=["no id", "an unknown status"],
)
async def test_f_users_14_a_profile_that_does_not_fit(people: Platform, admin: User, corrupt: dict[str, Any]) -> None:
    people.store(stored.person("1", "a@a.test", name="secret name"), stored.person("2", "b@a.test", **corrupt))
    by_domain = await get(people, admin, "/admin/users", domain="a.test")
    by_email = await get(people, admin, "/admin/users/search", email="b@a.test")
    one = await get(people, admin, "/admin/users/2")
    for answer in (by_domain, by_email, one):
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "secret name" not in answer.text
        assert "secret name" not in str(people.records(answer.headers["x-request-id"]))


async def test_a_long_id_is_nobodys(people: Platform, admin: User) -> None:
    answer = await get(people, admin, f"/admin/users/{'é' * 1100}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "User not found")
