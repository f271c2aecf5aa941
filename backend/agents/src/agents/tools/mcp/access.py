"""How a request to a tool server proves who sends it. Asked anew for each request."""

from collections.abc import Mapping
from typing import Protocol

from agents.tools.mcp.connections import NoConnection, UserToken, UserTokens
from apis.shared.aws.request_signing import RequestSigner
from apis.shared.errors import ErrorDetail, unauthorized
from apis.shared.result import Failure, Result, Success, railway

NOT_CONNECTED = unauthorized("The user has no connection.")


class Access(Protocol):
    @property
    def is_ours(self) -> bool:
        """Whether a refusal is one of the deployment's own credentials."""
        ...

    @property
    def missing(self) -> NoConnection | None:
        """What the user lacks, once a request could not be made for the lack of it."""
        ...

    async def headers(self, method: str, url: str, body: bytes) -> Result[Mapping[str, str], ErrorDetail]: ...

    async def renew(self) -> Result[bool, ErrorDetail]:
        """After a refusal: whether the next request brings something new."""
        ...


class Anonymous:
    is_ours = False
    missing: NoConnection | None = None

    async def headers(self, *_: object) -> Result[Mapping[str, str], ErrorDetail]:
        return Success({})

    async def renew(self) -> Result[bool, ErrorDetail]:
        return Success(False)


class Signed:
    """By the deployment, with signature version 4."""

    is_ours = True
    missing: NoConnection | None = None

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = signer

    async def headers(self, method: str, url: str, body: bytes) -> Result[Mapping[str, str], ErrorDetail]:
        return await self._signer.headers(method, url, body, content_type="application/json" if body else None)

    async def renew(self) -> Result[bool, ErrorDetail]:
        return Success(False)


class OnBehalf:
    """With the user's token, which the token service is asked for at every request, and nothing else."""

    is_ours = False

    def __init__(self, tokens: UserTokens, user_id: str, provider_id: str) -> None:
        self._tokens = tokens
        self._user_id = user_id
        self._provider_id = provider_id
        self._last: UserToken | None = None
        self.missing: NoConnection | None = None

    @railway
    async def headers(self, *_: object) -> Result[Mapping[str, str], ErrorDetail]:
        match (await self._tokens.token(self._user_id, self._provider_id)).unwrap():
            case UserToken() as token:
                self._last, self.missing = token, None
                return Success({"Authorization": f"Bearer {token.value}"})
            case missing:
                self.missing = missing
                return Failure(NOT_CONNECTED)

    @railway
    async def renew(self) -> Result[bool, ErrorDetail]:
        if self._last is None:
            return Success(False)
        match (await self._tokens.renewed(self._user_id, self._provider_id, self._last)).unwrap():
            case UserToken():
                return Success(True)
            case missing:
                self.missing = missing
                return Failure(NOT_CONNECTED)

    def refuse(self) -> None:
        """The server refuses also what was renewed: only the user can help."""
        name = self.missing.provider_name if self.missing is not None else self._provider_id
        self.missing = NoConnection(self._provider_id, name, needs_reauth=True)
