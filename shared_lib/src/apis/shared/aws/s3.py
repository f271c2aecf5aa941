"""One S3 bucket as plain values."""

from apis.shared.aws.client import s3
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result


class Bucket:
    """Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def get(self, key: str) -> Result[bytes, ErrorDetail]:
        """The object's bytes; `not_found` when there is none."""
        return await s3.call(lambda client: client.get_object(Bucket=self.name, Key=key)["Body"].read())

    async def delete(self, key: str) -> Result[None, ErrorDetail]:
        """Deleting an absent object succeeds."""
        answer = await s3.call(lambda client: client.delete_object(Bucket=self.name, Key=key))
        return answer.map(lambda _: None)
