"""One S3 bucket as plain values."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from apis.shared.aws.client import ServiceClient, s3
from apis.shared.aws.vocabulary import Refusal
from apis.shared.errors import ErrorCode, ErrorDetail, conflict, service_unavailable
from apis.shared.result import Failure, Result, Success, all_done, error_of, railway

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of one call that deletes.
KEYS_OF_A_DELETE = 1000
_LEFT_OUT_BY_THE_SDK = "application/x-www-form-urlencoded; charset=utf-8"

type Answer = Mapping[str, Any]  # Any: what S3 answers as the SDK read it; the stubs promise members that may be absent


@dataclass(frozen=True, slots=True)
class PresignedUrl:
    """`expires_at` is the moment that the signature itself names."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 knows of an object; `etag` changes with its content."""

    size: int
    etag: str


class Bucket:
    """Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, name: str, client: "ServiceClient[S3Client]" = s3) -> None:
        self.name = name
        self.client = client

    async def presigned_put(self, key: str, content_type: str, expires: timedelta) -> Result[PresignedUrl, ErrorDetail]:
        """An address that takes one object by PUT, with exactly this `Content-Type` and no other header of S3. Nobody
        is asked but the source of the credentials."""
        return await self._presigned("put_object", {"Key": key, "ContentType": _told(content_type)}, expires)

    async def presigned_get(self, key: str, expires: timedelta) -> Result[PresignedUrl, ErrorDetail]:
        """An address that a browser can open. Whether the object exists is not looked up."""
        return await self._presigned("get_object", {"Key": key}, expires)

    async def get(self, key: str, *, at_most: int | None = None, etag: str | None = None) -> Result[bytes, ErrorDetail]:
        """The object's bytes; `not_found` when there is none.

        `conflict` when it has more than `at_most` bytes, none of which are read then, or is not the one with `etag`.
        """
        condition: dict[str, Any] = {} if etag is None else {"IfMatch": etag}  # Any: the stubs take no dict[str, str]

        def read(client: "S3Client") -> Result[bytes, ErrorDetail]:
            answer: Answer = client.get_object(Bucket=self.name, Key=key, **condition)
            with closing(answer["Body"]) as body:
                if "ETag" not in answer:
                    return Failure(_not_of_s3("GetObject"))
                if at_most is not None and answer["ContentLength"] > at_most:
                    return Failure(_CHANGED)
                return Success(body.read())

        content = await self.client.call(read, lost_condition=_CHANGED)
        return content.bind(lambda outcome: outcome)

    @railway
    async def head(self, key: str) -> Result[StoredObject | None, ErrorDetail]:
        """None when there is no such object. A bucket that does not exist is `internal_error`."""
        found = await self._head(key)
        if not _is_absent(found):
            return Success(found.unwrap())
        # HEAD has no body, so it cannot tell a missing bucket from a missing object; GET can.
        looked = await self.client.call(
            lambda client: client.get_object(Bucket=self.name, Key=key, Range="bytes=0-0")["Body"].close()
        )
        if _is_absent(looked):
            return Success(None)
        looked.unwrap()
        appeared = await self._head(key)
        if _is_absent(appeared):
            return Failure(_not_of_s3("GetObject"))
        return Success(appeared.unwrap())

    async def delete(self, key: str) -> Result[None, ErrorDetail]:
        """Deleting an absent object succeeds."""
        answer = await self.client.call(lambda client: client.delete_object(Bucket=self.name, Key=key))
        return answer.map(lambda _: None)

    async def delete_all(self, keys: Iterable[str]) -> Result[None, ErrorDetail]:
        """Delete all; absent ones count as deleted. All are tried; one that stays is a failure. No keys, no call."""
        outcomes = [
            await self._delete_some(some) for some in batched(dict.fromkeys(keys), KEYS_OF_A_DELETE, strict=False)
        ]
        return all_done(outcomes, what="objects of a bucket")

    @railway
    async def keys(self, prefix: str) -> Result[list[str], ErrorDetail]:
        """The keys of all objects that begin with `prefix`, in their order."""
        keys: list[str] = []
        token: dict[str, Any] = {}  # Any: as above
        while True:
            answer = await self.client.call(partial(_list, bucket=self.name, prefix=prefix, token=token))
            page: Answer = answer.unwrap()
            if "IsTruncated" not in page:
                return Failure(_not_of_s3("ListObjectsV2"))
            keys += [entry["Key"] for entry in page.get("Contents", ())]
            if not page["IsTruncated"]:
                return Success(keys)
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def _presigned(
        self, method: str, parameters: Mapping[str, str], expires: timedelta
    ) -> Result[PresignedUrl, ErrorDetail]:
        url = await self.client.call(
            lambda client: client.generate_presigned_url(
                method, Params={"Bucket": self.name, **parameters}, ExpiresIn=int(expires.total_seconds())
            )
        )
        return url.map(lambda signed: PresignedUrl(signed, _signed_at(signed) + expires))

    async def _head(self, key: str) -> Result[StoredObject, ErrorDetail]:
        answer = await self.client.call(lambda client: client.head_object(Bucket=self.name, Key=key))
        return answer.bind(_described)

    async def _delete_some(self, keys: Sequence[str]) -> Result[None, ErrorDetail]:
        answer = await self.client.call(
            lambda client: client.delete_objects(Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys]})
        )
        return answer.bind(lambda found: _all_deleted(found, keys))


_CHANGED = conflict("The stored object is not the one that was uploaded.")


class _NotDeleted(Exception):  # noqa: N818 - part of an answer
    """S3 answers 200 to a bulk delete and says in the body what it did not delete."""


def _not_of_s3(operation: str) -> ErrorDetail:
    """A page of a proxy, for instance, which the SDK reads as an answer without members."""
    return service_unavailable(None, aws_operation=operation, reason="unintelligible answer")


def _told(content_type: str) -> str:
    """The SDK takes one type for its own doing and signs without it. Blanks at the end are not signed."""
    return f"{content_type} " if content_type == _LEFT_OUT_BY_THE_SDK else content_type


def _is_absent(answer: Result[Any, ErrorDetail]) -> bool:  # Any: only a failure is looked at
    error = error_of(answer)
    return error is not None and error.code is ErrorCode.NOT_FOUND


def _signed_at(url: str) -> datetime:
    (text,) = parse_qs(urlsplit(url).query)["X-Amz-Date"]
    return datetime.strptime(text, "%Y%m%dT%H%M%S%z")


def _described(answer: Answer) -> Result[StoredObject, ErrorDetail]:
    if "ETag" not in answer:
        return Failure(_not_of_s3("HeadObject"))
    return Success(StoredObject(answer["ContentLength"], answer["ETag"]))


def _list(client: "S3Client", *, bucket: str, prefix: str, token: dict[str, Any]) -> Answer:  # Any: as above
    return client.list_objects_v2(Bucket=bucket, Prefix=prefix, **token)


def _all_deleted(answer: Answer, keys: Sequence[str]) -> Result[None, ErrorDetail]:
    refused = answer.get("Errors", [])
    if refused:
        refusal = Refusal("DeleteObjects", refused[0].get("Code", ""))
        stayed = f"{len(refused)} of {len(keys)}"
        return Failure(refusal.failure(_NotDeleted(refusal.code)).caused_by(None, stayed=stayed))
    gone = {entry.get("Key") for entry in answer.get("Deleted", [])}
    return Success(None) if gone.issuperset(keys) else Failure(_not_of_s3("DeleteObjects"))
