"""The provider's keys: few fetches, rotation, and an outage that signs nobody out."""

import asyncio
import base64
import json
import time

import httpx
import pytest

from apis.shared.auth.jwks import fetch_key_set
from apis.shared.http_client import HttpClient
from devstack.ports import free_port
from devstack.services import running_service
from tests.integration.auth.conftest import APP, bearer
from tests.support.conformance import conforming_client
from tests.support.identity_provider import HOST, Answer, IdentityProvider, SigningKey


async def test_a_hundred_requests_at_the_start_cause_one_fetch(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    provider.answers[provider.keys_path] = Answer(provider.key_set(), delay=0.5)
    token = bearer(provider.token("Staff"))
    answers = await asyncio.gather(*(cold.get("/me", headers=token) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert provider.key_set_fetches() == 1


async def test_a_rotated_key_is_found_and_the_old_one_goes_on(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    old = provider.token("Staff")
    assert (await cold.get("/me", headers=bearer(old))).status_code == 200
    provider.rotate()
    assert (await cold.get("/me", headers=bearer(provider.token("Staff")))).status_code == 200
    assert (await cold.get("/me", headers=bearer(old))).status_code == 200
    assert provider.key_set_fetches() == 2


async def test_unknown_keys_do_not_flood_the_provider(cold: httpx.AsyncClient, provider: IdentityProvider) -> None:
    assert (await cold.get("/me", headers=bearer(provider.token("Staff")))).status_code == 200
    for number in range(20):
        unknown = provider.token("Staff", headers={"kid": f"nobody-{number}"})
        assert (await cold.get("/me", headers=bearer(unknown))).status_code == 401
    assert provider.key_set_fetches() == 2


EC_KEY = {"kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=500), id="500"),
        pytest.param(Answer(status=503, headers={"Retry-After": "7"}), id="503"),
        pytest.param(Answer(status=429), id="429"),
        pytest.param(Answer(b'{"error": "no such tenant"}', status=404), id="404"),
        pytest.param(Answer(status=302, headers={"Location": "https://elsewhere.example/"}), id="redirect"),
        pytest.param(Answer(b"<html>"), id="no JSON"),
        pytest.param(Answer(b"[" * 100_000), id="nested JSON"),
        pytest.param(Answer(b"[]"), id="a list"),
        pytest.param(Answer(b'{"keys": null}'), id="no keys"),
        pytest.param(Answer(b'{"keys": []}'), id="empty"),
        pytest.param(Answer(json.dumps({"keys": [EC_KEY]}).encode()), id="no RSA key"),
        pytest.param(Answer(b" " * 2_000_000), id="too large"),
        pytest.param(Answer(b"{", headers={"Content-Length": "10"}), id="cut off"),
    ],
)
async def test_what_is_no_key_set_is_an_outage(
    provider: IdentityProvider, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in provider.environment.items():
        monkeypatch.setenv(name, value)
    provider.answers[provider.keys_path] = answer
    http = HttpClient("identity provider", deadline_seconds=10)
    error = (await fetch_key_set(http, f"https://{HOST}{provider.keys_path}")).failure()
    await http.aclose()
    assert error.code == "service_unavailable"
    assert str(error.retry_after or "") == answer.headers.get("Retry-After", "")


async def test_an_outage_is_no_401(cold: httpx.AsyncClient, provider: IdentityProvider) -> None:
    provider.answers[provider.keys_path] = Answer(status=503, headers={"Retry-After": "7"})
    failed = await cold.get("/me", headers=bearer(provider.token("Staff")))
    assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable")
    assert failed.headers["retry-after"] == "7"
    provider.reset()
    again = await cold.get("/me", headers=bearer(provider.token("Staff")))
    assert again.status_code == 503
    assert 20 < int(again.headers["retry-after"]) <= 30, "when the provider is asked again"


async def test_tokens_that_nobody_signed_do_not_flood_a_provider_that_fails(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    provider.answers[provider.keys_path] = Answer(status=500)
    claims = {"sub": "x", "exp": 9_999_999_999}
    unsigned = [f"{_part({'alg': 'RS256', 'kid': f'nobody-{number}'})}.{_part(claims)}.AAAA" for number in range(200)]
    answers = [await cold.get("/me", headers=bearer(token)) for token in unsigned[:100]]
    answers += await asyncio.gather(*(cold.get("/me", headers=bearer(token)) for token in unsigned[100:]))
    assert {answer.status_code for answer in answers} == {503}
    assert provider.key_set_fetches() == 1


async def test_tokens_of_another_algorithm_fetch_nothing(cold: httpx.AsyncClient, provider: IdentityProvider) -> None:
    for algorithm in ("none", "HS256", "ES256"):
        token = f"{_part({'alg': algorithm, 'kid': 'nobody'})}.{_part({'sub': 'x'})}.AAAA"
        assert (await cold.get("/me", headers=bearer(token))).status_code == 401
    assert provider.key_set_fetches() == 0


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_m2_the_good_keys_of_a_set_with_a_malformed_entry_work(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    good = json.loads(provider.key_set())["keys"]
    bad = [
        "a string",
        None,
        {**good[0], "kid": 7},
        {**good[0], "kid": "x", "use": ["sig"]},
        {**good[0], "kid": "y", "n": "!"},
    ]
    provider.answers[provider.keys_path] = Answer(json.dumps({"keys": [*bad, *good]}).encode())
    assert (await cold.get("/me", headers=bearer(provider.token("Staff")))).status_code == 200
    named = await cold.get("/me", headers=bearer(provider.token("Staff", headers={"kid": "y"})))
    assert (named.status_code, named.json()["code"]) == (503, "service_unavailable")


async def test_a_provider_that_cannot_be_reached_is_no_401(provider: IdentityProvider) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    environment = provider.environment | {"HTTPS_PROXY": nobody, "https_proxy": nobody}
    with running_service(APP, environment, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            failed = await client.get("/me", headers=bearer(provider.token("Staff")))
    assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize(("variable", "value"), [("https_proxy", "gopher://x"), ("SSL_CERT_FILE", "/does/not/exist")])
async def test_unusable_proxy_and_certificate_settings_are_ours(
    provider: IdentityProvider, variable: str, value: str
) -> None:
    with running_service(APP, provider.environment | {variable: value}, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            failed = await client.get("/me", headers=bearer(provider.token("Staff")))
    assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")


async def test_an_untrusted_certificate_is_no_401(provider: IdentityProvider) -> None:
    environment = {name: value for name, value in provider.environment.items() if name != "SSL_CERT_FILE"}
    with running_service(APP, {**environment, "SSL_CERT_FILE": ""}, health_path="/health") as service:
        async with await conforming_client(service.base_url) as client:
            failed = await client.get("/me", headers=bearer(provider.token("Staff")))
    assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable")


async def test_a_silent_provider_times_out_and_blocks_nobody_else(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """Hanging and dripping count the same: ten seconds for the whole answer."""
    provider.answers[provider.keys_path] = Answer(provider.key_set(), drips=True)
    token = bearer(provider.token("Staff"))
    begun = time.monotonic()
    waiting = [asyncio.create_task(cold.get("/me", headers=token)) for _ in range(20)]
    await asyncio.sleep(1)
    for _ in range(10):
        asked = time.monotonic()
        assert (await cold.get("/health")).status_code == 200
        assert time.monotonic() - asked < 3
    answers = await asyncio.gather(*waiting)
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(504, "timeout")}
    assert 9 < time.monotonic() - begun < 18
    assert provider.key_set_fetches() == 1


async def test_known_keys_survive_an_outage(cold: httpx.AsyncClient, provider: IdentityProvider) -> None:
    known = provider.token("Staff")
    assert (await cold.get("/me", headers=bearer(known))).status_code == 200
    provider.refuses = True
    stranger = provider.token("Staff", key=SigningKey())
    assert (await cold.get("/me", headers=bearer(stranger))).status_code == 503, "it may be a new key of the provider"
    assert (await cold.get("/me", headers=bearer(known))).status_code == 200


async def test_a11_a_flood_of_invented_keys_and_an_empty_set(
    cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    good = bearer(provider.token("Staff"))
    assert (await cold.get("/me", headers=good)).status_code == 200
    provider.answers[provider.keys_path] = Answer(b'{"keys": []}')
    key = SigningKey()
    for begin in range(0, 300, 50):
        tokens = [key.sign({}, {"kid": f"invented-{number}"}) for number in range(begin, begin + 50)]
        refused = await asyncio.gather(*(cold.get("/me", headers=bearer(token)) for token in tokens))
        assert {answer.status_code for answer in refused} == {503}, "the provider may have such a key"
        assert (await cold.get("/me", headers=good)).status_code == 200
    assert provider.key_set_fetches() == 2
