"""For operators: `python -m apis.app_api.files.recount USER_ID ...` counts anew what a user's files take up.

Records of files expire after a year without being subtracted, so the counter of a user who stays long only grows. It
may be run while the user works. The variables of the service say where the table is.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from apis.shared.errors import ErrorDetail
from apis.shared.files.models import FileUsage
from apis.shared.files.service import get_file_service
from apis.shared.lifecycle import close_all
from apis.shared.result import Result, error_of, fold
from apis.shared.settings import load_env_file


async def recount(user_ids: Sequence[str]) -> int:
    """The status of the process: 1 when a user's files could not be counted."""
    service = get_file_service()
    failed = False
    for user_id in user_ids:
        outcome = await service.recount(user_id)
        sys.stdout.write(f"{user_id}: {_told(outcome)}\n")
        failed = failed or error_of(outcome) is not None
    await close_all()
    return int(failed)


def _told(outcome: Result[tuple[FileUsage, FileUsage], ErrorDetail]) -> str:
    return fold(outcome, success=lambda usage: f"{_shown(usage[0])} -> {_shown(usage[1])}", failure=_why)


def _why(error: ErrorDetail) -> str:
    return f"{error.message} ({error.code.value} {error.context})"


def _shown(usage: FileUsage) -> str:
    return f"{usage.total_bytes} bytes in {usage.file_count} files"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m apis.app_api.files.recount")
    parser.add_argument("user_ids", nargs="+", metavar="USER_ID")
    chosen = parser.parse_args()
    load_env_file()
    sys.exit(asyncio.run(recount(chosen.user_ids)))
