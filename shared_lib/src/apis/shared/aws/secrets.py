"""One secret of Secrets Manager, and its versions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from apis.shared.aws.client import ServiceClient, secrets_manager
from apis.shared.errors import ErrorDetail
from apis.shared.result import Failure, Result, Success

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_SECRET_BYTES = 65_536

type Stage = Literal["AWSCURRENT", "AWSPREVIOUS"]

_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """`text` is None for a secret of bytes."""

    version_id: str
    created: datetime
    text: str | None = field(repr=False)


class Secret:
    """Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, arn: str, client: "ServiceClient[SecretsManagerClient]" = secrets_manager) -> None:
        self._arn = arn
        self._client = client

    async def read(self, stage: Stage = "AWSCURRENT") -> Result[SecretVersion | None, ErrorDetail]:
        """The version of this stage; None when there is no such secret, or none of this stage yet."""
        read: Result[SecretVersion | None, ErrorDetail] = await self._client.call(
            lambda client: _version(client, self._arn, stage)
        )
        return read.lash(lambda error: Success(None) if error.context.get("aws_code") == _ABSENT else Failure(error))

    async def write(self, text: str) -> Result[str, ErrorDetail]:
        """The id of the version that `text` became; at most `MAX_SECRET_BYTES`."""
        return await self._client.call(
            lambda client: client.put_secret_value(SecretId=self._arn, SecretString=text)["VersionId"]
        )


def _version(client: "SecretsManagerClient", arn: str, stage: Stage) -> SecretVersion:
    answer = client.get_secret_value(SecretId=arn, VersionStage=stage)
    created = answer["CreatedDate"]
    return SecretVersion(answer["VersionId"], created.astimezone(UTC), answer.get("SecretString"))
