from typing import Annotated

from fastapi import Path, Query

from apis.app_api.assistants.routes import BAD_TOKEN, NOT_FOUND, AssistantId
from apis.app_api.documents.schemas import (
    CreateDocumentRequest,
    DocumentResponse,
    DocumentsListResponse,
    DownloadUrlResponse,
    UploadUrlResponse,
)
from apis.shared.auth import CurrentUser
from apis.shared.documents.models import document_not_found
from apis.shared.documents.service import get_document_service
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, ResultRouter
from apis.shared.http.bounds import Integer, PageToken
from apis.shared.result import Result

router = ResultRouter(
    prefix="/assistants/{assistant_id}/documents", tags=["Documents"], errors=(*GUARDED, *STORE_ERRORS)
)

# As OpenAPI shows it.
NO_DOCUMENT = document_not_found("DOC-0123456789ab")

DocumentId = Annotated[str, Path(description="Our id of the document.", examples=["DOC-0123456789ab"])]


@router.post("/upload-url", summary="Begin the upload of a document", errors=(NOT_FOUND,))
async def generate_upload_url(
    user: CurrentUser, assistant_id: AssistantId, body: CreateDocumentRequest
) -> Result[UploadUrlResponse, ErrorDetail]:
    """Ingestion begins when the bytes are there. Ask for the document's status until it is `complete` or `failed`."""
    begun = await get_document_service().begin_upload(user.user_id, assistant_id, body.to_document())
    return begun.map(UploadUrlResponse.of)


@router.get("", summary="List documents", errors=(NOT_FOUND, BAD_TOKEN))
async def list_documents(
    user: CurrentUser,
    assistant_id: AssistantId,
    limit: Annotated[Integer | None, Query(description="At most this many; 0 and less as all.")] = None,
    next_token: Annotated[PageToken | None, Query(description="`nextToken` of the previous answer.")] = None,
) -> Result[DocumentsListResponse, ErrorDetail]:
    """Whatever their status; all of them without `limit`."""
    wanted = limit if limit is not None and limit > 0 else None
    page = await get_document_service().page(user.user_id, assistant_id, limit=wanted, token=next_token)
    return page.map(DocumentsListResponse.of)


@router.get("/{document_id}", summary="Get a document", errors=(NO_DOCUMENT,))
async def get_document(
    user: CurrentUser, assistant_id: AssistantId, document_id: DocumentId
) -> Result[DocumentResponse, ErrorDetail]:
    """Its status may stand still for ever, when ingestion was interrupted."""
    return (await get_document_service().get(user.user_id, assistant_id, document_id)).map(DocumentResponse.of)


@router.get("/{document_id}/download", summary="Begin the download of a document", errors=(NO_DOCUMENT,))
async def get_download_url(
    user: CurrentUser, assistant_id: AssistantId, document_id: DocumentId
) -> Result[DownloadUrlResponse, ErrorDetail]:
    """For the owner of the assistant alone, also where others see citations of it."""
    begun = await get_document_service().begin_download(user.user_id, assistant_id, document_id)
    return begun.map(DownloadUrlResponse.of)


@router.delete("/{document_id}", summary="Delete a document", errors=(NO_DOCUMENT,))
async def delete_document(
    user: CurrentUser, assistant_id: AssistantId, document_id: DocumentId
) -> Result[None, ErrorDetail]:
    """No answer quotes it any more. After a failure it is still there, and the request can be repeated."""
    return await get_document_service().delete(user.user_id, assistant_id, document_id)
