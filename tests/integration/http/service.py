"""A small service that runs as a process: what only shows on its output and on the wire is tested with it."""

import asyncio
import logging

from apis.shared.errors import ErrorDetail, not_found
from apis.shared.http import ResultRouter, create_service
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, best_effort

logger = logging.getLogger("sample")
router = ResultRouter()


async def _telemetry() -> Result[None, ErrorDetail]:
    return Failure(not_found("No counter"))


async def _later() -> None:
    await asyncio.sleep(0.02)
    await best_effort(_telemetry(), reason="Nobody waits for this.", default=None)


@router.get("/health")
async def health() -> Result[str, ErrorDetail]:
    return Success("healthy")


@router.get("/suppressing")
async def suppressing() -> Result[None, ErrorDetail]:
    await best_effort(_telemetry(), reason="Only a counter.", default=None)
    background.spawn(_later(), name="later")
    await asyncio.to_thread(logger.warning, "in a thread")
    asyncio.get_running_loop().call_later(0.02, logger.warning, "in a callback")
    return Success(None)


app = create_service(
    title="Sample",
    version="1",
    description="",
    tags=[],
    routers=[router],
    origins=[],
    max_body_bytes=10,
    open_routes={("GET", "/health"), ("GET", "/suppressing")},
)
logger.warning("at the start")
