"""When keys are fetched, by a clock that the test moves."""

import asyncio

import pytest
from jwt import PyJWK

from apis.shared.auth.jwks import JsonWebKey, KeySet, SigningKeys
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success, suppression_counts
from tests.support.identity_provider import SigningKey

RSA = SigningKey("any").published


class Provider:
    """Publishes the keys named in `kids`, or fails."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.fetches = 0
        self.is_down = False
        self.now = 1000.0
        self.keys = SigningKeys(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> Result[KeySet, ErrorDetail]:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_down:
            return Failure(service_unavailable())
        return Success({kid: JsonWebKey.model_validate(RSA | {"kid": kid}) for kid in self.kids})

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


async def test_an_unknown_key_on_the_first_fetch_starts_the_pause() -> None:
    provider = Provider("a")
    assert await provider.code("x") is ErrorCode.UNAUTHORIZED
    assert await provider.code("y") is ErrorCode.UNAUTHORIZED
    assert await provider.code("a") is None
    assert provider.fetches == 1


async def test_a_failed_fetch_starts_no_pause() -> None:
    provider = Provider("a")
    assert await provider.code("a") is None
    provider.is_down = True
    assert await provider.code("b") is ErrorCode.SERVICE_UNAVAILABLE
    assert await provider.code("b") is ErrorCode.SERVICE_UNAVAILABLE
    provider.is_down, provider.kids = False, ("a", "b")
    assert await provider.code("b") is None


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


@pytest.mark.parametrize("broken", [{"n": "!"}, {"n": "AQAB"}, {"e": "Ag"}], ids=["no number", "tiny", "even exponent"])
async def test_an_unreadable_key_is_an_outage(broken: dict[str, str]) -> None:
    async def fetch() -> Result[KeySet, ErrorDetail]:
        return Success({"a": JsonWebKey.model_validate(RSA | broken)})

    match await SigningKeys(fetch).get("a"):
        case Failure(ErrorDetail(code=code)):
            assert code is ErrorCode.SERVICE_UNAVAILABLE
        case found:
            pytest.fail(f"accepted: {found}")
