"""What a fault scenario is, and the parts that features make theirs of."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.support.fault_proxy import FaultKind
from tests.support.long_term_memory import REMEMBERED
from tests.support.platform import Answer, Platform, User
from tests.support.stored import Thing

INVOCATIONS = "POST /invocations"
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
    members = {"model_id": case.model_id, "provider": "openai", "user": case.user, **members}
    return await platform.chat(case.session_id, message, **members)


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
    def has_failing_tool(self) -> bool:
        results = () if self.turn is None else self.turn.of("tool_result")
        return any(result["tool_result"]["status"] == "error" for result in results)

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
    """One message, with the members of the request beside it; `{marker}` in the text stands for that of the case.

    Other operations than the first are those of the App API, which chooses the model.
    """

    text: str
    members: Callable[[Case], Mapping[str, Any]] = lambda _: {}
    operation: str = INVOCATIONS
    email: Callable[[Case], str | None] = lambda _: None

    async def __call__(self, platform: Platform, case: Case) -> Observed:
        user = platform.sign_in(case.user_id, "Staff", case.role, email=self.email(case))
        text, members = self.text.format(marker=case.marker), self.members(case)
        if self.operation == INVOCATIONS:
            turn = await say(platform, case, text, user=user, **members)
        else:
            path = self.operation.partition(" ")[2].format(assistant_id=f"ast-{case.marker}")
            turn = await platform.streamed(path, user=user, session_id=case.session_id, message=text, **members)
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
    `calls` are the only ones that are failed, where another scenario fails the rest; without any, all are. In both a
    call may have its number: `service.Operation table #2`. A fault in those of `of_tool`, which have one, is told to
    the model as the tool's result, and the turn goes on.
    """

    name: str
    act: Request | Message
    arrange: Arrange = _nothing
    verify: Verify = _no_more
    repeats: bool = True
    own_error: str | None = None
    harmless: Mapping[tuple[str, FaultKind], str] = field(default_factory=dict)
    calls: Collection[str] = ()
    of_tool: Collection[str] = ()
    is_alone: bool = False
    """It changes what other cases of it have stored: they run one after the other."""

    async def prepare(self, platform: Platform, case: Case) -> None:
        await asyncio.to_thread(lambda: platform.store(*self.arrange(platform, case)))

    async def afterwards(self, platform: Platform, case: Case, unstored: bool) -> None:
        if self.repeats:
            again = await self.act(platform, case)
            # What it started would be taken for a call of the next case.
            await platform.settled(again.request_id)
            assert again.error is None, again.visible
            assert not again.partial, again.visible
        await self.verify(platform, case, unstored)
