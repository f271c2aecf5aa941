"""The vectors of documents, in an index that refuses what the service refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from apis.shared.aws.client import ServiceClient
from apis.shared.aws.vectors import Hit, VectorIndex
from apis.shared.documents.models import vector_keys
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success, error_of
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.stored.knowledge import numbers, vector, vectors


@pytest.fixture
def index(aws: Aws) -> VectorIndex:
    keys = list(aws.vectors())
    for start in range(0, len(keys), 500):
        aws.boto("s3vectors").delete_vectors(**aws.vector_index, keys=keys[start : start + 500])
    return VectorIndex(aws.vector_index["vectorBucketName"], aws.vector_index["indexName"])


async def nearest(
    index: VectorIndex, assistant_id: str, at: list[float], top_k: int = 5
) -> Result[list[Hit], ErrorDetail]:
    return await index.nearest(at, where={"assistant_id": assistant_id}, top_k=top_k)


def keys_of(*document_ids: str) -> list[str]:
    return [key for document_id in document_ids for key in vector_keys(document_id)]


async def test_the_nearest_chunks_of_one_assistant(aws: Aws, index: VectorIndex) -> None:
    aws.store(*vectors("ast-1", "DOC-a", 4), vector("ast-10", "DOC-b", 0), vector("ast-1", "DOC-c", 0, at=(-1.0,)))
    hits = (await nearest(index, "ast-1", numbers(2.0), 4)).unwrap()
    assert [hit.key for hit in hits] == ["DOC-a#0", "DOC-a#1", "DOC-a#2", "DOC-a#3"]
    assert hits[0].distance == 0.0
    assert hits[0].metadata == {
        "text": "chunk 0", "document_id": "DOC-a", "assistant_id": "ast-1", "source": "a.pdf"
    }  # fmt: skip
    far = (await nearest(index, "ast-1", numbers(1.0), 5)).unwrap()[-1]
    assert (far.key, far.distance) == ("DOC-c#0", 2.0)
    assert (await nearest(index, "ast-2", numbers(1.0))).unwrap() == []


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("{}", Hit("", None, {})),
        ('{"key": "DOC-a#0", "metadata": null, "distance": null}', Hit("DOC-a#0", None, {})),
        ('{"key": "DOC-a#0", "metadata": {"text": 7}, "distance": 0.0}', Hit("DOC-a#0", 0.0, {"text": 7})),
        ('{"key": "DOC-a#0", "metadata": {}, "distance": NaN}', Hit("DOC-a#0", None, {})),
        ('{"key": "DOC-a#0", "metadata": {}, "distance": "NaN"}', Hit("DOC-a#0", None, {})),
        ('{"key": "DOC-a#0", "metadata": {}, "distance": 1.7}', Hit("DOC-a#0", 1.7, {})),
    ],
    ids=["nothing", "nulls", "distance zero", "not a number", "not a number, as text", "far"],
)
async def test_a_hit_with_little_in_it(aws: Aws, index: VectorIndex, given: str, read: Hit) -> None:
    body = f'{{"vectors": [{given}], "distanceMetric": "cosine"}}'.encode()
    with aws.proxy.answering(lambda call: _if_query(call.target.operation, body)):
        assert (await nearest(index, "ast-1", numbers(1.0), 5)).unwrap() == [read]


def _if_query(operation: str, body: bytes) -> Answer | None:
    return Answer(200, "application/json", body) if operation == "QueryVectors" else None


async def test_deleting_a_document_leaves_no_vector_of_it_and_all_of_others(aws: Aws, index: VectorIndex) -> None:
    aws.store(vector("ast-1", "DOC-a", 0), vector("ast-1", "DOC-a", 499), vector("ast-1", "DOC-ab", 0))
    with aws.proxy.recording(containing="DOC-a#") as recording:
        assert error_of(await index.delete(keys_of("DOC-a"))) is None
        assert error_of(await index.delete(keys_of("DOC-a"))) is None
    assert list(aws.vectors()) == ["DOC-ab#0"]
    assert [call.target.operation for call in recording.calls] == ["DeleteVectors", "DeleteVectors"]


async def test_many_documents_in_few_calls_and_none_in_no_call(aws: Aws, index: VectorIndex) -> None:
    aws.store(*(vector("ast-1", f"DOC-{number}", number) for number in range(3)))
    with aws.proxy.recording() as recording:
        assert error_of(await index.delete(keys_of())) is None
        assert error_of(await index.delete(keys_of("DOC-0", "DOC-1", "DOC-2", "DOC-1"))) is None
    assert aws.vectors() == {}
    assert [str(call.target) for call in recording.calls] == ["s3vectors.DeleteVectors"] * 3


async def test_one_batch_that_fails_fails_the_deletion(aws: Aws, index: VectorIndex) -> None:
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="DeleteVectors", nth=2)):
        error = error_of(await index.delete(keys_of("DOC-a", "DOC-b", "DOC-c")))
    assert error is not None
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE


class Counting(ServiceClient[Any]):
    """Makes no call. `nth_fails` counts from one."""

    def __init__(self, *, nth_fails: int = 0) -> None:
        super().__init__("s3vectors")
        self.calls = self.running = self.most = 0
        self.nth_fails = nth_fails

    async def call[T](self, _: Callable[[Any], T], *, lost_condition: ErrorDetail | None = None) -> Any:
        self.calls += 1
        number = self.calls
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return Failure(service_unavailable()) if number == self.nth_fails else Success(None)


async def test_a_large_deletion_leaves_threads_to_others_and_stops_where_it_fails() -> None:
    """What waits for a thread runs out of time: all at once, a hundred documents could never be deleted."""
    keys = keys_of(*(f"DOC-{number}" for number in range(20)))
    working = Counting()
    assert error_of(await VectorIndex("b", "i", working).delete(keys)) is None
    assert (working.calls, working.most) == (20, 4)
    failing = Counting(nth_fails=6)
    assert error_of(await VectorIndex("b", "i", failing).delete(keys)) is not None
    assert failing.calls == 8


OPERATIONS: dict[str, Callable[[VectorIndex], Awaitable[Result[Any, ErrorDetail]]]] = {
    "QueryVectors": lambda index: nearest(index, "ast-1", numbers(1.0)),
    "DeleteVectors": lambda index: index.delete(keys_of("DOC-a")),
}
CODES = {
    FaultKind.ACCESS_DENIED: ErrorCode.INTERNAL_ERROR,
    FaultKind.THROTTLED: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.SERVER_ERROR: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.RESET: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.GARBAGE: ErrorCode.SERVICE_UNAVAILABLE,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: str(kind.value))
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_failures(aws: Aws, index: VectorIndex, operation: str, kind: FaultKind) -> None:
    with aws.proxy.injecting(Fault(kind, operation=operation)) as injected:
        error = error_of(await OPERATIONS[operation](index))
    assert injected.hits == 1
    assert error is not None
    assert error.code is CODES[kind]


async def test_an_answer_of_another_shape(aws: Aws, index: VectorIndex) -> None:
    with aws.proxy.injecting(Fault(FaultKind.CORRUPT_ITEM, operation="QueryVectors")):
        error = error_of(await OPERATIONS["QueryVectors"](index))
    assert error is not None
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE


async def test_throttling_is_tried_again(aws: Aws, index: VectorIndex, configure: Configure) -> None:
    configure(**{**aws.environment, "AWS_MAX_ATTEMPTS": "2"})
    patient = VectorIndex(index.bucket, index.index, type(index.client)("s3vectors"))
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="QueryVectors", once=True)) as injected:
        assert (await patient.nearest(numbers(1.0), where={"assistant_id": "a"}, top_k=1)).unwrap() == []
    assert injected.hits == 1


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_missing_index_is_our_configuration(aws: Aws, operation: str) -> None:
    absent = VectorIndex(aws.vector_index["vectorBucketName"], "no-such-index")
    error = error_of(await OPERATIONS[operation](absent))
    assert error is not None
    assert error.code is ErrorCode.INTERNAL_ERROR
    assert error.context["aws_code"] == "NotFoundException"


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no keys": ("delete_vectors", {"keys": []}),
    "too many keys": ("delete_vectors", {"keys": [f"k{number}" for number in range(501)]}),
    "too many to get": ("get_vectors", {"keys": [f"k{number}" for number in range(101)]}),
    "topK zero": ("query_vectors", {"topK": 0, "queryVector": {"float32": numbers(1.0)}}),
    "topK over 100": ("query_vectors", {"topK": 101, "queryVector": {"float32": numbers(1.0)}}),
    "search with zeros": ("query_vectors", {"topK": 1, "queryVector": {"float32": numbers(0.0)}}),
    "search of another length": ("query_vectors", {"topK": 1, "queryVector": {"float32": [1.0]}}),
    "filter on text": (
        "query_vectors", {"topK": 1, "queryVector": {"float32": numbers(1.0)}, "filter": {"text": "a"}},
    ),
    "unknown operator": (
        "query_vectors", {"topK": 1, "queryVector": {"float32": numbers(1.0)}, "filter": {"a": {"$like": "a"}}},
    ),
    "page over 1000": ("list_vectors", {"maxResults": 1001}),
    "zeros": ("put_vectors", {"vectors": [{"key": "k", "data": {"float32": numbers(0.0)}}]}),
    "filterable metadata over 2 KB": (
        "put_vectors", {"vectors": [{"key": "k", "data": {"float32": numbers(1.0)}, "metadata": {"a": "x" * 2048}}]},
    ),
    "metadata over 40 KB": (
        "put_vectors",
        {"vectors": [{"key": "k", "data": {"float32": numbers(1.0)}, "metadata": {"text": "x" * 41_000}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refuses_the_stand_in_refuses(aws: Aws, case: str) -> None:
    operation, given = REFUSED[case]
    client = aws.boto("s3vectors")
    with pytest.raises((ClientError, ParamValidationError), match=r"ValidationException|Invalid"):
        getattr(client, operation)(**aws.vector_index, **given)


FILTERS = {
    "eq": ({"name": {"$eq": "a"}}, ["a"]),
    "implied eq": ({"name": "a"}, ["a"]),
    "two names": ({"name": "a", "year": 2020}, ["a"]),
    "ne": ({"name": {"$ne": "a"}}, ["b"]),
    "range": ({"year": {"$gt": 2019, "$lte": 2020}}, ["a"]),
    "in": ({"name": {"$in": ["b", "c"]}}, ["b"]),
    "nin": ({"name": {"$nin": ["b", "c"]}}, ["a"]),
    "element of a list": ({"tags": "x"}, ["b"]),
    "exists": ({"tags": {"$exists": False}}, ["a"]),
    "and": ({"$and": [{"name": "a"}, {"year": 2021}]}, []),
    "or": ({"$or": [{"name": "a"}, {"year": 2021}]}, ["a", "b"]),
}


@pytest.mark.parametrize("case", FILTERS)
def test_filters_of_the_stand_in(aws: Aws, index: VectorIndex, case: str) -> None:
    wanted, keys = FILTERS[case]
    aws.store(
        stored.StoredVector("a", numbers(1.0), {"name": "a", "year": 2020}),
        stored.StoredVector("b", numbers(1.0, 1.0), {"name": "b", "year": 2021, "tags": ["x", "y"]}),
    )
    answer = aws.boto("s3vectors").query_vectors(
        **aws.vector_index, topK=100, queryVector={"float32": numbers(1.0)}, filter=wanted
    )
    assert answer["vectors"] == [{"key": key} for key in keys]
