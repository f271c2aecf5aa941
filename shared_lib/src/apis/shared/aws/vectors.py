"""One index of S3 Vectors as plain values."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from apis.shared.aws.client import ServiceClient, s3vectors
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, all_done, attempt, collect

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

KEYS_PER_DELETE: Final = 500
KEYS_PER_PAGE: Final = 1000
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


@dataclass(frozen=True, slots=True)
class KeyPage:
    keys: list[str]
    next_token: str | None


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
        batches = itertools.batched(keys, KEYS_PER_DELETE, strict=False)
        for some in itertools.batched(batches, _DELETES_AT_ONCE, strict=False):
            deleted = all_done(await asyncio.gather(*(self._delete(batch) for batch in some)), what="vectors")
            if isinstance(deleted, Failure):
                return deleted
        return Success(None)

    async def _delete(self, keys: Sequence[str]) -> Result[None, ErrorDetail]:
        answer = await self.client.call(
            lambda client: client.delete_vectors(
                vectorBucketName=self.bucket, indexName=self.index, keys=list(dict.fromkeys(keys))
            )
        )
        return answer.map(lambda _: None)

    async def key_pages(self) -> AsyncIterator[Result[KeyPage, ErrorDetail]]:
        """All keys of the index, page by page and in no order; a Failure is the last one."""
        token: str | None = None
        while True:
            page = await self._key_page(token)
            yield page
            token = page.map(lambda value: value.next_token).value_or(None)
            if token is None:
                return

    async def _key_page(self, token: str | None) -> Result[KeyPage, ErrorDetail]:
        following: dict[str, str] = {} if token is None else {"nextToken": token}
        answer = await self.client.call(
            lambda client: client.list_vectors(
                vectorBucketName=self.bucket,
                indexName=self.index,
                maxResults=KEYS_PER_PAGE,
                **following,  # type: ignore[arg-type]  # nextToken may be absent, never null
            )
        )
        return answer.bind(lambda page: attempt(_key_page, page, errors=_MISSHAPEN))

    async def keys_beginning(self, prefix: str) -> Result[list[str], ErrorDetail]:
        """The keys that begin with `prefix`. The service has no such question: the whole index is read, so this is for
        maintenance and never for a request."""
        pages = collect([page async for page in self.key_pages()])
        return pages.map(lambda all_of: [key for page in all_of for key in page.keys if key.startswith(prefix)])


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


def _key_page(answer: Json) -> KeyPage:
    return KeyPage([given["key"] for given in answer["vectors"]], answer.get("nextToken"))
