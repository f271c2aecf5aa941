"""With whom an assistant is shared, and what they may do with it."""

import asyncio
import json
from typing import Any

import pytest

from apis.shared.assistants.service import get_assistant_service
from apis.shared.auth.models import User
from apis.shared.result import suppression_counts
from tests.integration.assistants.conftest import Assistants, Person, ids
from tests.integration.conftest import Aws
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.stored import LEFT_OUT
from tests.support.stored.assistants import ASSISTANTS, assistant, document, share

PAT = "pat@example.edu"


def stored(assistants: Assistants, visibility: str = "SHARED", *emails: str, **attributes: Any) -> str:
    assistant_id = assistants.an_id()
    whole = assistant(assistants.owner.user_id, assistant_id, visibility=visibility, **attributes)
    assistants.platform.store(whole, *(share(assistant_id, email) for email in emails))
    return assistant_id


async def look(assistants: Assistants, assistant_id: str, by: Person) -> int:
    return int((await assistants("GET", f"/{assistant_id}", by=by)).status_code)


@pytest.mark.parametrize(
    ("visibility", "owner", "recipient", "anyone"),
    [("PRIVATE", 200, 403, 403), ("SHARED", 200, 200, 403), ("PUBLIC", 200, 200, 200)],
)
async def test_example_12_who_may_read(
    assistants: Assistants, visibility: str, owner: int, recipient: int, anyone: int
) -> None:
    """Whatever its status. In local files there are no shares."""
    them = assistants.person()
    shares = [them.email] if assistants.platform.in_tables else []
    for status in ("COMPLETE", "DRAFT", "ARCHIVED"):
        assistant_id = stored(assistants, visibility, *shares, status=status)
        assert await look(assistants, assistant_id, assistants.owner) == owner
        assert await look(assistants, assistant_id, them) == (recipient if shares else anyone)
        for nobody in (assistants.person(), assistants.person(email="")):
            assert await look(assistants, assistant_id, nobody) == anyone


FOR_THE_OWNER = [
    ("PUT", "", {"name": "mine now", "visibility": "PUBLIC", "status": "ARCHIVED"}),
    ("POST", "/archive", None),
    ("DELETE", "", None),
    ("GET", "/shares", None),
    ("POST", "/shares", {"emails": ["mallory@example.edu"]}),
    ("DELETE", "/shares", {"emails": [PAT]}),
    ("GET", "/documents", None),
    ("POST", "/documents/upload-url", {"filename": "a", "contentType": "", "sizeBytes": 1}),
    ("GET", "/documents/DOC-1", None),
    ("GET", "/documents/DOC-1/download", None),
    ("DELETE", "/documents/DOC-1", None),
]


@pytest.mark.parametrize("visibility", ["PRIVATE", "SHARED", "PUBLIC"])
async def test_example_12_a7_only_the_owner_changes_anything(in_table: Assistants, visibility: str) -> None:
    """Others do not even learn that there is one."""
    recipient = in_table.person()
    assistant_id = stored(in_table, visibility, recipient.email, PAT)
    in_table.platform.store(document(assistant_id, "DOC-1"))
    before = in_table.platform.items(ASSISTANTS, f"AST#{assistant_id}")
    for person in (recipient, in_table.person()):
        for method, path, body in FOR_THE_OWNER:
            answer = await in_table(method, f"/{assistant_id}{path}", body, by=person)
            await in_table.assert_failed(answer, 404, "not_found")
            absent = await in_table(method, f"/ast-none{path}", body, by=person)
            assert answer.json()["detail"].replace(assistant_id, "ast-none") == absent.json()["detail"]
    assert in_table.platform.items(ASSISTANTS, f"AST#{assistant_id}") == before


