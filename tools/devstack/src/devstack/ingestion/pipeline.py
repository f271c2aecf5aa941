"""From the event of an upload to vectors, by the contract of the deployed ingestion.

The row of a document is written without asking whether it is there, and says `chunking`, `embedding`, and at the end
`complete` or `failed`. What is uploaded again is ingested again, over the same keys.
"""

import json
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, unquote_plus

from apis.shared.aws.errors import aws_errors
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.moments import zulu_form
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from devstack.embeddings import MODEL_ID
from devstack.ingestion.chunks import chunks
from devstack.ingestion.readers import NO_TEXT, text_of

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient
    from mypy_boto3_s3vectors.type_defs import PutInputVectorTypeDef

PREFIX: Final = "assistants/"
LARGEST: Final = 20 * 1024 * 1024
MOST_CHUNKS: Final = 500
"""One call writes the vectors of a document, and takes no more."""
VECTOR_STORE_ID: Final = "assistants-index"
_CHUNKS_PER_PROGRESS, _SECONDS_PER_PROGRESS = 10, 2.0
_AT_ONCE = 4

TOO_LARGE: Final = bad_request("The file is larger than 20 MB.")
TOO_LONG: Final = bad_request("The document is too long. Please upload it in parts.")
NOT_DONE: Final = "The document could not be processed. Please upload it again."

type Event = Mapping[str, Any]
"""As S3 sends it. Any: JSON"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is, and which document that makes it."""

    bucket: str
    key: str
    assistant_id: str
    document_id: str
    name: str


def event_of(bucket: str, key: str) -> Event:
    """What S3 sends when an object is created: its key is encoded as in a form."""
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}}]}


def place_of(event: Event) -> Place | None:
    """Of the first record; None for a key that belongs to no document."""
    first = event["Records"][0]["s3"]
    key = unquote_plus(first["object"]["key"])
    match key.split("/"):
        case ["assistants", assistant_id, "documents", document_id, *rest]:
            pass
        case [assistant_id, document_id, *rest]:
            pass
        case _:
            return None
    name = "/".join(rest)
    is_document = bool(assistant_id and document_id and name)
    return Place(first["bucket"]["name"], key, assistant_id, document_id, name) if is_document else None


@dataclass(frozen=True, slots=True)
class Stores:
    """What a document is read from and written to."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    bedrock: "BedrockRuntimeClient"
    s3vectors: "S3VectorsClient"
    table: str
    vector_bucket: str
    vector_index: str


class Ingestion:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @railway
    def ingest(self, event: Event) -> Result[None, ErrorDetail]:
        """A document that cannot be ingested is a success: its row says why. Fails only when the row cannot be
        written, so that the same event has to be handled again."""
        place = place_of(event)
        if place is None:
            return Success(None)
        self._mark(place, "chunking").unwrap()
        match self._vectors(place):
            case Success(vectors):
                written = self._put(vectors)
            case failure:
                written = failure.map(lambda _: None)
        match written:
            case Failure(error):
                return self._mark(place, "failed", errorMessage=_message(error), errorDetails=_details(error))
            case _:
                return self._mark(place, "complete", vectorStoreId=VECTOR_STORE_ID)

    @railway
    def _vectors(self, place: Place) -> "Result[list[PutInputVectorTypeDef], ErrorDetail]":
        """All of them, or a Failure: a part of a document would answer half of the questions wrongly."""
        text = text_of(place.name, self._read(place).unwrap()).unwrap()
        texts = self._chunked(place, text).unwrap()
        self._mark(place, "embedding", chunkCount=len(texts)).unwrap()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            embedded = collect(pool.map(self._embed, texts)).unwrap()
        found = [
            self._vector(place, number, chunk, numbers)
            for number, (chunk, numbers) in enumerate(zip(texts, embedded, strict=True))
            # One without a direction is near to nothing, and refused by the index.
            if any(numbers)
        ]
        return Success(found) if found else Failure(NO_TEXT)

    @railway
    def _read(self, place: Place) -> Result[bytes, ErrorDetail]:
        answer = _ask(lambda: self._stores.s3.get_object(Bucket=place.bucket, Key=place.key)).unwrap()
        if answer["ContentLength"] > LARGEST:
            answer["Body"].close()
            return Failure(TOO_LARGE)
        return _ask(answer["Body"].read)

    @railway
    def _chunked(self, place: Place, text: str) -> Result[list[str], ErrorDetail]:
        texts: list[str] = []
        told = time.monotonic()
        for chunk in _with_text(chunks(text)):
            texts.append(chunk)
            if len(texts) > MOST_CHUNKS:
                return Failure(TOO_LONG)
            if len(texts) % _CHUNKS_PER_PROGRESS == 0 or time.monotonic() - told > _SECONDS_PER_PROGRESS:
                self._mark(place, "chunking", chunkCount=len(texts)).unwrap()
                told = time.monotonic()
        return Success(texts) if texts else Failure(NO_TEXT)

    def _embed(self, text: str) -> Result[list[float], ErrorDetail]:
        return _ask(partial(self._invoke, text)).bind(lambda body: attempt(_numbers, body, errors=_NO_EMBEDDING))

    def _invoke(self, text: str) -> bytes:
        answer = self._stores.bedrock.invoke_model(
            modelId=MODEL_ID,
            contentType="application/json",
            accept="application/json",
            body=json.dumps({"inputText": text}),
        )
        return answer["body"].read()

    def _vector(self, place: Place, number: int, chunk: str, numbers: Sequence[float]) -> "PutInputVectorTypeDef":
        return {
            "key": f"{place.document_id}#{number}",
            "data": {"float32": numbers},
            "metadata": {
                "text": chunk,
                "document_id": place.document_id,
                "assistant_id": place.assistant_id,
                "source": place.name,
            },
        }

    def _put(self, vectors: "Sequence[PutInputVectorTypeDef]") -> Result[None, ErrorDetail]:
        stores = self._stores
        put = partial(stores.s3vectors.put_vectors, vectorBucketName=stores.vector_bucket)
        return _ask(partial(put, indexName=stores.vector_index, vectors=vectors)).map(lambda _: None)

    def _mark(self, place: Place, status: str, **more: str | int) -> Result[None, ErrorDetail]:
        values = {"status": status, "updatedAt": zulu_form(), **more}
        change = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        names = {f"#{name}": name for name in values}
        if status != "failed":
            change += " REMOVE errorMessage, errorDetails"
        update = partial(
            self._stores.dynamodb.update_item,
            TableName=self._stores.table,
            Key={"PK": {"S": f"AST#{place.assistant_id}"}, "SK": {"S": f"DOC#{place.document_id}"}},
            UpdateExpression=change,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
                for name, value in values.items()
            },
        )
        return _ask(update).map(lambda _: None)


def _ask[T](operation: Callable[[], T]) -> Result[T, ErrorDetail]:
    return attempt(operation, errors=aws_errors())


def _with_text(found: Iterable[str]) -> Iterator[str]:
    return (chunk for chunk in found if chunk.strip())


_NO_EMBEDDING = ErrorTable.of((ValueError, service_unavailable), (LookupError, service_unavailable))


def _numbers(body: bytes) -> list[float]:
    return [float(number) for number in json.loads(body)["embedding"]]


def _message(error: ErrorDetail) -> str:
    """What is wrong with the document, or that it was not its fault."""
    return error.message if error.code.value == "bad_request" else NOT_DONE


def _details(error: ErrorDetail) -> str:
    cause = error.cause
    return "".join(traceback.format_exception(cause)) if cause is not None else error.message
