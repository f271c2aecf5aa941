"""What somebody's list of assistants holds, page by page."""

import base64
import itertools
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.assistants.conftest import Assistants, Person, ids
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.stored import LEFT_OUT
from tests.support.stored.assistants import ASSISTANTS, assistant, share

STATUSES = ("DRAFT", "COMPLETE", "ARCHIVED")
WITH_ALL = "include_archived=true&include_drafts=true"


def at(second: int) -> str:
    return f"2025-01-15T10:30:{second:02}Z"


def token_of(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


async def pages(assistants: Assistants, limit: int, query: str = "") -> list[list[str]]:
    found: list[list[str]] = []
    token = None
    while True:
        following = f"&next_token={quote(token)}" if token else ""
        answer = await assistants("GET", f"?limit={limit}&{query}{following}")
        assert answer.status_code == 200, answer.text
        found.append(ids(answer.json()["assistants"]))
        token = answer.json().get("nextToken")
        if token is None:
            assert "nextToken" not in answer.json()
            return found


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["COMPLETE"]),
        ("?include_drafts=true", ["COMPLETE", "DRAFT"]),
        ("?include_archived=true", ["ARCHIVED", "COMPLETE"]),
        (f"?{WITH_ALL}", ["ARCHIVED", "COMPLETE", "DRAFT"]),
        ("?include_public=true", ["COMPLETE"]),
    ],
)
async def test_which_ones_are_listed(assistants: Assistants, query: str, shown: list[str]) -> None:
    """Own ones and shared ones by the same flags; public ones of others never."""
    them = assistants.person()
    for status in STATUSES:
        assistants.platform.store(assistant(assistants.owner.user_id, assistants.an_id(), status=status))
        assistants.platform.store(assistant(them.user_id, assistants.an_id(), status=status, visibility="PUBLIC"))
        if assistants.platform.in_tables:
            shared = assistants.an_id()
            assistants.platform.store(assistant(them.user_id, shared, status=status, visibility="SHARED"))
            assistants.platform.store(share(shared, assistants.owner.email))
    listed = await assistants.listed(query)
    own = sorted(one["status"] for one in listed if not one["isSharedWithMe"])
    foreign = sorted(one["status"] for one in listed if one["isSharedWithMe"])
    assert (own, foreign) == (shown, shown if assistants.platform.in_tables else [])


async def test_example_15_own_and_shared_ones_interleave(in_table: Assistants) -> None:
    them = in_table.person()
    own = [in_table.an_id() for _ in range(3)]
    shared = [in_table.an_id() for _ in range(3)]
    for number, assistant_id in enumerate(own):
        in_table.platform.store(assistant(in_table.owner.user_id, assistant_id, createdAt=at(2 * number)))
    for number, assistant_id in enumerate(shared):
        in_table.platform.store(
            assistant(them.user_id, assistant_id, createdAt=at(2 * number + 1), visibility="SHARED"),
            share(assistant_id, in_table.owner.email, firstInteracted=(LEFT_OUT, False, True)[number]),
        )
    # One of the owner's own that is shared with the owner too is not repeated.
    in_table.platform.store(share(own[0], in_table.owner.email))
    listed = await in_table.listed()
    assert ids(listed) == [shared[2], own[2], shared[1], own[1], shared[0], own[0]]
    marks = {one["assistantId"]: (one["isSharedWithMe"], one.get("firstInteracted", "absent")) for one in listed}
    assert [marks[one] for one in own] == [(False, "absent")] * 3
    assert [marks[one] for one in shared] == [(True, False), (True, False), (True, True)]
    assert "nextToken" not in (await in_table("GET")).json()


async def test_example_15_d3_what_is_private_again_is_not_listed(in_table: Assistants) -> None:
    them = in_table.person()
    shared = {visibility: in_table.an_id() for visibility in ("PRIVATE", "SHARED", "PUBLIC")}
    for visibility, assistant_id in shared.items():
        in_table.platform.store(assistant(in_table.owner.user_id, assistant_id, visibility=visibility))
        in_table.platform.store(share(assistant_id, them.email))
    assert sorted(ids(await in_table.listed(by=them))) == sorted([shared["SHARED"], shared["PUBLIC"]])
    await in_table.change(shared["SHARED"], visibility="PRIVATE")
    listed = await in_table.listed(by=them)
    assert ids(listed) == [shared["PUBLIC"]]
    assert shared["SHARED"] not in json.dumps(listed)