@pytest.mark.parametrize(
    "token", ["pat@example.edu", "PAT@EXAMPLE.EDU", " pat@example.edu ", "\u200bPat@Example.EDU\u00a0"], ids=range(4)
)
@pytest.mark.parametrize("given", ["Pat@Example.EDU", "\u200bpat@example.edu\u00a0\u202c"], ids=["case", "R20"])
async def test_a1_a4_an_e_mail_is_compared_in_one_form(in_table: Assistants, token: str, given: str) -> None:
    """By the access check, the list and the marker alike."""
    assistant_id = stored(in_table)
    answer = await in_table("POST", f"/{assistant_id}/shares", {"emails": [given]})
    assert answer.json() == {"assistantId": assistant_id, "sharedWith": [PAT]}
    pat = in_table.person(email=token)
    assert await look(in_table, assistant_id, pat) == 200
    assert assistant_id in ids(await in_table.listed(by=pat))
    assert (await in_table("DELETE", f"/{assistant_id}/shares", {"emails": [token]})).json()["sharedWith"] == []


async def test_a3_no_part_of_an_address_is_dropped(in_table: Assistants) -> None:
    plus, plain = in_table.person(email="plus+bio@example.edu"), in_table.person(email="plus@example.edu")
    assistant_id = stored(in_table, "SHARED", plus.email)
    assert [await look(in_table, assistant_id, person) for person in (plus, plain)] == [200, 403]


@pytest.mark.parametrize(
    ("emails", "status", "shared"),
    [
        ([" A@B.edu ", ""], 200, ["a@b.edu"]),
        (["a@b.edu", "A@B.EDU ", " a@b.edu"], 200, ["a@b.edu"]),
        (["z@b.edu", "a@b.edu"], 200, ["a@b.edu", "z@b.edu"]),
        (["x#SHARE#y", "METADATA", "no address"], 200, ["metadata", "no address", "x#share#y"]),
        ([f"{number:02}@b.edu" for number in range(60)], 200, [f"{number:02}@b.edu" for number in range(60)]),
        (["ä" * 320], 200, ["ä" * 320]),
        (["ä" * 321], 422, None),
        (["\U0001f600" * 300], 422, None),
        (["  "], 422, None),
        (["\u200b"], 422, None),
        ([], 422, None),
        ([f"{number}@b.edu" for number in range(1_001)], 422, None),
    ],
    ids=["example 13", "A2 one", "sorted", "keys", "A2 sixty", "320", "321", "bytes", "blank", "A4", "none", "1001"],
)
async def test_example_13_sharing(
    in_table: Assistants, emails: list[str], status: int, shared: list[str] | None
) -> None:
    assistant_id = stored(in_table)
    answer = await in_table("POST", f"/{assistant_id}/shares", {"emails": emails})
    if shared is None:
        await in_table.assert_failed(answer, 422, "validation_error")
        assert answer.json()["field"] == "body.emails"
        return
    assert (answer.status_code, answer.json()) == (status, {"assistantId": assistant_id, "sharedWith": shared})
    assert await in_table.shares(assistant_id) == shared
    assert in_table.rows(assistant_id) == ["METADATA", *(f"SHARE#{email}" for email in shared)]
    row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"SHARE#{shared[0]}")
    assert {name: row[name] for name in row if name != "createdAt"} == {
        name: value for name, value in share(assistant_id, shared[0]).item.items() if name != "createdAt"
    }
    gone = await in_table("DELETE", f"/{assistant_id}/shares", {"emails": [*emails, "unknown@b.edu"]})
    assert (gone.status_code, gone.json()["sharedWith"]) == (200, [])


async def test_sharing_changes_no_visibility(in_table: Assistants) -> None:
    assistant_id = stored(in_table, "PRIVATE")
    assert (await in_table("POST", f"/{assistant_id}/shares", {"emails": [PAT]})).status_code == 200
    assert in_table.stored(assistant_id)["visibility"] == "PRIVATE"


