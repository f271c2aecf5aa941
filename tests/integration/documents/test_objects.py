"""Deleting and listing many objects of a bucket: S3 answers 200 to a bulk delete and says in it what it did not do."""

import re
from collections.abc import Callable, Sequence

import pytest

from apis.shared.aws.s3 import Bucket
from apis.shared.errors import ErrorCode
from apis.shared.result import Success
from tests.integration.assistants.conftest import Assistants
from tests.integration.conftest import Aws
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.stored.assistants import DOCUMENTS_BUCKET, assistant, ingested

BULK, LIST = "PostBucket", "GetBucket"
_KEY = re.compile(r"<Key>([^<]*)</Key>")

type OwnAnswer = Callable[[Call], Answer | None]


@pytest.fixture
def bucket(aws: Aws) -> Bucket:
    return Bucket(aws.environment[DOCUMENTS_BUCKET])


def xml(root: str, content: str) -> Answer:
    return Answer(200, "application/xml", f'<?xml version="1.0"?><{root}>{content}</{root}>'.encode())


def refusing(code: str, *, named: str) -> OwnAnswer:
    """Bulk deletes that leave the keys with `named` in them."""

    def answer(call: Call) -> Answer | None:
        if call.target.operation != BULK or named not in call.text:
            return None
        keys = _KEY.findall(call.text)
        told = [
            f"<Error><Key>{key}</Key><Code>{code}</Code><Message>arn:secret</Message></Error>"
            if named in key
            else f"<Deleted><Key>{key}</Key></Deleted>"
            for key in keys
        ]
        return xml("DeleteResult", "".join(told))

    return answer


def keys_of(prefix: str, count: int) -> list[str]:
    return [f"{prefix}/{number:04}" for number in range(count)]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("AccessDenied", ErrorCode.INTERNAL_ERROR),
        ("InternalError", ErrorCode.SERVICE_UNAVAILABLE),
        ("SlowDown", ErrorCode.SERVICE_UNAVAILABLE),
    ],
)
async def test_d4_a_success_with_errors_is_a_failure(aws: Aws, bucket: Bucket, code: str, failure: ErrorCode) -> None:
    with aws.proxy.answering(refusing(code, named="0001")):
        error = (await bucket.delete_all(keys_of("d4", 3))).failure()
    assert error.code == failure
    assert error.context["stayed"] == "1 of 3"
    assert "secret" not in error.model_dump_json()


async def test_all_batches_are_tried(aws: Aws, bucket: Bucket) -> None:
    with aws.proxy.answering(refusing("SlowDown", named="many/0007")), aws.proxy.recording() as recording:
        error = (await bucket.delete_all(keys_of("many", 1_002))).failure()
    assert error.code == ErrorCode.SERVICE_UNAVAILABLE
    assert [len(_KEY.findall(call.text)) for call in recording.calls] == [1_000, 2]


@pytest.mark.parametrize("told", [["a/0"], []], ids=["of one nothing is said", "nothing is said"])
async def test_a_success_that_does_not_name_the_object_is_none(aws: Aws, bucket: Bucket, told: Sequence[str]) -> None:
    answer = xml("DeleteResult", "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in told))
    with aws.proxy.answering(lambda call: answer if call.target.operation == BULK else None):
        error = (await bucket.delete_all(["a/0", "a/1"])).failure()
    assert error.code == ErrorCode.SERVICE_UNAVAILABLE


async def test_absent_ones_count_as_deleted_and_none_is_no_call(aws: Aws, bucket: Bucket) -> None:
    aws.s3.put_object(Bucket=bucket.name, Key="some/0000", Body=b"1")
    assert await bucket.delete_all([*keys_of("some", 2), "some/0000"]) == Success(None)
    assert await bucket.keys("some/") == Success([])
    with aws.proxy.recording() as recording:
        assert await bucket.delete_all([]) == Success(None)
    assert recording.calls == []


def page(keys: Sequence[str], following: str = "") -> Answer:
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
    return xml("ListBucketResult", f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>{more}{contents}")


async def test_keys_of_all_pages(aws: Aws, bucket: Bucket) -> None:
    pages = {"": page(["p/0", "p/1"], "to=2"), "to%3D2": page([], "to3"), "to3": page(["p/2"])}

    def answer(call: Call) -> Answer | None:
        token = re.search(r"continuation-token=([^& ]*)", call.text)
        return pages[token.group(1) if token else ""] if call.target.operation == LIST else None

    with aws.proxy.answering(answer):
        assert await bucket.keys("p/") == Success(["p/0", "p/1", "p/2"])
        with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation=LIST, nth=3)):
            assert (await bucket.keys("p/")).failure().code == ErrorCode.SERVICE_UNAVAILABLE


async def test_an_answer_without_a_list_is_no_empty_list(aws: Aws, bucket: Bucket) -> None:
    with aws.proxy.injecting(Fault(FaultKind.GARBAGE, operation=LIST)):
        assert (await bucket.keys("p/")).failure().code == ErrorCode.SERVICE_UNAVAILABLE


async def test_d4_the_deletion_of_an_assistant_keeps_its_rows_and_is_repeated(in_table: Assistants) -> None:
    platform, assistant_id = in_table.platform, in_table.an_id()
    document_id = f"DOC-{assistant_id}"
    platform.store(assistant(in_table.owner.user_id, assistant_id), *ingested(assistant_id, document_id))
    with platform.proxy.answering(refusing("AccessDenied", named=assistant_id)):
        await in_table.assert_failed(await in_table("DELETE", f"/{assistant_id}"), 500, "internal_error")
    assert in_table.rows(assistant_id) == [f"DOC#{document_id}", "METADATA"]
    assert (await in_table("DELETE", f"/{assistant_id}")).status_code == 204
    assert in_table.rows(assistant_id) == []
    left = platform.boto("s3").list_objects_v2(
        Bucket=platform.variables[DOCUMENTS_BUCKET], Prefix=f"assistants/{assistant_id}/"
    )
    assert left["KeyCount"] == 0
