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


SUPPRESSED = {
    "X-Suppressed-Failures": {
        "description": "How many failures of optional work were passed over since the process started.",
        "schema": {"type": "integer", "minimum": 0},
    }
}

router = ResultRouter(tags=["Health"])


@router.head("/health")
@router.get("/health", summary="Is the process up?", responses={200: {"model": Health, "headers": SUPPRESSED}})
async def health() -> Result[JSONResponse, ErrorDetail]:
    """Touches no dependency: says that the process runs, not that everything it needs does."""
    suppressed = sum(suppression_counts().values())
    return Success(JSONResponse(Health().model_dump(), headers={"X-Suppressed-Failures": str(suppressed)}))
