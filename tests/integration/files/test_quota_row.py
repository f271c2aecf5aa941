"""The counter and the files that it counts, whatever fails in between and however often it is repeated."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apis.shared.errors import ErrorCode
from apis.shared.files.service import FileService, WantedFile, get_file_service
from apis.shared.result import Failure, Success
from tests.integration.conftest import Aws
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind

# What may have been done although no answer came, and what was not done.
KINDS = [FaultKind.RESET, FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.ACCESS_DENIED]
CALLS = ["GetItem", "PutItem", "HeadObject", "DeleteObject", "TransactWriteItems", "UpdateItem"]
STEPS = st.tuples(
    st.sampled_from(["presign", "put", "complete", "complete", "delete"]),
    st.integers(0, 2),
    st.integers(0, 12),
    st.none() | st.tuples(st.sampled_from(KINDS), st.sampled_from(CALLS)),
)


class Files:
    """Of one user, changed by the service and looked at past it."""

    def __init__(self, aws: Aws, service: FileService) -> None:
        self.aws, self.service = aws, service
        self.user_id = uuid.uuid4().hex[:9]
        self.bucket = aws.environment[stored.FILES_BUCKET]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [item for item in self.aws.items(stored.FILES, f"USER#{self.user_id}") if item["SK"] != "QUOTA"]

    def assert_counted(self) -> None:
        counter = self.aws.item(stored.FILES, f"USER#{self.user_id}", "QUOTA")
        ready = [row["sizeBytes"] for row in self.rows if row["status"] == "ready"]
        assert (counter.get("totalBytes", 0), counter.get("fileCount", 0)) == (sum(ready), len(ready))

    async def step(self, action: str, which: int, size: int) -> ErrorCode | None:
        rows = self.rows
        if action == "presign":
            outcome: Any = await self.service.presign(self.user_id, WantedFile("s1", "a.txt", "text/plain", 5))
        elif not rows:
            return None
        else:
            row = rows[which % len(rows)]
            if action == "put":
                self.aws.s3.put_object(Bucket=self.bucket, Key=row["s3Key"], Body=b"x" * size)
                return None
            outcome = await getattr(self.service, action)(self.user_id, row["uploadId"])
        return outcome.failure().code if isinstance(outcome, Failure) else None

    async def finish(self, upload_id: str) -> None:
        """Whatever comes of it."""
        outcome = await self.service.complete(self.user_id, upload_id)
        accepted = {ErrorCode.CONFLICT, ErrorCode.NOT_FOUND, ErrorCode.BAD_REQUEST}
        assert not isinstance(outcome, Failure) or outcome.failure().code in accepted


@pytest.fixture
def service(aws: Aws) -> FileService:
    return get_file_service()


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(STEPS, min_size=6, max_size=14))
async def test_nothing_is_counted_twice(
    aws: Aws, service: FileService, steps: list[tuple[str, int, int, tuple[FaultKind, str] | None]]
) -> None:
    files = Files(aws, service)
    for action, which, size, fault in steps:
        if fault is None:
            await files.step(action, which, size)
        else:
            with aws.proxy.injecting(Fault(fault[0], operation=fault[1], containing=files.user_id)) as injected:
                failed = await files.step(action, which, size)
            assert failed is not None or not injected.hits, "a failure was not told"
        files.assert_counted()
    # Repeated without faults, everything ends: each file is ready or has failed, and then all are gone.
    for row in files.rows:
        await files.finish(row["uploadId"])
    assert {row["status"] for row in files.rows} <= {"ready", "failed"}
    files.assert_counted()
    for row in files.rows:
        assert await service.delete(files.user_id, row["uploadId"]) == Success(None)
    files.assert_counted()
    assert aws.s3.list_objects_v2(Bucket=files.bucket, Prefix=f"user-files/{files.user_id}/").get("Contents", []) == []


async def test_a_recount(aws: Aws, service: FileService) -> None:
    """Records that expired were never subtracted; what operators start puts it right."""
    files = Files(aws, service)
    for status in ("ready", "ready", "pending", "failed"):
        _, row = stored.uploaded_file(files.user_id, "s1", files.bucket, content=b"12345", status=status)
        aws.store(row)
    assert (await service.recount(files.user_id)).map(lambda usage: usage[1].total_bytes) == Success(10)
    files.assert_counted()
    aws.store(stored.file_quota(files.user_id, total_bytes=99, file_count=7))
    before, after = (await service.recount(files.user_id)).unwrap()
    assert (before.total_bytes, before.file_count, after.total_bytes, after.file_count) == (99, 7, 10, 2)
    files.assert_counted()
