from typing import Literal

from pydantic import BaseModel
from starlette.responses import JSONResponse

from apis.shared.errors import ErrorDetail
from apis.shared.http import ResultRouter
from apis.shared.result import Result, Success, suppression_counts


class Health(BaseModel):
    status: Literal["healthy"] = "healthy"
    service: Literal["agent-core"] = "agent-core"
    version: Literal["2.0.0"] = "2.0.0"


router = ResultRouter(tags=["Health"])


@router.get("/health", summary="Is the process up?", responses={200: {"model": Health}})
async def health() -> Result[JSONResponse, ErrorDetail]:
    """Touches no dependency. `X-Suppressed-Failures` counts the `best_effort` failures since the process started."""
    suppressed = sum(suppression_counts().values())
    return Success(JSONResponse(Health().model_dump(), headers={"X-Suppressed-Failures": str(suppressed)}))
