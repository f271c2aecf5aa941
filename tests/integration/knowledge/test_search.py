"""Searching the documents of an assistant: what is found, what is not, and what may never look like nothing."""

import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apis.shared.aws.embeddings import Embedder
from apis.shared.errors import ErrorCode
from apis.shared.knowledge.models import Chunk
from apis.shared.knowledge.service import KnowledgeBase, get_knowledge_base, warn_without_knowledge
from apis.shared.result import error_of
from devstack.embeddings import by_words
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.aws_wire import SECRET_SAUCE, Answer
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.stored import Thing
from tests.support.stored.assistants import ASSISTANTS, document, ghost
from tests.support.stored.knowledge import vector

QUESTION = "What does it cost?"
NEAR = by_words(QUESTION)


@pytest.fixture
def assistant() -> str:
    return f"ast-{uuid4().hex[:12]}"


@pytest.fixture
def knowledge(aws: Aws) -> KnowledgeBase:
    return get_knowledge_base()


def near(assistant_id: str, document_id: str, number: int, text: Any = "A chunk.", **more: Any) -> Thing:
    """The lower the number, the nearer to the question."""
    at = [*NEAR[:-1], NEAR[-1] + number / 100]
    return vector(assistant_id, document_id, number, text, at=at, **more)


async def found(knowledge: KnowledgeBase, assistant_id: str, query: str = QUESTION) -> list[Chunk]:
    return (await knowledge.search(assistant_id, query)).unwrap()


async def keys(knowledge: KnowledgeBase, assistant_id: str) -> list[str]:
    return [chunk.key for chunk in await found(knowledge, assistant_id)]


async def test_the_five_nearest_in_their_order_with_the_name_of_the_upload(
    aws: Aws, knowledge: KnowledgeBase, assistant: str
) -> None:
    aws.store(
        document(assistant, "DOC-a", filename="My Notes (v1).PDF", chunkCount=7),
        *(near(assistant, "DOC-a", number, f"text {number}", source="my_notes_(v1).pdf") for number in range(7)),
    )
    chunks = await found(knowledge, assistant)
    assert [chunk.text for chunk in chunks] == [f"text {number}" for number in range(5)]
    assert chunks[0] == Chunk(
        text="text 0", distance=0.0, key="DOC-a#0", document_id="DOC-a", source="My Notes (v1).PDF"
    )


async def test_what_is_asked_of_aws(aws: Aws, knowledge: KnowledgeBase, assistant: str) -> None:
    aws.store(document(assistant, "DOC-a"), near(assistant, "DOC-a", 0))
    with aws.proxy.recording() as recording:
        await found(knowledge, assistant)
    embedding, query, rows = recording.calls
    assert [call.target.operation for call in recording.calls] == ["InvokeModel", "QueryVectors", "BatchGetItem"]
    path, _, body = embedding.text.partition(" ")
    assert path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert json.loads(body) == {"inputText": QUESTION}
    asked = json.loads(query.text.partition(" ")[2])
    assert asked.pop("queryVector") == {"float32": pytest.approx(NEAR)}
    assert asked == {
        **aws.vector_index,
        "filter": {"assistant_id": assistant},
        "topK": 20,
        "returnMetadata": True,
        "returnDistance": True,
    }
    assert rows.text.count("DOC#") == 1


async def test_an_assistant_sees_no_document_of_another(aws: Aws, knowledge: KnowledgeBase, assistant: str) -> None:
    for one in (assistant, f"{assistant}0"):
        aws.store(document(one, f"DOC-of-{one}"), near(one, f"DOC-of-{one}", 0))
    assert await keys(knowledge, assistant) == [f"DOC-of-{assistant}#0"]


async def test_nothing_of_a_document_that_is_gone(aws: Aws, knowledge: KnowledgeBase, assistant: str) -> None:
    """Twenty nearer chunks of deleted documents and of a ghost take no place from the living."""
    aws.store(
        ghost(assistant, "DOC-ghost"),
        *(near(assistant, "DOC-ghost", number) for number in range(8)),
        *(near(assistant, "DOC-gone", number) for number in range(12)),
        document(assistant, "DOC-live", chunkCount=40),
        *(near(assistant, "DOC-live", number) for number in range(20, 27)),
    )
    assert await keys(knowledge, assistant) == [f"DOC-live#{number}" for number in range(20, 25)]


async def test_nothing_that_a_longer_version_left_behind(aws: Aws, knowledge: KnowledgeBase, assistant: str) -> None:
    aws.store(document(assistant, "DOC-a", chunkCount=3), *(near(assistant, "DOC-a", number) for number in range(10)))
    assert await keys(knowledge, assistant) == ["DOC-a#0", "DOC-a#1", "DOC-a#2"]


