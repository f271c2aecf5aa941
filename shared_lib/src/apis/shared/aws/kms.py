"""One KMS key, for a few bytes at a time."""

from typing import TYPE_CHECKING

from apis.shared.aws.client import ServiceClient, kms
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

MAX_PLAINTEXT_BYTES = 4096


class KmsKey:
    """Every method fails as the AWS rows of the error vocabulary say; a key that cannot be used and a ciphertext that
    is not the key's are `internal_error`."""

    def __init__(self, key_id: str, client: "ServiceClient[KMSClient]" = kms) -> None:
        self._key_id = key_id
        self._client = client

    async def encrypt(self, plaintext: bytes) -> Result[bytes, ErrorDetail]:
        """At most `MAX_PLAINTEXT_BYTES`."""
        return await self._client.call(
            lambda client: client.encrypt(KeyId=self._key_id, Plaintext=plaintext)["CiphertextBlob"]
        )

    async def decrypt(self, ciphertext: bytes) -> Result[bytes, ErrorDetail]:
        return await self._client.call(
            lambda client: client.decrypt(KeyId=self._key_id, CiphertextBlob=ciphertext)["Plaintext"]
        )
