from typing import Literal

from pydantic import BaseModel
from starlette.responses import JSONResponse

from apis.shared.errors import ErrorDetail
from apis.shared.http import ResultRouter
from apis.shared.result import Result, Success, suppression_counts


class Ping(BaseModel):
    status: Literal["healthy"] = "healthy"


router = ResultRouter(tags=["Health"])


@router.get("/ping", summary="Is the process up?", responses={200: {"model": Ping}})
async def ping() -> Result[JSONResponse, ErrorDetail]:
    """Touches no dependency. `X-Suppressed-Failures` counts the `best_effort` failures since the process started."""
    suppressed = sum(suppression_counts().values())
    return Success(JSONResponse(Ping().model_dump(), headers={"X-Suppressed-Failures": str(suppressed)}))