async def test_a6_f_ast_15_130_shared_ones_of_which_one_is_gone(in_table: Assistants) -> None:
    """Two round trips read them all; of failed ones nobody sees a part."""
    them = in_table.person()
    shared = [in_table.an_id() for _ in range(130)]
    for assistant_id in shared[1:]:
        in_table.platform.store(assistant(in_table.owner.user_id, assistant_id, visibility="SHARED"))
    in_table.platform.store(*(share(assistant_id, them.email) for assistant_id in shared))
    with in_table.platform.proxy.recording() as recording:
        listed = await in_table.listed(by=them)
    assert sorted(ids(listed)) == sorted(shared[1:])
    table = in_table.platform.variables[ASSISTANTS]
    operations = sorted(call.target.operation for call in recording.calls if call.target.table == table)
    assert operations == ["BatchGetItem", "BatchGetItem", "Query", "Query"]
    with in_table.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation="BatchGetItem", table=table, nth=2)):
        await in_table.assert_failed(await in_table("GET", by=them), 503, "service_unavailable")


async def test_f_ast_22_all_pages_of_what_is_shared_are_read(in_table: Assistants) -> None:
    """Shares that do not fit into one page of the store; a page that fails is not the end."""
    them, platform = in_table.person(), in_table.platform
    shared = [in_table.an_id() for _ in range(4)]
    platform.store(*(assistant(in_table.owner.user_id, one, visibility="SHARED") for one in shared))
    platform.store(*(share(one, them.email, note="x" * 380_000) for one in shared))
    with platform.proxy.recording(containing=f"SHARE#{them.email}") as recording:
        assert sorted(ids(await in_table.listed(by=them))) == sorted(shared)
    assert [call.target.operation for call in recording.calls] == ["Query", "Query"]
    limited = await in_table("GET", "?limit=1", by=them)
    assert sorted(ids(limited.json()["assistants"])) == sorted(shared), (
        "what is shared does not count towards the limit"
    )
    with platform.proxy.injecting(
        Fault(FaultKind.THROTTLED, operation="Query", containing=f"SHARE#{them.email}", nth=2)
    ):
        await in_table.assert_failed(await in_table("GET", by=them), 503, "service_unavailable")
    for one in shared:
        assert (await in_table("DELETE", f"/{one}")).status_code == 204


@pytest.mark.parametrize("nth", [1, 2])
async def test_f_ast_11_14_a_list_that_cannot_be_read_is_not_empty(in_table: Assistants, nth: int) -> None:
    """Neither of the two queries may fail: own ones, and shares."""
    table = in_table.platform.variables[ASSISTANTS]
    with in_table.platform.proxy.injecting(Fault(FaultKind.SERVER_ERROR, operation="Query", table=table, nth=nth)):
        await in_table.assert_failed(await in_table("GET"), 503, "service_unavailable")


@pytest.mark.parametrize("corrupt", ["assistant", "share"])
async def test_f_ast_14_a_shared_one_that_cannot_be_read_is_not_left_out(in_table: Assistants, corrupt: str) -> None:
    them, assistant_id = in_table.person(), in_table.an_id()
    broken = {"tags": 1} if corrupt == "assistant" else {}
    in_table.platform.store(assistant(in_table.owner.user_id, assistant_id, visibility="SHARED", **broken))
    in_table.platform.store(share(assistant_id, them.email, **({"firstInteracted": "x"} if corrupt == "share" else {})))
    await in_table.assert_failed(await in_table("GET", by=them), 500, "internal_error")


def arranged(assistants: Assistants, statuses: Sequence[str]) -> list[str]:
    """Own ones, each a second later than the one before; their ids."""
    made = [assistants.an_id() for _ in statuses]
    for number, (assistant_id, status) in enumerate(zip(made, statuses, strict=True)):
        assistants.platform.store(
            assistant(assistants.owner.user_id, assistant_id, status=status, createdAt=at(number))
        )
    return made


