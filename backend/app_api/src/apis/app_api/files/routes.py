from typing import Annotated

from fastapi import Path, Query, Request

from apis.app_api.files.schemas import (
    CompleteUploadResponse,
    FileListResponse,
    PresignRequest,
    PresignResponse,
    QuotaResponse,
)
from apis.shared.auth import CurrentUser
from apis.shared.errors import ErrorDetail
from apis.shared.files.listing import DEFAULT_PAGE, ListedBy
from apis.shared.files.models import SortBy, SortOrder
from apis.shared.files.service import (
    EMPTY_FILE,
    file_not_found,
    get_file_service,
    not_pending,
    over_quota,
    over_size,
    unsupported_type,
)
from apis.shared.http import GUARDED, STORE_ERRORS, ResultRouter
from apis.shared.http.bounds import KeyId, PageToken
from apis.shared.page_tokens import BAD_CURSOR
from apis.shared.result import Result

router = ResultRouter(tags=["Files"], errors=(*GUARDED, *STORE_ERRORS))

# As OpenAPI shows them.
_ID = "1a2067ac070_f7406981bd3047d1"
NOT_FOUND = file_not_found(_ID)
NOT_PENDING = not_pending(_ID, "ready")
OVER_SIZE = over_size(4 * 1024 * 1024)
OVER_QUOTA = over_quota(1_073_741_824, 1_073_741_824, 10)

UploadId = Annotated[str, Path(description="`uploadId` of the signed address.", examples=[_ID])]


@router.post(
    "/files/presign",
    summary="Get an address to upload a file to",
    errors=(unsupported_type("application/x-exe"), OVER_SIZE, OVER_QUOTA),
)
async def request_presigned_url(user: CurrentUser, body: PresignRequest) -> Result[PresignResponse, ErrorDetail]:
    """The browser uploads to S3 itself, and tells by `complete` when it has. Supported are PDF, DOCX, TXT, HTML, CSV,
    XLS, XLSX, MD, PNG, JPEG, GIF and WEBP. The address holds for 15 minutes."""
    return (await get_file_service().presign(user.user_id, body.wanted())).map(PresignResponse.of_upload)


@router.post(
    "/files/{upload_id}/complete",
    summary="Finish an upload",
    errors=(NOT_FOUND, NOT_PENDING, OVER_SIZE, EMPTY_FILE, OVER_QUOTA),
)
async def complete_upload(user: CurrentUser, upload_id: UploadId) -> Result[CompleteUploadResponse, ErrorDetail]:
    """From now on the file can be attached, is listed, and counts. Without an object, or with one that is not accepted,
    the upload has failed, and a new address is needed."""
    return (await get_file_service().complete(user.user_id, upload_id)).map(CompleteUploadResponse.of)


@router.get("/files", summary="List my files", errors=(BAD_CURSOR,))
async def list_files(
    user: CurrentUser,
    request: Request,
    session_id: Annotated[
        KeyId | None, Query(alias="sessionId", description="Only files of this session; all of them without `limit`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most this many.")] = DEFAULT_PAGE,
    cursor: Annotated[PageToken | None, Query(description="`nextCursor` of the previous answer.")] = None,
    sort_by: Annotated[SortBy, Query(alias="sortBy", description="Of equal ones the newer comes first.")] = "date",
    sort_order: Annotated[SortOrder, Query(alias="sortOrder", description="`desc`: the newest or largest first.")] = (
        "desc"
    ),
) -> Result[FileListResponse, ErrorDetail]:
    """Files whose upload is finished."""
    by = ListedBy(session_id, limit if "limit" in request.query_params else None, cursor, sort_by, sort_order)
    return (await get_file_service().list_files(user.user_id, by)).map(FileListResponse.of_page)


@router.get("/files/quota", summary="What my files take up")
async def get_quota(user: CurrentUser) -> Result[QuotaResponse, ErrorDetail]:
    """Zeros without any file."""
    service = get_file_service()
    return (await service.usage(user.user_id)).map(lambda usage: QuotaResponse.of_usage(usage, service.quota_bytes))


@router.delete("/files/{upload_id}", summary="Delete a file", errors=(NOT_FOUND,))
async def delete_file(user: CurrentUser, upload_id: UploadId) -> Result[None, ErrorDetail]:
    """Also one whose upload was not finished. It no longer counts; conversations keep what they already hold of it."""
    return await get_file_service().delete(user.user_id, upload_id)
