"""Who makes an authenticated request stands in the users table afterwards; no answer depends on it."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apis.shared.auth.models import User as SomeUser
from apis.shared.lifecycle import background
from apis.shared.result import suppression_counts
from apis.shared.users.sync import get_user_mirror
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, User
from tests.support.service_log import SUPPRESSED

SITE = "apis.shared.users.sync:UserMirror._write_latest"


def new_user_id() -> str:
    return str(uuid.uuid4().int)[:9]


async def comes(platform: Platform, user: User) -> str:
    """One request, and until all that it started is done; its id."""
    answer = await platform.ask(user, "GET", "/sessions")
    assert answer.status_code == 200, answer.text
    request_id = str(answer.headers["x-request-id"])
    await platform.settled(request_id)
    return request_id


def of_table(platform: Platform, user_id: str) -> dict[str, Any]:
    return platform.item(stored.USERS, f"USER#{user_id}", "PROFILE")


async def test_the_item_is_as_the_layout_says(tables: Platform) -> None:
    user_id, before = new_user_id(), datetime.now(UTC) - timedelta(seconds=1)
    await comes(tables, tables.sign_in(user_id, "Staff", "Admin", email="Ada@Example.EDU", name="Ada", picture="p.png"))
    item = of_table(tables, user_id)
    seen = item["lastLoginAt"]
    assert item == {
        "PK": f"USER#{user_id}",
        "SK": "PROFILE",
        "GSI2PK": "DOMAIN#example.edu",
        "GSI2SK": seen,
        "GSI3PK": "STATUS#active",
        "GSI3SK": seen,
        "userId": user_id,
        "email": "ada@example.edu",
        "name": "Ada",
        "roles": ["Staff", "Admin"],
        "picture": "p.png",
        "emailDomain": "example.edu",
        "createdAt": seen,
        "lastLoginAt": seen,
        "status": "active",
    }
    assert seen.endswith("Z")
    assert before <= datetime.fromisoformat(seen) <= datetime.now(UTC)


async def test_d_07_a_later_request_keeps_status_and_first_contact(tables: Platform) -> None:
    """Example 20, second half."""
    user_id = new_user_id()
    tables.store(stored.person(user_id, "old@a.test", status="suspended", picture="p", roles=["Faculty"], mine="kept"))
    known = of_table(tables, user_id)
    await comes(tables, tables.sign_in(user_id, "Staff", email="New@B.test", name="New"))
    item = of_table(tables, user_id)
    assert {name: item[name] for name in ("status", "createdAt", "GSI3PK", "mine")} == {
        name: known[name] for name in ("status", "createdAt", "GSI3PK", "mine")
    }
    assert item["lastLoginAt"] == item["GSI2SK"] == item["GSI3SK"] > known["lastLoginAt"]
    changed = {name: item[name] for name in ("email", "name", "roles", "emailDomain", "GSI2PK")}
    assert changed == {
        "email": "new@b.test",
        "name": "New",
        "roles": ["Staff"],
        "emailDomain": "b.test",
        "GSI2PK": "DOMAIN#b.test",
    }
    assert "picture" not in item


async def test_u1_a_guest_by_the_preferred_user_name(tables: Platform) -> None:
    user_id, admin = new_user_id(), tables.sign_in("900000001", "Staff", "Admin")
    name = f"Ana_{user_id}.example#EXT#@ten.onmicrosoft.com"
    await comes(tables, tables.sign_in(user_id, "Staff", preferred_username=name))
    assert of_table(tables, user_id)["emailDomain"] == "ten.onmicrosoft.com"
    found = await tables.app_api.http.get("/admin/users/search", params={"email": name}, headers=admin.headers)
    assert [(one["userId"], one["email"]) for one in found.json()["users"]] == [(user_id, name.lower())]


@pytest.mark.parametrize(
    "claims",
    [{"email": None}, {"email": ""}, {"email": ["a@x.edu"]}, {"email": 7}],
    ids=["absent", "empty", "a list", "a number"],
)
async def test_without_an_e_mail_nobody_is_mirrored(tables: Platform, claims: dict[str, Any]) -> None:
    """4.9: a skip, not a failure."""
    user_id = new_user_id()
    request_id = await comes(tables, tables.sign_in(user_id, "Staff", **claims))
    assert of_table(tables, user_id) == {}
    assert tables.records(request_id, SUPPRESSED) == []


async def test_u2_odd_names(tables: Platform) -> None:
    user_id = new_user_id()
    request_id = await comes(tables, tables.sign_in(user_id, "Staff", email=" Ana@X.EDU ", name="A\nB"))
    assert {name: of_table(tables, user_id)[name] for name in ("email", "name")} == {
        "email": "ana@x.edu",
        "name": "A\nB",
    }
    assert tables.records(request_id) == [], "somebody's name is in the log"


async def test_u5_an_e_mail_longer_than_a_key(tables: Platform) -> None:
    user_id = new_user_id()
    request_id = await comes(tables, tables.sign_in(user_id, "Staff", email="é" * 1100))
    (record,) = tables.records(request_id, SUPPRESSED)
    assert (record["level"], record["code"], record["site"]) == ("WARNING", "internal_error", SITE)
    assert of_table(tables, user_id) == {}


async def test_u8_two_first_requests_and_a_suspension_between_ten_more(tables: Platform) -> None:
    user_id = new_user_id()
    user = tables.sign_in(user_id, "Staff", email="Eve@a.test", name="Eve")
    await asyncio.gather(comes(tables, user), comes(tables, user))
    first = of_table(tables, user_id)
    assert first["status"] == "active"
    tables.put(stored.USERS, {**first, "status": "suspended", "GSI3PK": "STATUS#suspended"})
    await asyncio.gather(*(comes(tables, user) for _ in range(10)))
    last = of_table(tables, user_id)
    assert (last["status"], last["GSI3PK"], last["createdAt"]) == ("suspended", "STATUS#suspended", first["createdAt"])
    assert len(tables.items(stored.USERS, f"USER#{user_id}")) == 1


async def test_it_is_one_call_and_names_no_reserved_word(tables: Platform) -> None:
    user_id = new_user_id()
    with tables.proxy.recording(containing=f"USER#{user_id}") as recording:
        await comes(tables, tables.sign_in(user_id, "Staff", email="a@a.test"))
    (write,) = [call for call in recording.calls if call.target.table == tables.variables[stored.USERS]]
    assert write.target.operation == "UpdateItem"
    expression = write.text.partition('"UpdateExpression":"')[2].partition('"')[0]
    assert not {"name", "roles", "status"} & set(expression.replace(",", " ").split()), expression


async def test_the_inference_api_mirrors_too(tables: Platform) -> None:
    user_id = new_user_id()
    turn = await tables.chat(str(uuid.uuid4()), user=tables.sign_in(user_id, "Developer", email="i@a.test"))
    await tables.settled(turn.request_id)
    assert turn.failure is None
    assert of_table(tables, user_id)["email"] == "i@a.test"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.THROTTLED, "service_unavailable"),
        (FaultKind.ACCESS_DENIED, "internal_error"),
        (FaultKind.CORRUPT_ITEM, "internal_error"),
    ],
)
async def test_f_auth_02_a_failing_write_is_one_warning(tables: Platform, kind: FaultKind, code: str) -> None:
    """Example 20, first half; F-USERS-07."""
    user_id = new_user_id()
    before = await tables.app_api.suppressed_failures("/health")
    with tables.proxy.injecting(Fault(kind, table=tables.variables[stored.USERS], containing=user_id)) as injection:
        request_id = await comes(tables, tables.sign_in(user_id, "Staff", email="secret@a.test"))
    assert injection.hits == 1
    (record,) = tables.records(request_id, SUPPRESSED)
    assert (record["level"], record["code"], record["site"]) == ("WARNING", code, SITE)
    assert "secret@a.test" not in str(record)
    assert await tables.app_api.suppressed_failures("/health") == before + 1


async def test_a_table_that_hangs_delays_no_answer(tables: Platform) -> None:
    people = [tables.sign_in(new_user_id(), "Staff", email="slow@a.test") for _ in range(60)]
    users = tables.variables[stored.USERS]
    with tables.proxy.injecting(Fault(FaultKind.TIMEOUT, operation="UpdateItem", table=users)):
        async with asyncio.timeout(3):  # one write that hangs takes as long, and there are more than connections
            answers = await asyncio.gather(*(tables.ask(person, "GET", "/sessions") for person in people))
    assert {answer.status_code for answer in answers} == {200}
    # What waits is written now that the table answers again.
    await tables.settled(answers[-1].headers["x-request-id"])
    assert of_table(tables, people[-1].user_id)["email"] == "slow@a.test"


async def test_f_auth_01_what_cannot_be_made_is_made_by_a_later_request(aws: Aws, configure: Configure) -> None:
    """A profile that does not exist, for instance: nothing is made before the first write needs it."""
    user = SomeUser("later@a.test", "900000002", "Late", [])
    configure(AWS_PROFILE="nobody-has-this", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    before = suppression_counts().get(SITE, 0)
    get_user_mirror().note(user)
    await _written()
    assert suppression_counts()[SITE] == before + 1
    configure(AWS_PROFILE=None, **aws.environment)
    get_user_mirror().note(user)
    await _written()
    assert aws.item(stored.USERS, "USER#900000002", "PROFILE")["email"] == "later@a.test"


async def _written() -> None:
    await asyncio.gather(*background._tasks)