async def test_pages_hold_everything_once(assistants: Assistants) -> None:
    """Each as long as was asked for, whatever is left out between."""
    statuses = ["COMPLETE", "DRAFT", "DRAFT", "COMPLETE", "ARCHIVED", "COMPLETE", "DRAFT", "ARCHIVED"]
    made = arranged(assistants, statuses)
    for query, wanted in (
        ("", {"COMPLETE"}),
        (WITH_ALL, set(STATUSES)),
        ("include_drafts=true", {"COMPLETE", "DRAFT"}),
    ):
        expected = [one for one, status in zip(made, statuses, strict=True) if status in wanted]
        for limit in (1, 2, 3, len(expected), len(expected) + 1):
            found = await pages(assistants, limit, query)
            assert sorted(itertools.chain(*found)) == sorted(expected)
            assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
            assert found[-1] or not expected


async def test_shared_ones_stand_on_the_first_page(in_table: Assistants) -> None:
    own, shared = arranged(in_table, ["COMPLETE"] * 3), in_table.an_id()
    in_table.platform.store(assistant(in_table.person().user_id, shared, visibility="SHARED", createdAt=at(50)))
    in_table.platform.store(share(shared, in_table.owner.email))
    assert await pages(in_table, 2) == [[shared, own[2], own[1]], [own[0]]]


async def test_a_page_goes_on_where_flags_have_changed(in_table: Assistants) -> None:
    """A place among drafts comes before everything else, one among archived ones after it."""
    made = arranged(in_table, ["COMPLETE", "DRAFT", "DRAFT", "ARCHIVED", "ARCHIVED"])
    drafts = (await in_table("GET", f"?limit=1&{WITH_ALL}")).json()["nextToken"]
    archived = (await in_table("GET", f"?limit=4&{WITH_ALL}")).json()["nextToken"]
    assert ids(await in_table.listed(f"?next_token={quote(drafts)}")) == [made[0]]
    assert ids(await in_table.listed(f"?next_token={quote(archived)}")) == []


async def test_a_token_of_the_previous_system(in_files: Assistants) -> None:
    """Holds the moment alone."""
    made = arranged(in_files, ["COMPLETE"] * 3)
    token = base64.b64encode(at(2).encode()).decode()
    assert ids(await in_files.listed(f"?next_token={quote(token)}")) == [made[1], made[0]]


def place(person: Person, **chosen: Any) -> dict[str, Any]:
    return {
        "owner_key": {
            "PK": "AST#ast-1", "SK": "METADATA", "GSI_PK": f"OWNER#{person.user_id}",
            "GSI_SK": "STATUS#COMPLETE#CREATED#2025", **chosen,
        }
    }  # fmt: skip


def bad_tokens(person: Person) -> list[str]:
    return [
        "not base64!",
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"no json").decode(),
        token_of([]),
        token_of({"owner_key": {}}),
        token_of(place(person, GSI_PK="OWNER#somebody-else")),
        token_of(place(person, SK="SHARE#x")),
        token_of(place(person, PK="USER#1")),
        token_of(place(person, PK=f"AST#{'x' * 3000}")),
        token_of(place(person, GSI_SK="")),
        token_of(place(person, GSI_SK=7)),
        "x" * 9000,
    ]


async def test_f_ast_13_a_bad_token_is_not_the_first_page(in_table: Assistants) -> None:
    for token in bad_tokens(in_table.owner):
        answer = await in_table("GET", f"?next_token={quote(token, safe='')}")
        assert (answer.status_code, answer.json()["field"]) in {(400, "query.next_token"), (422, "query.next_token")}
    good = await in_table("GET", f"?next_token={quote(token_of(place(in_table.owner)))}")
    assert (good.status_code, good.json()) == (200, {"assistants": []})


async def test_f_ast_13_a_bad_token_in_local_files(in_files: Assistants) -> None:
    for token in ("not base64!", base64.b64encode(b"yesterday").decode()):
        answer = await in_files("GET", f"?next_token={quote(token)}")
        assert (answer.status_code, answer.json()["field"]) == (400, "query.next_token")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?limit=x", "?include_drafts=perhaps"])
async def test_a_query_that_is_refused(in_table: Assistants, query: str) -> None:
    await in_table.assert_failed(await in_table("GET", query), 422, "validation_error")


async def test_two_owners_never_see_each_others(assistants: Assistants) -> None:
    them = assistants.person()
    mine = await assistants.draft()
    assert (await assistants("POST", "/draft", {}, by=them)).status_code == 200
    assert ids(await assistants.listed("?include_drafts=true")) == [mine["assistantId"]]