@pytest.mark.parametrize("status", ["uploading", "chunking", "embedding", "failed"])
async def test_a_count_that_is_not_final_bounds_nothing(
    aws: Aws, knowledge: KnowledgeBase, assistant: str, status: str
) -> None:
    aws.store(document(assistant, "DOC-a", status=status, chunkCount=1), near(assistant, "DOC-a", 2))
    assert await keys(knowledge, assistant) == ["DOC-a#2"]


async def test_without_documents_nothing_is_found_and_that_is_no_failure(
    knowledge: KnowledgeBase, assistant: str
) -> None:
    assert await found(knowledge, assistant) == []


@pytest.mark.parametrize("query", ["", " \n\t"])
async def test_a_blank_query_asks_nobody(aws: Aws, knowledge: KnowledgeBase, assistant: str, query: str) -> None:
    with aws.proxy.recording() as recording:
        assert await found(knowledge, assistant, query) == []
    assert recording.calls == []


@pytest.mark.parametrize("unset", [stored.VECTOR_BUCKET, stored.VECTOR_INDEX, ASSISTANTS])
async def test_switched_off(
    aws: Aws, configure: Configure, assistant: str, unset: str, caplog: pytest.LogCaptureFixture
) -> None:
    configure(**{**aws.environment, unset: ""})
    with aws.proxy.recording() as recording:
        assert await found(get_knowledge_base(), assistant) == []
    assert recording.calls == []
    warn_without_knowledge()
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.variables for record in warned] == ([] if unset == ASSISTANTS else [[unset]])  # type: ignore[attr-defined]  # of our own


def given(*hits: dict[str, Any]) -> Callable[[Call], Answer | None]:
    """An index that answers this, whatever it was asked."""
    body = json.dumps({"vectors": list(hits), "distanceMetric": "cosine"}).encode()
    return lambda call: Answer(200, "application/json", body) if call.target.operation == "QueryVectors" else None


async def test_an_index_that_ignores_its_filter(
    aws: Aws, knowledge: KnowledgeBase, assistant: str, caplog: pytest.LogCaptureFixture
) -> None:
    aws.store(document(assistant, "DOC-a"), document("ast-other", "DOC-b"))
    foreign = {"key": "DOC-b#0", "distance": 0.1, "metadata": {"assistant_id": "ast-other", "text": "secret"}}
    nobody = {"distance": 0.1, "metadata": {"text": "secret"}}
    own = {"key": "DOC-a#0", "distance": 0.2, "metadata": {"assistant_id": assistant, "text": "ours"}}
    with aws.proxy.answering(given(foreign, nobody, own)):
        assert [chunk.text for chunk in await found(knowledge, assistant)] == ["ours"]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.keys == ["DOC-b#0", ""]  # type: ignore[attr-defined]  # of our own
    assert "secret" not in str(vars(record))


async def test_an_unmarked_hit_of_a_document_of_another_assistant(
    aws: Aws, knowledge: KnowledgeBase, assistant: str
) -> None:
    aws.store(document("ast-other", "DOC-foreign"))
    with aws.proxy.answering(given({"key": "DOC-foreign#0", "distance": 0.1})):
        assert await found(knowledge, assistant) == []


