"""What documents do where a part of their configuration is missing or wrong: asked of the library, because each of
these is another process."""

from collections.abc import Awaitable, Callable

import pytest

from apis.app_api.assistants.service import get_assistants_api
from apis.shared.documents.models import NewDocument
from apis.shared.documents.service import DocumentService, get_document_service
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success, error_of
from tests.integration.conftest import Aws, Configure
from tests.support.stored import LEFT_OUT
from tests.support.stored.assistants import ASSISTANTS, assistant, document, share

OWNER = "600000000"
PDF = NewDocument("a.pdf", "application/pdf", 3)

type Operation = Callable[[DocumentService, str], Awaitable[Result[object, ErrorDetail]]]


async def upload(documents: DocumentService, assistant_id: str) -> Result[object, ErrorDetail]:
    return await documents.begin_upload(OWNER, assistant_id, PDF)


async def download(documents: DocumentService, assistant_id: str) -> Result[object, ErrorDetail]:
    return await documents.begin_download(OWNER, assistant_id, "DOC-1")


async def delete(documents: DocumentService, assistant_id: str) -> Result[object, ErrorDetail]:
    return await documents.delete(OWNER, assistant_id, "DOC-1")


async def delete_all(_: DocumentService, assistant_id: str) -> Result[object, ErrorDetail]:
    return await get_assistants_api().delete(OWNER, assistant_id)


def rows(aws: Aws, assistant_id: str) -> list[str]:
    return [str(item["SK"]) for item in aws.items(ASSISTANTS, f"AST#{assistant_id}")]


@pytest.mark.parametrize("operation", [upload, download, delete, delete_all])
@pytest.mark.parametrize(
    ("bucket", "code"), [(None, "service_unavailable"), ("no bucket at all", "internal_error")], ids=["unset", "wrong"]
)
async def test_f_doc_02_03_14_without_a_bucket_nothing_is_stored_or_lost(
    aws: Aws, configure: Configure, request: pytest.FixtureRequest, operation: Operation, bucket: str | None, code: str
) -> None:
    """Signing fails for a bucket that can be none, as it does without credentials."""
    configure(ASSISTANTS_DOCUMENTS_BUCKET_NAME=bucket)
    assistant_id = f"ast-{request.node.name}"
    aws.store(assistant(OWNER, assistant_id), document(assistant_id, "DOC-1"), share(assistant_id, "a@b.edu"))
    before = rows(aws, assistant_id)
    error = error_of(await operation(get_document_service(), assistant_id))
    assert error is not None
    assert error.code.value == code
    assert rows(aws, assistant_id) == before
    assert (await get_document_service().get(OWNER, assistant_id, "DOC-1")).map(lambda one: one.document_id) == Success(
        "DOC-1"
    )


@pytest.mark.parametrize("operation", [delete, delete_all])
@pytest.mark.parametrize("chunks", [None, 0, 3])
async def test_f_doc_12_without_a_vector_index_only_what_has_no_vectors_is_deleted(
    aws: Aws, configure: Configure, request: pytest.FixtureRequest, operation: Operation, chunks: int | None
) -> None:
    configure(ASSISTANTS_VECTOR_STORE_INDEX_NAME=None)
    assistant_id = f"ast-{request.node.name}"
    counted = LEFT_OUT if chunks is None else chunks
    row = document(assistant_id, "DOC-1", status="uploading", chunkCount=counted)
    aws.store(assistant(OWNER, assistant_id), row)
    outcome = await operation(get_document_service(), assistant_id)
    if chunks:
        error = error_of(outcome)
        assert error is not None
        assert error.code.value == "service_unavailable"
        assert rows(aws, assistant_id) == ["DOC#DOC-1", "METADATA"]
    else:
        assert outcome == Success(None)
        assert rows(aws, assistant_id) == ([] if operation is delete_all else ["METADATA"])


async def test_an_assistant_without_documents_needs_no_bucket(aws: Aws, configure: Configure) -> None:
    configure(ASSISTANTS_DOCUMENTS_BUCKET_NAME=None, ASSISTANTS_VECTOR_STORE_BUCKET_NAME=None)
    aws.store(assistant(OWNER, "ast-plain"), share("ast-plain", "a@b.edu"))
    assert await get_assistants_api().delete(OWNER, "ast-plain") == Success(None)
    assert rows(aws, "ast-plain") == []
