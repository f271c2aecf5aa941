"""One index of S3 Vectors as plain values."""

import asyncio
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from apis.shared.aws.client import ServiceClient, s3vectors
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, all_done, attempt

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

KEYS_PER_DELETE: Final = 500
# Half of the threads of the service: searches need the others, and what waits for a thread may run out of time.
_DELETES_AT_ONCE: Final = 4

type Json = Mapping[str, Any]  # Any: what the service, or whoever wrote the vector, put there


@dataclass(frozen=True, slots=True)
class Hit:
    """A vector near the one that was searched with; `distance` is 0 to 2, low is near, and None when it is no number.

    `key` and `metadata` are empty where the service gave none.
    """

    key: str
    distance: float | None
    metadata: Json


class VectorIndex:
    """Every method fails as the AWS rows of the error vocabulary say; a missing index is our configuration."""

    def __init__(self, bucket: str, index: str, client: "ServiceClient[S3VectorsClient]" = s3vectors) -> None:
        self.bucket = bucket
        self.index = index
        self.client = client

    async def nearest(
        self, vector: Sequence[float], *, where: Mapping[str, str], top_k: int
    ) -> Result[list[Hit], ErrorDetail]:
        """The nearest vectors whose metadata has what `where` says, nearest first."""
        answer = await self.client.call(
            lambda client: client.query_vectors(
                vectorBucketName=self.bucket,
                indexName=self.index,
                queryVector={"float32": vector},
                filter=where,
                topK=top_k,
                returnMetadata=True,
                returnDistance=True,
            )
        )
        return answer.bind(lambda found: attempt(_hits, found, errors=_MISSHAPEN))

    async def delete(self, keys: Iterable[str]) -> Result[None, ErrorDetail]:
        """Deleting absent vectors succeeds, and nothing is asked for when there are no keys. Whatever comes after a
        failure stays."""
        batches = itertools.batched(_distinct(keys), KEYS_PER_DELETE, strict=False)
        for some in itertools.batched(batches, _DELETES_AT_ONCE, strict=False):
            deleted = all_done(await asyncio.gather(*(self._delete(batch) for batch in some)), what="vectors")
            if isinstance(deleted, Failure):
                return deleted
        return Success(None)

    async def _delete(self, keys: Sequence[str]) -> Result[None, ErrorDetail]:
        answer = await self.client.call(
            lambda client: client.delete_vectors(vectorBucketName=self.bucket, indexName=self.index, keys=keys)
        )
        return answer.map(lambda _: None)


def _distinct(keys: Iterable[str]) -> Iterator[str]:
    """As they are asked for: an assistant may have hundreds of thousands."""
    seen: set[str] = set()
    for key in keys:
        if key not in seen:
            seen.add(key)
            yield key


# Answers that are JSON, yet not the ones of the operation.
_MISSHAPEN = ErrorTable.of(
    (KeyError, service_unavailable), (TypeError, service_unavailable), (AttributeError, service_unavailable)
)


def _hits(answer: Json) -> list[Hit]:
    return [_hit(given) for given in answer["vectors"]]


def _hit(given: Json) -> Hit:
    return Hit(
        key=given.get("key") or "", distance=_number(given.get("distance")), metadata=given.get("metadata") or {}
    )


def _number(given: object) -> float | None:
    return float(given) if isinstance(given, int | float) and math.isfinite(given) else None