async def test_f_ast_22_all_pages_of_shares_are_read(in_table: Assistants) -> None:
    """Two that do not fit into one page of the store."""
    assistant_id = stored(in_table)
    heavy = "x" * 380_000
    in_table.platform.store(*(share(assistant_id, f"{name}@b.edu", note=heavy) for name in "abcd"))
    assert await in_table.shares(assistant_id) == [f"{name}@b.edu" for name in "abcd"]
    for name in "abcd":
        in_table.platform.boto("dynamodb").delete_item(
            TableName=in_table.platform.variables[ASSISTANTS],
            Key={"PK": {"S": f"AST#{assistant_id}"}, "SK": {"S": f"SHARE#{name}@b.edu"}},
        )


async def test_a5_revoking_counts_at_once(in_table: Assistants) -> None:
    them = in_table.person()
    assistant_id = stored(in_table, "SHARED", them.email)
    assert await look(in_table, assistant_id, them) == 200
    await in_table.change(assistant_id, visibility="PRIVATE")
    assert await look(in_table, assistant_id, them) == 403
    await in_table.change(assistant_id, visibility="SHARED")
    assert await look(in_table, assistant_id, them) == 200
    await in_table("DELETE", f"/{assistant_id}/shares", {"emails": [them.email]})
    assert await look(in_table, assistant_id, them) == 403


async def test_a5_d9_sharing_again_keeps_the_mark_and_revoking_takes_it(in_table: Assistants) -> None:
    assistant_id = stored(in_table)
    in_table.platform.store(share(assistant_id, PAT, firstInteracted=True))
    before = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"SHARE#{PAT}")
    await in_table("POST", f"/{assistant_id}/shares", {"emails": [PAT, "new@b.edu"]})
    assert in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"SHARE#{PAT}") == before
    await in_table("DELETE", f"/{assistant_id}/shares", {"emails": [PAT]})
    await in_table("POST", f"/{assistant_id}/shares", {"emails": [PAT]})
    row = in_table.platform.item(ASSISTANTS, f"AST#{assistant_id}", f"SHARE#{PAT}")
    assert row["firstInteracted"] is False


async def test_f_ast_18_what_was_not_shared_is_named(in_table: Assistants) -> None:
    """The others are tried all the same, and a repeat shares the rest."""
    assistant_id = stored(in_table)
    emails = ["a@b.edu", "unlucky@b.edu", "c@b.edu"]
    failing = Fault(FaultKind.THROTTLED, operation="PutItem", containing="unlucky@b.edu")
    with in_table.platform.proxy.injecting(failing):
        answer = await in_table("POST", f"/{assistant_id}/shares", {"emails": emails})
    await in_table.assert_failed(answer, 503, "service_unavailable")
    assert answer.json()["metadata"]["notShared"] == ["unlucky@b.edu"]
    assert await in_table.shares(assistant_id) == ["a@b.edu", "c@b.edu"]
    assert (await in_table("POST", f"/{assistant_id}/shares", {"emails": emails})).json()["sharedWith"] == sorted(
        emails
    )


async def test_example_14_a_revocation_that_fails_is_no_success(in_table: Assistants) -> None:
    """Also when the store hands a part of the batch back and does not do it."""
    assistant_id = stored(in_table, "SHARED", "a@b.edu")
    table = in_table.platform.variables[ASSISTANTS]

    def handed_back(call: Call) -> Answer | None:
        if call.target.operation != "BatchWriteItem" or assistant_id not in call.text:
            return None
        left = {"DeleteRequest": {"Key": {"PK": {"S": f"AST#{assistant_id}"}, "SK": {"S": "SHARE#a@b.edu"}}}}
        return Answer(200, "application/x-amz-json-1.0", json.dumps({"UnprocessedItems": {table: [left]}}).encode())

    with in_table.platform.proxy.answering(handed_back):
        refused = await in_table("DELETE", f"/{assistant_id}/shares", {"emails": ["a@b.edu"]})
    await in_table.assert_failed(refused, 503, "service_unavailable")
    with in_table.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Query", containing=assistant_id)):
        unknown = await in_table("GET", f"/{assistant_id}/shares")
    await in_table.assert_failed(unknown, 503, "service_unavailable")
    assert await in_table.shares(assistant_id) == ["a@b.edu"]


