"""What a fault scenario is, and the parts that features make theirs of."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.support.fault_proxy import FaultKind
from tests.support.long_term_memory import REMEMBERED
from tests.support.platform import Answer, Platform, User
from tests.support.stored import Thing

MESSAGE = f"a message that no log may hold: {REMEMBERED}"


@dataclass(frozen=True, slots=True)
class Case:
    """A user of its own, with one session and one model. Nearly every AWS call made for it holds `marker`."""

    marker: str
    user: User

    @property
    def user_id(self) -> str:
        return self.marker

    @property
    def session_id(self) -> str:
        return f"case-{self.marker}"

    @property
    def model_id(self) -> str:
        return f"gpt-{self.marker}"

    @property
    def role(self) -> str:
        """A role of the token that nobody else has."""
        return f"Role-{self.marker}"


_numbers: Iterator[int] = itertools.count(100_000_001)


def new_case(platform: Platform) -> Case:
    marker = str(next(_numbers))
    return Case(marker, platform.sign_in(marker, "Staff", f"Role-{marker}"))


async def say(platform: Platform, case: Case, message: str, **members: Any) -> Answer:
    """One message in the session of the case, to its model."""
    members = {"model_id": case.model_id, "provider": "openai", **members}
    return await platform.chat(case.session_id, message, user=case.user, **members)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the client got. `error` is the ErrorDetail or the `stream_error`; `partial` a failure told per item,
    `redirected` one that the browser is sent on with."""

    status: int
    request_id: str
    error: dict[str, Any] | None
    visible: str
    partial: bool = False
    redirected: bool = False
    turn: Answer | None = None

    @property
    def is_unstored(self) -> bool:
        """The client was told that the failed turn could not be stored."""
        return self.error is not None and self.error.get("metadata", {}).get("persisted") is False


type Arrange = Callable[[Platform, Case], Iterable[Thing]]
type Act = Callable[[Platform, Case], Awaitable[Observed]]
type Verify = Callable[[Platform, Case, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the App API. `{session_id}` and the like in the path of the operation are filled from the case;
    a body that differs from case to case is a function of it. `roles` are further ones of the user, who is mirrored
    only with an `email`."""

    operation: str
    body: Any = None
    fill: Mapping[str, Callable[[Case], str]] = field(default_factory=lambda: {"session_id": lambda c: c.session_id})
    query: Callable[[Case], Mapping[str, str]] = lambda _: {}
    roles: Sequence[str] = ()
    email: Callable[[Case], str | None] = lambda _: None

    async def __call__(self, platform: Platform, case: Case) -> Observed:
        method, path = self.operation.split(" ")
        path = path.format(**{name: fill(case) for name, fill in self.fill.items()})
        query = urlencode(self.query(case))
        body = self.body(case) if callable(self.body) else self.body
        user = platform.sign_in(case.user_id, "Staff", case.role, *self.roles, email=self.email(case))
        return _observed(await platform.ask(user, method, f"{path}?{query}" if query else path, body))


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the model, with the members of the request beside it."""

    text: str
    members: Mapping[str, Any] = field(default_factory=dict)
    operation: str = "POST /invocations"

    async def __call__(self, platform: Platform, case: Case) -> Observed:
        turn = await say(platform, case, self.text, **self.members)
        return Observed(turn.status, turn.request_id, turn.failure, turn.visible, turn=turn)


def _observed(response: httpx.Response) -> Observed:
    sent_to = parse_qs(urlsplit(response.headers.get("location", "")).query)
    is_json = response.headers.get("content-type") == "application/json"
    body = response.json() if is_json else {}
    results = body.get("results", ()) if response.is_success and isinstance(body, dict) else ()
    return Observed(
        response.status_code,
        response.headers["x-request-id"],
        None if response.is_success or response.has_redirect_location else body,
        response.text or response.headers.get("location", ""),
        partial=any(not item["success"] for item in results),
        redirected="error" in sent_to,
    )


def _nothing(_: Platform, __: Case) -> Iterable[Thing]:
    return ()


async def _no_more(_: Platform, __: Case, ___: bool) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Scenario:
    """`act` is the one request under fault, `arrange` says what is stored before it.

    When the fault is lifted the same request must succeed, if `repeats`, and `verify` is called; it is also told
    whether the client was told that the failed turn could not be stored. `own_error` is the code of a request that
    fails without any fault. `harmless` names the faults that leave the answer right, with the rule of the contract.
    """

    name: str
    act: Request | Message
    arrange: Arrange = _nothing
    verify: Verify = _no_more
    repeats: bool = True
    own_error: str | None = None
    harmless: Mapping[tuple[str, FaultKind], str] = field(default_factory=dict)

    async def prepare(self, platform: Platform, case: Case) -> None:
        await asyncio.to_thread(lambda: platform.store(*self.arrange(platform, case)))

    async def afterwards(self, platform: Platform, case: Case, unstored: bool) -> None:
        if self.repeats:
            again = await self.act(platform, case)
            # What it started would be taken for a call of the next case.
            await platform.settled(again.request_id)
            assert again.status < 400, again.visible
            assert not again.partial, again.visible
        await self.verify(platform, case, unstored)
