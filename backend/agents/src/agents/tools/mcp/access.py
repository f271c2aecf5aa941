"""How a request to a tool server proves who sends it. Asked anew for each request."""

from collections.abc import Mapping
from typing import Protocol

from agents.tools.mcp.connections import UserTokens
from apis.shared.aws.request_signing import RequestSigner
from apis.shared.errors import ErrorDetail, unauthorized
from apis.shared.oauth.models import AccessToken, NotConnected
from apis.shared.result import Failure, Result, Success, railway

NOT_CONNECTED = unauthorized("The user has no connection.")


class Access(Protocol):
    @property
    def is_ours(self) -> bool:
        """Whether a refusal is one of the deployment's own credentials."""
        ...

    @property
    def missing(self) -> NotConnected | None:
        """What the user lacks, once a request could not be made for the lack of it."""
        ...

    async def headers(self, method: str, url: str, body: bytes) -> Result[Mapping[str, str], ErrorDetail]: ...

    async def renew(self) -> Result[bool, ErrorDetail]:
        """After a refusal: whether the next request brings something new."""
        ...

    async def refused(self) -> Result[None, ErrorDetail]:
        """The server has refused that too."""
        ...


class Anonymous:
    is_ours = False
    missing: NotConnected | None = None

    async def headers(self, *_: object) -> Result[Mapping[str, str], ErrorDetail]:
        return Success({})

    async def renew(self) -> Result[bool, ErrorDetail]:
        return Success(False)

    async def refused(self) -> Result[None, ErrorDetail]:
        return Success(None)


class Signed:
    """By the deployment, with signature version 4."""

    is_ours = True
    missing: NotConnected | None = None

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = signer

    async def headers(self, method: str, url: str, body: bytes) -> Result[Mapping[str, str], ErrorDetail]:
        return await self._signer.headers(method, url, body, content_type="application/json" if body else None)

    async def renew(self) -> Result[bool, ErrorDetail]:
        return Success(False)

    async def refused(self) -> Result[None, ErrorDetail]:
        return Success(None)


class OnBehalf:
    """With the user's token, which the token service is asked for at every request, and nothing else."""

    is_ours = False

    def __init__(self, tokens: UserTokens, user_id: str, provider_id: str) -> None:
        self._tokens = tokens
        self._user_id = user_id
        self._provider_id = provider_id
        self._last: AccessToken | None = None
        self.missing: NotConnected | None = None

    async def headers(self, *_: object) -> Result[Mapping[str, str], ErrorDetail]:
        return (await self._token()).map(lambda token: {"Authorization": f"Bearer {token.value}"})

    async def renew(self) -> Result[bool, ErrorDetail]:
        return (await self._token(instead_of=self._last)).map(lambda _: True)

    @railway
    async def refused(self) -> Result[None, ErrorDetail]:
        """Only the user can mend that."""
        self.missing = (await self._tokens.to_reconnect(self._user_id, self._provider_id)).unwrap()
        return Success(None)

    @railway
    async def _token(self, *, instead_of: AccessToken | None = None) -> Result[AccessToken, ErrorDetail]:
        refused = None if instead_of is None else instead_of.value
        match (await self._tokens.access_token(self._user_id, self._provider_id, instead_of=refused)).unwrap():
            case AccessToken() as token:
                self._last, self.missing = token, None
                return Success(token)
            case missing:
                self.missing = missing
                return Failure(NOT_CONNECTED)