async def test_local_files_know_no_shares(in_files: Assistants) -> None:
    assistant_id = stored(in_files, "SHARED")
    assert await in_files.shares(assistant_id) == []
    for method in ("POST", "DELETE"):
        answer = await in_files(method, f"/{assistant_id}/shares", {"emails": [PAT]})
        await in_files.assert_failed(answer, 503, "service_unavailable")
        absent = await in_files(method, "/ast-none/shares", {"emails": [PAT]})
        await in_files.assert_failed(absent, 404, "not_found")


async def test_the_share_dialog(in_table: Assistants) -> None:
    """As the web client saves it: visibility, what there is, what is new, what is gone."""
    old, new = in_table.person(), in_table.person()
    assistant_id = stored(in_table, "PRIVATE", old.email)
    assert [await look(in_table, assistant_id, person) for person in (old, new)] == [403, 403]

    async def save(wanted: set[str]) -> None:
        await in_table.change(assistant_id, visibility="SHARED" if wanted else "PRIVATE")
        known = set(await in_table.shares(assistant_id))
        for method, emails in (("POST", wanted - known), ("DELETE", known - wanted)):
            if emails:
                answer = await in_table(method, f"/{assistant_id}/shares", {"emails": sorted(emails)})
                assert answer.status_code == 200
        assert await in_table.shares(assistant_id) == sorted(wanted)

    await save({new.email})
    assert [await look(in_table, assistant_id, person) for person in (old, new)] == [403, 200]
    await save({old.email, new.email})
    assert [await look(in_table, assistant_id, person) for person in (old, new)] == [200, 200]
    await save(set())
    assert [await look(in_table, assistant_id, person) for person in (old, new)] == [403, 403]


# The marker is set by a chat turn, so here it is asked of the library.


def recipient(email: str = "Marked@Example.edu ") -> User:
    return User(email=email, user_id="600000000", name="", roles=[])


async def test_the_marker_of_an_opened_share(aws: Aws) -> None:
    aws.store(share("ast-marked", "marked@example.edu", firstInteracted=LEFT_OUT))
    for _ in range(2):
        await get_assistant_service().mark_opened(recipient(), "ast-marked")
        row = aws.item(ASSISTANTS, "AST#ast-marked", "SHARE#marked@example.edu")
        assert row["firstInteracted"] is True


@pytest.mark.parametrize("email", ["stranger@example.edu", ""], ids=["no share", "no e-mail"])
async def test_without_a_share_nothing_is_marked(aws: Aws, email: str) -> None:
    await get_assistant_service().mark_opened(recipient(email), "ast-unmarked")
    assert aws.items(ASSISTANTS, "AST#ast-unmarked") == []


async def test_f_ast_24_a_marker_that_fails_is_suppressed(aws: Aws) -> None:
    aws.store(share("ast-faulty", "marked@example.edu"))
    site = "apis.shared.assistants.service:AssistantService.mark_opened"
    before = suppression_counts().get(site, 0)
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="UpdateItem", containing="ast-faulty")):
        await get_assistant_service().mark_opened(recipient(), "ast-faulty")
    assert suppression_counts().get(site, 0) == before + 1


async def test_f_ast_23_a_share_that_cannot_be_read_is_an_outage(in_table: Assistants) -> None:
    them = in_table.person()
    assistant_id = stored(in_table, "SHARED", them.email)
    with in_table.platform.proxy.injecting(
        Fault(FaultKind.SERVER_ERROR, operation="BatchGetItem", containing=assistant_id)
    ):
        answers = await asyncio.gather(*(in_table("GET", f"/{assistant_id}", by=them) for _ in range(2)))
    for answer in answers:
        await in_table.assert_failed(answer, 503, "service_unavailable")
