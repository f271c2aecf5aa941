from typing import Literal

from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from agents.warm_up import warm_up
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
    headers = {"X-Suppressed-Failures": str(suppressed)}
    return Success(JSONResponse(Ping().model_dump(), headers=headers, background=BackgroundTask(_after_the_answer)))


async def _after_the_answer() -> None:
    warm_up()
