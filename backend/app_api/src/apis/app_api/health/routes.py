from typing import Annotated, Literal

from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from apis.app_api.roles.service import seed_roles
from apis.shared.errors import ErrorDetail
from apis.shared.http import ResultRouter
from apis.shared.result import Result, Success, suppression_counts


class Health(BaseModel):
    """The process answers."""

    status: Annotated[Literal["healthy"], Field(description="Always the same word.")] = "healthy"
    service: Annotated[Literal["agent-core"], Field(description="Name of the service.")] = "agent-core"
    version: Annotated[Literal["2.0.0"], Field(description="Version of the API.")] = "2.0.0"


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
    headers = {"X-Suppressed-Failures": str(suppressed)}
    return Success(JSONResponse(Health().model_dump(), headers=headers, background=BackgroundTask(_after_the_answer)))


async def _after_the_answer() -> None:
    seed_roles()