ODD: dict[str, tuple[dict[str, Any], Chunk]] = {
    "metadata null": ({"key": "DOC-a#0", "metadata": None}, Chunk("", None, "DOC-a#0", "DOC-a", "n.pdf")),
    "metadata absent": ({"key": "DOC-a#0"}, Chunk("", None, "DOC-a#0", "DOC-a", "n.pdf")),
    "text null": ({"key": "DOC-a#0", "metadata": {"text": None}}, Chunk("", None, "DOC-a#0", "DOC-a", "n.pdf")),
    "text a number": ({"key": "DOC-a#0", "metadata": {"text": 7}}, Chunk("", None, "DOC-a#0", "DOC-a", "n.pdf")),
    "half a character": (
        {"key": "DOC-a#0", "metadata": {"text": "a\ud83d"}}, Chunk("a", None, "DOC-a#0", "DOC-a", "n.pdf"),
    ),
    "key absent": ({"metadata": {"document_id": "DOC-a", "text": "t"}}, Chunk("t", None, "", "DOC-a", "n.pdf")),
    "only the key names the document": (
        {"key": "DOC-a#1", "metadata": {"text": "t", "document_id": None}},
        Chunk("t", None, "DOC-a#1", "DOC-a", "n.pdf"),
    ),
    "nothing names the document": (
        {"metadata": {"assistant_id": "<own>", "text": "second", "source": None}}, Chunk("second", None, "", "", None),
    ),
    "distances": ({"key": "DOC-a#0", "distance": 0.0}, Chunk("", 0.0, "DOC-a#0", "DOC-a", "n.pdf")),
    "no distance": ({"key": "DOC-a#0", "distance": float("nan")}, Chunk("", None, "DOC-a#0", "DOC-a", "n.pdf")),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
async def test_odd_hits(aws: Aws, knowledge: KnowledgeBase, assistant: str, case: str) -> None:
    aws.store(document(assistant, "DOC-a", filename="n.pdf"))
    hit, wanted = ODD[case]
    if isinstance(hit.get("metadata"), dict) and "assistant_id" in hit["metadata"]:
        hit = {**hit, "metadata": {**hit["metadata"], "assistant_id": assistant}}
    with aws.proxy.answering(given(hit)):
        (chunk,) = await found(knowledge, assistant)
    assert chunk == wanted
    citation = chunk.citation(assistant)
    assert all(isinstance(value, str) for value in citation.model_dump().values())


async def test_the_order_of_the_index_is_kept(aws: Aws, knowledge: KnowledgeBase, assistant: str) -> None:
    aws.store(document(assistant, "DOC-a", chunkCount=9))
    distances = [0.0, 0.31, 1.7, float("nan")]
    hits = [{"key": f"DOC-a#{number}", "distance": distance} for number, distance in enumerate(distances)]
    with aws.proxy.answering(given(*hits)):
        assert [chunk.distance for chunk in await found(knowledge, assistant)] == [0.0, 0.31, 1.7, None]


async def test_a_search_among_many_deleted_chunks_looks_further_once(
    aws: Aws, knowledge: KnowledgeBase, assistant: str
) -> None:
    gone = [{"key": f"DOC-gone#{number}", "distance": 0.1} for number in range(20)]
    with aws.proxy.answering(given(*gone)), aws.proxy.recording() as recording:
        assert await found(knowledge, assistant) == []
    assert [call.target.operation for call in recording.calls] == [
        "InvokeModel", "QueryVectors", "BatchGetItem", "QueryVectors", "BatchGetItem"
    ]  # fmt: skip


EMBEDDING, INDEX, ROWS = "InvokeModel", "QueryVectors", "BatchGetItem"
MODEL, DOWN, OURS = ErrorCode.MODEL_ERROR, ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.INTERNAL_ERROR
FAILURES = {
    (EMBEDDING, FaultKind.ACCESS_DENIED): MODEL,
    (EMBEDDING, FaultKind.THROTTLED): MODEL,
    (EMBEDDING, FaultKind.SERVER_ERROR): DOWN,
    (EMBEDDING, FaultKind.RESET): DOWN,
    (EMBEDDING, FaultKind.GARBAGE): DOWN,
    (EMBEDDING, FaultKind.CORRUPT_ITEM): OURS,
    (INDEX, FaultKind.ACCESS_DENIED): OURS,
    (INDEX, FaultKind.THROTTLED): DOWN,
    (INDEX, FaultKind.SERVER_ERROR): DOWN,
    (INDEX, FaultKind.RESET): DOWN,
    (INDEX, FaultKind.GARBAGE): DOWN,
    (INDEX, FaultKind.CORRUPT_ITEM): DOWN,
    (ROWS, FaultKind.ACCESS_DENIED): OURS,
    (ROWS, FaultKind.THROTTLED): DOWN,
    (ROWS, FaultKind.SERVER_ERROR): DOWN,
    (ROWS, FaultKind.CORRUPT_ITEM): OURS,
}


@pytest.mark.parametrize(("operation", "kind"), FAILURES, ids=lambda part: str(getattr(part, "value", part)))
async def test_a_failure_is_never_an_empty_result(
    aws: Aws, knowledge: KnowledgeBase, assistant: str, operation: str, kind: FaultKind
) -> None:
    aws.store(document(assistant, "DOC-a"), near(assistant, "DOC-a", 0))
    with aws.proxy.injecting(Fault(kind, operation=operation)) as injected:
        error = error_of(await knowledge.search(assistant, QUESTION))
    assert injected.hits == 1
    assert error is not None
    assert error.code is FAILURES[operation, kind]
    assert SECRET_SAUCE not in error.model_dump_json()


async def test_a_model_that_hangs_is_a_timeout(
    aws: Aws, knowledge: KnowledgeBase, assistant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apis.shared.aws.client.CALL_DEADLINE_SECONDS", 0.2)
    with aws.proxy.injecting(Fault(FaultKind.TIMEOUT, operation=EMBEDDING)):
        error = error_of(await knowledge.search(assistant, QUESTION))
    assert error is not None
    assert error.code is ErrorCode.TIMEOUT


def says(status: int, kind: str, message: str) -> Callable[[Call], Answer | None]:
    answer = Answer(
        status, "application/json", json.dumps({"message": message}).encode(), (("x-amzn-errortype", kind),)
    )
    return lambda call: answer if call.target.operation == EMBEDDING else None


@pytest.mark.parametrize(
    ("status", "kind", "code", "recoverable"),
    [
        (429, "ThrottlingException", MODEL, True),
        (429, "ModelNotReadyException", MODEL, True),
        (400, "ServiceQuotaExceededException", MODEL, True),
        (408, "ModelTimeoutException", ErrorCode.TIMEOUT, True),
        (424, "ModelErrorException", MODEL, False),
        (404, "ResourceNotFoundException", MODEL, False),
        (403, "AccessDeniedException", MODEL, False),
        (400, "ValidationException", MODEL, False),
        (503, "ServiceUnavailableException", DOWN, True),
    ],
)
async def test_what_bedrock_says_is_never_shown_or_logged(
    aws: Aws, assistant: str, status: int, kind: str, code: ErrorCode, recoverable: bool
) -> None:
    with aws.proxy.answering(says(status, kind, f"{SECRET_SAUCE} {QUESTION}")):
        error = error_of(await Embedder().embed(QUESTION))
    assert error is not None
    assert (error.code, error.recoverable) == (code, recoverable)
    assert error.context["aws_code"] == kind
    told = f"{error.model_dump_json()} {error.context} {error.cause!r}"
    assert SECRET_SAUCE not in told
    assert QUESTION not in told


LENGTHS = {
    "a pasted log": ("GET /index.html 200\n" * 2_400, [48_000, 8_000]),
    "30,000 characters of Chinese": ("授業料" * 10_000, [30_000, 8_000]),
    "longer than the model reads": ("x" * 60_000, [50_000, 8_000]),
    "five thousand four-byte characters": ("\U0001f600" * 9_000, [9_000, 8_000]),
    "a usual question": (QUESTION, [len(QUESTION)]),
}


@pytest.mark.parametrize("case", LENGTHS)
async def test_a_long_message_is_shortened_until_the_model_takes_it(aws: Aws, case: str) -> None:
    text, lengths = LENGTHS[case]
    with aws.proxy.recording() as recording:
        assert len((await Embedder().embed(text)).unwrap()) == 1024
    asked = [json.loads(call.text.partition(" ")[2])["inputText"] for call in recording.calls]
    assert [len(one) for one in asked] == lengths
    assert all(text.startswith(one) for one in asked)


@pytest.mark.parametrize(("length", "attempts"), [(60_000, 3), (8_000, 2), (2_001, 2), (2_000, 1), (5, 1)])
async def test_a_text_that_stays_too_long_is_a_failure_of_the_model(aws: Aws, length: int, attempts: int) -> None:
    too_long = says(400, "ValidationException", "Too many input tokens. Max input tokens: 8192")
    with aws.proxy.answering(too_long), aws.proxy.recording() as recording:
        error = error_of(await Embedder().embed("x" * length))
    assert error is not None
    assert error.code is MODEL
    assert len(recording.calls) == attempts


def numbers(answer: Any) -> Callable[[Call], Answer | None]:
    body = json.dumps(answer).encode()
    return lambda call: Answer(200, "application/json", body) if call.target.operation == EMBEDDING else None


@pytest.mark.parametrize(
    "answer",
    [
        {"embedding": [0.1] * 256},
        {"embedding": [float("nan"), *[0.1] * 1023]},
        {"embedding": [float("inf"), *[0.1] * 1023]},
        {"embedding": [None, *[0.1] * 1023]},
        {"embedding": ["0.1", *[0.1] * 1023]},
        {"embedding": None},
        {},
        [],
    ],
    ids=["short", "NaN", "infinite", "null", "text", "no list", "nothing", "another shape"],
)
async def test_a_vector_that_is_none(aws: Aws, knowledge: KnowledgeBase, assistant: str, answer: Any) -> None:
    with aws.proxy.answering(numbers(answer)), aws.proxy.recording() as recording:
        error = error_of(await knowledge.search(assistant, QUESTION))
    assert error is not None
    assert error.code is OURS
    assert [call.target.operation for call in recording.calls] == [EMBEDDING]
