from collections.abc import Iterator
from typing import Any

from tests.faults.scenario import MESSAGE, Case, Message, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing
from tests.support.stored.assistants import ASSISTANTS, DOCUMENTS_BUCKET, assistant, ingested, share


def assistant_id(case: Case) -> str:
    return f"ast-{case.marker}"


def email(case: Case) -> str:
    return f"{case.marker}@example.edu"


ASSISTANT = {"assistant_id": assistant_id}


def an_assistant(_: Platform, case: Case) -> Iterator[Thing]:
    """With a share."""
    yield assistant(case.user_id, assistant_id(case), visibility="SHARED")
    yield share(assistant_id(case), f"old-{case.marker}@example.edu")


def a_shared_assistant(_: Platform, case: Case) -> Iterator[Thing]:
    """One of somebody else, and one of the user's own."""
    yield assistant("somebody else", assistant_id(case), visibility="SHARED")
    yield share(assistant_id(case), email(case))
    yield assistant(case.user_id, f"ast-own-{case.marker}")


def a_whole_assistant(platform: Platform, case: Case) -> Iterator[Thing]:
    """With a share, a document, its object and its vectors."""
    yield from an_assistant(platform, case)
    yield from ingested(assistant_id(case), f"DOC-{case.marker}")


def a_searchable_assistant(_: Platform, case: Case) -> Iterator[Thing]:
    """One of somebody else, which is shared with the user, with a document of one chunk."""
    yield assistant("somebody else", assistant_id(case), visibility="SHARED")
    yield share(assistant_id(case), email(case))
    yield from ingested(assistant_id(case), f"DOC-{case.marker}", chunks=1)


def a_searchable_assistant_of_ones_own(_: Platform, case: Case) -> Iterator[Thing]:
    yield assistant(case.user_id, assistant_id(case))
    yield from ingested(assistant_id(case), f"DOC-{case.marker}", chunks=1)


def new(case: Case) -> dict[str, Any]:
    return {"name": case.marker, "description": "", "instructions": ""}


def emails(case: Case) -> dict[str, Any]:
    return {"emails": [f"old-{case.marker}@example.edu", f"new-{case.marker}@example.edu"]}


async def is_whole(platform: Platform, case: Case, _: bool) -> None:
    """The indexes go by what the assistant says."""
    item = platform.item(ASSISTANTS, f"AST#{assistant_id(case)}", "METADATA")
    by_status = f"STATUS#{item['status']}#CREATED#{item['createdAt']}"
    assert (item["GSI_SK"], item["GSI2_SK"]) == (by_status, by_status)
    assert item["GSI2_PK"] == f"VISIBILITY#{item['visibility']}"


async def is_shared_with_both(platform: Platform, case: Case, _: bool) -> None:
    keys = [item["SK"] for item in platform.items(ASSISTANTS, f"AST#{assistant_id(case)}")]
    assert keys == ["METADATA", *(f"SHARE#{one}" for one in sorted(emails(case)["emails"]))]


async def is_shared_with_nobody(platform: Platform, case: Case, _: bool) -> None:
    assert [item["SK"] for item in platform.items(ASSISTANTS, f"AST#{assistant_id(case)}")] == ["METADATA"]


async def is_gone(platform: Platform, case: Case, _: bool) -> None:
    """However far the first attempt came, its owner still had it, and a repeat leaves nothing."""
    again = await platform.ask(case.user, "DELETE", f"/assistants/{assistant_id(case)}")
    assert again.status_code in {204, 404}, again.text
    assert platform.items(ASSISTANTS, f"AST#{assistant_id(case)}") == []
    assert platform.vectors(f"DOC-{case.marker}#") == {}
    listed = platform.boto("s3").list_objects_v2(
        Bucket=platform.variables[DOCUMENTS_BUCKET], Prefix=f"assistants/{assistant_id(case)}/"
    )
    assert listed["KeyCount"] == 0


SEARCH = (f"dynamodb.BatchGetItem {ASSISTANTS}", "bedrock-runtime.InvokeModel", "s3vectors.QueryVectors")
"""The calls for who may use an assistant, and for what its documents say."""

WHO_IS_DELETED = {
    (f"dynamodb.DeleteItem {ASSISTANTS}", FaultKind.CORRUPT_ITEM): "What a deletion answers is not looked at.",
}
KEYS_ARE_ENOUGH = {
    (f"dynamodb.Query {ASSISTANTS}", FaultKind.CORRUPT_ITEM): "A deletion reads keys, not what they hold.",
}
NOT_LOOKED_AT = {
    ("s3vectors.DeleteVectors", FaultKind.GARBAGE): "Any 2xx to a delete means that the vectors are gone.",
}

SCENARIOS = [
    Scenario("begin assistant", Request("POST /assistants/draft", lambda case: {"name": case.marker})),
    Scenario("create assistant", Request("POST /assistants", new)),
    Scenario("list assistants", Request("GET /assistants", email=email), a_shared_assistant),
    Scenario("get assistant", Request("GET /assistants/{assistant_id}", None, ASSISTANT), an_assistant),
    Scenario(
        "change assistant",
        Request("PUT /assistants/{assistant_id}", {"visibility": "PUBLIC", "status": "DRAFT"}, ASSISTANT),
        an_assistant,
        is_whole,
    ),
    Scenario(
        "archive assistant", Request("POST /assistants/{assistant_id}/archive", None, ASSISTANT), an_assistant, is_whole
    ),
    Scenario(
        "delete assistant",
        Request("DELETE /assistants/{assistant_id}", None, ASSISTANT),
        a_whole_assistant,
        is_gone,
        repeats=False,
        harmless=WHO_IS_DELETED | KEYS_ARE_ENOUGH | NOT_LOOKED_AT,
    ),
    Scenario(
        "share assistant",
        Request("POST /assistants/{assistant_id}/shares", emails, ASSISTANT),
        an_assistant,
        is_shared_with_both,
    ),
    Scenario(
        "stop sharing assistant",
        Request("DELETE /assistants/{assistant_id}/shares", emails, ASSISTANT),
        an_assistant,
        is_shared_with_nobody,
    ),
    Scenario(
        "test chat",
        Message(f"{MESSAGE} {{marker}}", operation="POST /assistants/{assistant_id}/test-chat"),
        a_searchable_assistant_of_ones_own,
        calls=(
            *SEARCH,
            f"dynamodb.Query {ASSISTANTS}",
            f"dynamodb.Query {stored.MODELS}",
            f"dynamodb.PutItem {stored.SESSIONS}",
        ),
    ),
    Scenario("list shares", Request("GET /assistants/{assistant_id}/shares", None, ASSISTANT), an_assistant),
]
