from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.faults.scenarios.assistants import NOT_LOOKED_AT, assistant_id
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing
from tests.support.stored.assistants import ASSISTANTS, DOCUMENTS_BUCKET, assistant, ingested


def document_id(case: Case) -> str:
    return f"DOC-{case.marker}"


IDS = {"assistant_id": assistant_id, "document_id": document_id}
PATH = "/assistants/{assistant_id}/documents"


def a_document(_: Platform, case: Case) -> Iterator[Thing]:
    yield assistant(case.user_id, assistant_id(case))
    yield from ingested(assistant_id(case), document_id(case))


async def is_gone(platform: Platform, case: Case, _: bool) -> None:
    again = await platform.ask(case.user, "DELETE", f"/assistants/{assistant_id(case)}/documents/{document_id(case)}")
    assert again.status_code in {204, 404}, again.text
    assert [item["SK"] for item in platform.items(ASSISTANTS, f"AST#{assistant_id(case)}")] == ["METADATA"]
    assert platform.vectors(f"{document_id(case)}#") == {}
    listed = platform.boto("s3").list_objects_v2(
        Bucket=platform.variables[DOCUMENTS_BUCKET], Prefix=f"assistants/{assistant_id(case)}/"
    )
    assert listed["KeyCount"] == 0


ANY_2XX = {
    (f"s3.DeleteObject {DOCUMENTS_BUCKET}", FaultKind.GARBAGE): "Any 2xx to a delete means that the object is gone.",
}

SCENARIOS = [
    Scenario(
        "begin upload of document",
        Request(f"POST {PATH}/upload-url", {"filename": "a.pdf", "contentType": "", "sizeBytes": 3}, IDS),
        a_document,
    ),
    Scenario("list documents", Request(f"GET {PATH}", None, IDS), a_document),
    Scenario("get document", Request(f"GET {PATH}/{{document_id}}", None, IDS), a_document),
    Scenario("begin download of document", Request(f"GET {PATH}/{{document_id}}/download", None, IDS), a_document),
    Scenario(
        "delete document",
        Request(f"DELETE {PATH}/{{document_id}}", None, IDS),
        a_document,
        is_gone,
        repeats=False,
        harmless=NOT_LOOKED_AT | ANY_2XX,
    ),
]
