"""The command with which operators count anew what a user's files take up."""

import asyncio
import sys
import uuid
from typing import Any

import pytest

from apis.app_api.files.recount import recount
from devstack.environment import plumbing
from tests.integration.conftest import Aws
from tests.support import stored
from tests.support.platform import Platform
from tests.support.stored import Thing

MODULE = "apis.app_api.files.recount"


def somebody() -> str:
    return uuid.uuid4().hex[:9]


def miscounted(user_id: str, bucket: str, **attributes: Any) -> list[Thing]:
    """One ready file of five bytes, of which the counter knows nothing right."""
    _, row = stored.uploaded_file(user_id, "s1", bucket, content=b"12345", **attributes)
    return [row, stored.file_quota(user_id, total_bytes=99, file_count=7)]


def counter(item: dict[str, object]) -> tuple[object, object]:
    return item["totalBytes"], item["fileCount"]


async def test_the_command(tables: Platform) -> None:
    """One user whose files cannot be counted does not keep the others from it, and the status says so."""
    bucket = tables.variables[stored.FILES_BUCKET]
    broken, whole = somebody(), somebody()
    tables.store(*miscounted(broken, bucket, sizeBytes="many"), *miscounted(whole, bucket))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        broken,
        whole,
        env={**plumbing(), **tables.surroundings.environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    first, second = told.decode().splitlines()
    assert first.startswith(f"{broken}: ")
    assert "internal_error" in first
    assert second == f"{whole}: 99 bytes in 7 files -> 5 bytes in 1 files"
    assert counter(tables.item(stored.FILES, f"USER#{whole}", "QUOTA")) == (5, 1)
    assert counter(tables.item(stored.FILES, f"USER#{broken}", "QUOTA")) == (99, 7)


async def test_its_status_when_all_are_counted(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    user_id = somebody()
    aws.store(*miscounted(user_id, aws.environment[stored.FILES_BUCKET]))
    assert await recount([user_id]) == 0
    assert await recount([user_id]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{user_id}: 99 bytes in 7 files -> 5 bytes in 1 files",
        f"{user_id}: 5 bytes in 1 files -> 5 bytes in 1 files",
    ]
