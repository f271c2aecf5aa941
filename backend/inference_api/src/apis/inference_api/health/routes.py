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


SUPPRESSED = {
    "X-Suppressed-Failures": {
        "description": "How many failures of optional work were passed over since the process started.",
        "schema": {"type": "integer", "minimum": 0},
    }
}

router = ResultRouter(tags=["Health"])


@router.head("/ping")
@router.get("/ping", summary="Is the process up?", responses={200: {"model": Ping, "headers": SUPPRESSED}})
async def ping() -> Result[JSONResponse, ErrorDetail]:
    """Touches no dependency: says that the process runs, not that everything it needs does."""
    suppressed = sum(suppression_counts().values())
    headers = {"X-Suppressed-Failures": str(suppressed)}
    return Success(JSONResponse(Ping().model_dump(), headers=headers, background=BackgroundTask(_after_the_answer)))


async def _after_the_answer() -> None:
    warm_up()
