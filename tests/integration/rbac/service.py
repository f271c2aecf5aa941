"""A service with routes that stored roles guard."""

from typing import Annotated

from apis.shared.auth import User
from apis.shared.errors import ErrorDetail, forbidden
from apis.shared.http import GUARDED, STORE_ERRORS, Depends, ResultRouter, create_service
from apis.shared.rbac.guards import require_model_access, require_tool_access
from apis.shared.result import Result, Success

NO_TOOL = forbidden("Access denied to tool: t1")
NO_MODEL = forbidden("Access denied to model: m1")

router = ResultRouter(errors=(*GUARDED, *STORE_ERRORS))


@router.get("/tool", errors=(NO_TOOL,))
async def tool(user: Annotated[User, Depends(require_tool_access("t1"))]) -> Result[str, ErrorDetail]:
    return Success(user.user_id)


@router.get("/model", errors=(NO_MODEL,))
async def model(user: Annotated[User, Depends(require_model_access("m1"))]) -> Result[str, ErrorDetail]:
    return Success(user.user_id)


app = create_service(
    title="Roles test", version="1", description="", tags=[], routers=[router], origins=[], max_body_bytes=1000
)
