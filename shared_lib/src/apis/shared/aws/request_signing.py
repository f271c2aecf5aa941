"""Signature version 4 for requests to services that AWS guards and no SDK knows: tool servers, for instance."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from apis.shared.wiring import once

if TYPE_CHECKING:
    from apis.shared.aws.dynamodb.credentials import Credentials
    from apis.shared.aws.dynamodb.signing import Keys


class RequestSigner:
    """For one service in one region, with the credentials that the deployment has at the moment of a request."""

    def __init__(self, *, service: str, region: str) -> None:
        self._service = service
        self._region = region

    async def headers(
        self, method: str, url: str, body: bytes, *, content_type: str | None
    ) -> Result[Mapping[str, str], ErrorDetail]:
        """What has to be sent beside the request as it is: exactly this body, to this address, with this content
        type. Fails with `internal_error` without credentials."""
        # The first one imports the SDK.
        credentials = await asyncio.to_thread(_credentials)
        return (await credentials.keys()).map(lambda keys: self._signed(method, url, body, content_type, keys))

    def _signed(self, method: str, url: str, body: bytes, content_type: str | None, keys: "Keys") -> Mapping[str, str]:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - lazy: botocore stays out of the start
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - lazy: as above
        from botocore.credentials import Credentials as Static  # noqa: PLC0415 - lazy: as above

        # Nothing else is signed: what is between here and the service may change any other header.
        said = {} if content_type is None else {"Content-Type": content_type}
        request = AWSRequest(method=method, url=url, data=body, headers=said)
        static = Static(keys.access_key, keys.secret_key, keys.token)
        SigV4Auth(static, self._service, self._region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}


@once
def _credentials() -> "Credentials":
    from apis.shared.aws.dynamodb.credentials import Credentials  # noqa: PLC0415 - lazy: as above
    from apis.shared.aws.dynamodb.resolution import find_credentials  # noqa: PLC0415 - lazy: as above

    return Credentials(find_credentials)
