"""One S3 bucket as plain values."""

from typing import TYPE_CHECKING

from apis.shared.aws.client import ServiceClient, s3
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Bucket:
    """Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, name: str, client: "ServiceClient[S3Client]" = s3) -> None:
        self.name = name
        self.client = client

    async def get(self, key: str) -> Result[bytes, ErrorDetail]:
        """The object's bytes; `not_found` when there is none."""
        return await self.client.call(lambda client: client.get_object(Bucket=self.name, Key=key)["Body"].read())

    async def delete(self, key: str) -> Result[None, ErrorDetail]:
        """Deleting an absent object succeeds."""
        answer = await self.client.call(lambda client: client.delete_object(Bucket=self.name, Key=key))
        return answer.map(lambda _: None)
