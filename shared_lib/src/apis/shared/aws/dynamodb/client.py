"""The connection to DynamoDB: made on first use, shared by the whole process, one session per event loop.

Every call has a bound that includes the wait for a free connection, the attempts and the pauses between them.
"""

import asyncio
import json
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from apis.shared.aws.client import CALL_DEADLINE_SECONDS, CONNECT_TIMEOUT_SECONDS, MAX_ATTEMPTS, READ_TIMEOUT_SECONDS
from apis.shared.aws.dynamodb.values import NotStorable
from apis.shared.errors import ErrorDetail, internal_error, timed_out
from apis.shared.lifecycle import at_close, background
from apis.shared.result import ErrorTable, Result, Success, attempt, attempt_async, railway
from apis.shared.settings import AwsSettings, settings
from apis.shared.wiring import on_forget

if TYPE_CHECKING:
    from apis.shared.aws.dynamodb.resolution import Target
    from apis.shared.aws.dynamodb.transport import Answer, Transport

type Payload = Mapping[str, Any]  # Any: the parameters of one operation, as the service's JSON has them

_LATE = ErrorTable.of((TimeoutError, lambda error: timed_out(error, aws_service="dynamodb")))
_NOT_STORABLE = ErrorTable.of((NotStorable, lambda error: internal_error(error, reason="not a finite number")))


class DynamoClient:
    """Sends operations; fails as the AWS rows of the error vocabulary say."""

    def __init__(
        self,
        *,
        deadline_seconds: float = CALL_DEADLINE_SECONDS,
        connect_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._generation = 0
        self._target: Target | None = None
        # Each with the generation that it is of: one that is out of date is closed by its own loop.
        self._transports: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, Transport]] = (
            weakref.WeakKeyDictionary()
        )
        self._connecting: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, asyncio.Task[Result[Transport, ErrorDetail]]
        ] = weakref.WeakKeyDictionary()

    @railway
    async def call(
        self,
        operation: str,
        payload: Callable[[], Payload],
        *,
        repeatable: bool = False,
        lost: ErrorDetail | None = None,
    ) -> "Result[Answer, ErrorDetail]":
        """Send what `payload` makes. A failed condition becomes `lost`, by default `conflict`.

        After an answer that did not come, only a `repeatable` call is sent again: one that changes nothing more when
        it is done twice, and answers the same.
        """
        body = attempt(_encoded, payload, errors=_NOT_STORABLE).unwrap()
        answer = await attempt_async(self._in_time, operation, body, repeatable, lost, errors=_LATE)
        return answer.unwrap()

    def forget(self) -> None:
        """Make the next call of each event loop read the settings anew."""
        self._generation += 1
        self._target = None
        self._connecting.clear()

    async def aclose(self) -> None:
        """Close the connections of this event loop; the next call makes new ones."""
        loop = asyncio.get_running_loop()
        self._connecting.pop(loop, None)
        await self._close(loop)

    async def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        _, transport = self._transports.pop(loop, (0, None))
        if transport is not None:
            await transport.aclose()

    async def _in_time(
        self, operation: str, body: bytes, repeatable: bool, lost: ErrorDetail | None
    ) -> "Result[Answer, ErrorDetail]":
        async with asyncio.timeout(self._deadline_seconds):
            return await self._send(operation, body, repeatable, lost)

    @railway
    async def _send(
        self, operation: str, body: bytes, repeatable: bool, lost: ErrorDetail | None
    ) -> "Result[Answer, ErrorDetail]":
        generation, transport = self._transports.get(asyncio.get_running_loop(), (0, None))
        if transport is None or generation != self._generation:
            transport = (await asyncio.shield(self._connect())).unwrap()
        from apis.shared.aws.dynamodb.transport import Call  # noqa: PLC0415 - lazy: aiohttp stays out of the start

        return await transport.send(Call(operation, body, repeatable, lost))

    def _connect(self) -> "asyncio.Task[Result[Transport, ErrorDetail]]":
        """One connection per loop, however many wait for it; a caller that gives up does not end it for the others."""
        loop = asyncio.get_running_loop()
        connecting = self._connecting.get(loop)
        if connecting is None or connecting.done():
            connecting = background.start(self._connected(loop), name="aws dynamodb")
            self._connecting[loop] = connecting
        return connecting

    @railway
    async def _connected(self, loop: asyncio.AbstractEventLoop) -> "Result[Transport, ErrorDetail]":
        generation = self._generation
        # Importing the libraries, reading certificates and resolving the endpoint: not on the event loop.
        target = (await asyncio.to_thread(self._resolved)).unwrap()
        await self._close(loop)
        transport = self._transport(target)
        self._transports[loop] = (generation, transport)
        return Success(transport)

    def _resolved(self) -> "Result[Target, ErrorDetail]":
        from apis.shared.aws.dynamodb import resolution, transport  # noqa: F401, PLC0415 - lazy: botocore, aiohttp
        from apis.shared.aws.errors import aws_errors  # noqa: PLC0415 - lazy: botocore

        if self._target is not None:
            return Success(self._target)
        errors = aws_errors() + ErrorTable.of((OSError, internal_error), (ValueError, internal_error))
        found = attempt(resolution.resolve_target, settings(AwsSettings).region, errors=errors)
        return found.map(self._remember)

    def _remember(self, target: "Target") -> "Target":
        self._target = target
        return target

    def _transport(self, target: "Target") -> "Transport":
        from apis.shared.aws.dynamodb.credentials import Credentials  # noqa: PLC0415 - lazy: as above
        from apis.shared.aws.dynamodb.resolution import find_credentials  # noqa: PLC0415 - lazy: as above
        from apis.shared.aws.dynamodb.transport import Transport  # noqa: PLC0415 - lazy: as above

        return Transport(
            target,
            Credentials(find_credentials),
            attempts=settings(AwsSettings).aws_max_attempts or MAX_ATTEMPTS,
            connect_seconds=self._connect_seconds,
            read_seconds=self._read_seconds,
        )


def _encoded(payload: Callable[[], Payload]) -> bytes:
    return json.dumps(payload(), separators=(",", ":")).encode()


dynamodb = DynamoClient()
on_forget(dynamodb.forget)
at_close(dynamodb.aclose)
