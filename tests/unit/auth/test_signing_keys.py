"""When keys are fetched, by a clock that the test moves."""

import asyncio
from typing import Any

import pytest
from jwt import PyJWK

from apis.shared.auth.jwks import KeySet, SigningKeys, key_set
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success, suppression_counts
from tests.support.identity_provider import SigningKey

RSA = SigningKey("any").published


class Provider:
    """Publishes the keys named in `kids`, or fails."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.entries: list[Any] = []
        self.fetches = 0
        self.is_down = False
        self.now = 1000.0
        self.keys = SigningKeys(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> Result[KeySet, ErrorDetail]:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_down:
            return Failure(service_unavailable())
        return Success(key_set([RSA | {"kid": kid} for kid in self.kids] + self.entries))

    async def code(self, kid: str) -> ErrorCode | None:
        """What asking for `kid` fails with; None when the key is found."""
        match await self.keys.get(kid):
            case Success(PyJWK()):
                return None
            case Failure(ErrorDetail(code=code)):
                return code
        raise AssertionError


async def test_a_set_is_used_for_300_seconds() -> None:
    provider = Provider("a", "b")
    assert await provider.code("a") is None
    provider.now += 299
    assert await provider.code("b") is None
    assert provider.fetches == 1


async def test_an_old_set_is_renewed() -> None:
    provider = Provider("a", "b")
    assert await provider.code("a") is None
    provider.now += 300
    provider.kids = ("c",)
    assert await provider.code("a") is None, "a key that was used is kept"
    assert provider.fetches == 1
    assert await provider.code("b") is ErrorCode.UNAUTHORIZED, "a key that was never used is withdrawn"
    assert await provider.code("c") is None
    assert provider.fetches == 2


async def test_an_old_set_serves_while_it_cannot_be_renewed() -> None:
    provider = Provider("a", "b")
    assert await provider.code("a") is None
    provider.now += 300
    provider.is_down = True
    before = suppression_counts()
    assert await provider.code("b") is None
    assert provider.fetches == 2
    assert sum(suppression_counts().values()) == sum(before.values()) + 1
    assert await provider.code("c") is ErrorCode.SERVICE_UNAVAILABLE


async def test_an_unknown_key_causes_a_fetch_every_30_seconds() -> None:
    provider = Provider("a")
    assert await provider.code("a") is None
    assert await provider.code("x") is ErrorCode.UNAUTHORIZED
    assert await provider.code("x") is ErrorCode.UNAUTHORIZED
    assert provider.fetches == 2
    provider.kids = ("a", "x")
    provider.now += 29
    assert await provider.code("x") is ErrorCode.UNAUTHORIZED
    provider.now += 1
    assert await provider.code("x") is None
    assert provider.fetches == 3


@pytest.mark.parametrize("knows_an_old_set", [True, False])
async def test_an_ordinary_fetch_starts_no_pause(knows_an_old_set: bool) -> None:
    """Only one that an unknown key forces does: a fresh key is found although a stranger was asked for first."""
    provider = Provider("a")
    if knows_an_old_set:
        assert await provider.code("a") is None
        provider.now += 300
    fetches = provider.fetches
    assert await provider.code("x") is ErrorCode.UNAUTHORIZED
    provider.kids = ("a", "b")
    assert await provider.code("b") is None
    assert provider.fetches == fetches + 2
    assert await provider.code("y") is ErrorCode.UNAUTHORIZED
    assert await provider.code("z") is ErrorCode.UNAUTHORIZED
    assert provider.fetches == fetches + 2


@pytest.mark.parametrize("knows_a_set", [True, False])
async def test_a_failed_fetch_starts_the_pause(knows_a_set: bool) -> None:
    provider = Provider("a")
    if knows_a_set:
        assert await provider.code("a") is None
    fetches = provider.fetches
    provider.is_down = True
    for number in range(200):
        assert await provider.code(f"unknown-{number}") is ErrorCode.SERVICE_UNAVAILABLE
    assert provider.fetches == fetches + 1
    provider.is_down, provider.kids = False, ("a", "b")
    provider.now += 29
    assert await provider.code("b") is ErrorCode.SERVICE_UNAVAILABLE
    provider.now += 1
    assert await provider.code("b") is None
    assert provider.fetches == fetches + 2


async def test_a_failure_of_the_pause_says_how_long_it_lasts() -> None:
    provider = Provider()
    provider.is_down = True
    assert await provider.code("a") is ErrorCode.SERVICE_UNAVAILABLE
    provider.now += 12.5
    assert (await provider.keys.get("a")).failure().retry_after == 18


async def test_an_old_set_that_cannot_be_renewed_is_not_renewed_with_each_use() -> None:
    provider = Provider(*"abcdefgh")
    assert await provider.code("a") is None
    provider.now += 300
    provider.is_down = True
    for kid in "bcdefgh":
        assert await provider.code(kid) is None
    assert provider.fetches == 2


async def test_asking_does_not_prolong_the_pause() -> None:
    provider = Provider("a")
    assert await provider.code("a") is None
    for _ in range(120):
        assert await provider.code("x") is ErrorCode.UNAUTHORIZED
        provider.now += 1
    assert provider.fetches == 1 + 4


async def test_the_five_keys_used_last_are_kept() -> None:
    provider = Provider("a", "b", "c", "d", "e", "f")
    for kid in ("a", "b", "c", "d", "e", "a", "f"):
        assert await provider.code(kid) is None
    provider.now += 10_000
    provider.kids = ("z",)
    for kid in ("a", "c", "d", "e", "f"):
        assert await provider.code(kid) is None
    assert provider.fetches == 1
    assert await provider.code("b") is ErrorCode.UNAUTHORIZED


async def test_all_share_one_fetch() -> None:
    provider = Provider("a")
    assert set(await asyncio.gather(*(provider.code("a") for _ in range(50)))) == {None}
    assert provider.fetches == 1


async def test_a_caller_that_hangs_up_takes_nothing_from_the_others() -> None:
    provider = Provider("a")
    first = asyncio.create_task(provider.code("a"))
    second = asyncio.create_task(provider.code("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is None
    assert provider.fetches == 1


NOT_A_NUMBER = {"n": "!"}, {"n": "AQAB"}, {"e": "Ag"}, {"n": ""}, {"n": "A" * 100_000}, {"n": 5}, {"e": None}
MALFORMED: list[Any] = [
    *(RSA | {"kid": "bad"} | number for number in NOT_A_NUMBER),
    "a string",
    None,
    5,
    ["list"],
    {},
    RSA | {"kid": 5},
    RSA | {"kid": None},
    RSA | {"kid": ""},
    RSA | {"kid": "bad", "use": ["sig"]},
    RSA | {"kid": "bad", "use": {"sig": True}},
    RSA | {"kid": "bad", "kty": ["RSA"]},
    RSA | {"kid": "bad", "kty": None},
]


@pytest.mark.parametrize("entry", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_entry_harms_only_itself(entry: Any) -> None:
    provider = Provider("a", "b")
    provider.entries = [entry]
    assert await provider.code("a") is None
    assert await provider.code("b") is None
    named = isinstance(entry, dict) and entry.get("kid") == "bad"
    # Its owner's token may be good, and a new one would not help: that is no 401.
    assert await provider.code("bad") is (ErrorCode.SERVICE_UNAVAILABLE if named else ErrorCode.UNAUTHORIZED)


@pytest.mark.parametrize("entry", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_mended_entry_is_used_after_the_next_fetch(entry: Any) -> None:
    provider = Provider("a")
    provider.entries = [entry]
    assert await provider.code("a") is None
    assert await provider.code("bad") is not None
    provider.entries = [RSA | {"kid": "bad"}]
    provider.now += 30
    assert await provider.code("bad") is None


async def test_of_two_entries_with_one_id_the_readable_one_counts() -> None:
    provider = Provider()
    for entries in (
        [RSA | {"kid": "a", "n": "!"}, RSA | {"kid": "a"}],
        [RSA | {"kid": "a"}, RSA | {"kid": "a", "e": 5}],
    ):
        provider.entries = entries
        assert await provider.code("a") is None
        provider = Provider()


def test_keys_for_something_else_are_not_broken() -> None:
    others = [
        {"kty": "EC", "kid": "ec", "crv": "P-256"},
        RSA | {"kid": "enc", "use": "enc"},
        {"kty": "oct", "kid": "o"},
    ]
    assert key_set([*others, RSA | {"kid": "a"}]).unreadable == frozenset()
