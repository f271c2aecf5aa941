"""Signing in, from the first address to the last, with states in the table and in memory."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest

from devstack.services import APP_API, running_service
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.identity_provider import CLIENT_SECRET, REDIRECT_URI, TOKENS, IdentityProvider
from tests.support.platform import Platform, Surroundings, until

SCOPE = "openid profile email api://cli/Read offline_access"
ODD_NUMBERS: list[Any] = [None, 0, -1, 1.5, "0", "soon", "", "-5", True, [], "\N{ARABIC-INDIC DIGIT SEVEN}"]
LOGIN = "https://login.microsoftonline.com/ten/oauth2/v2.0"


@pytest.fixture(autouse=True)
def provider(around: Surroundings) -> Iterator[IdentityProvider]:
    around.provider.reset()
    yield around.provider
    around.provider.reset()


@pytest.fixture
def api(platform: Platform) -> httpx.AsyncClient:
    """Nobody has signed in yet."""
    return platform.app_api.http


async def begin(api: httpx.AsyncClient, **query: str) -> dict[str, str]:
    """The query of the provider's page."""
    answer = await api.get("/auth/login", params=query)
    assert answer.status_code == 200, answer.text
    sent = dict(parse_qsl(urlsplit(answer.json()["authorization_url"]).query, keep_blank_values=True))
    assert sent["state"] == answer.json()["state"]
    return sent


async def exchange(api: httpx.AsyncClient, state: str, **members: Any) -> httpx.Response:
    return await api.post("/auth/token", json={"code": "c", "state": state, **members})


async def test_the_address_of_the_page(api: httpx.AsyncClient) -> None:
    answer = await api.get("/auth/login")
    assert answer.json().keys() == {"authorization_url", "state"}
    assert answer.headers["cache-control"] == "no-store"
    sent = parse_qs(urlsplit(answer.json()["authorization_url"]).query)
    (state,), (nonce,), (challenge,) = sent["state"], sent["nonce"], sent["code_challenge"]
    assert answer.json() == {
        "state": state,
        "authorization_url": f"{LOGIN}/authorize?client_id=cli&response_type=code&redirect_uri=https%3A%2F%2Fa%2Fcb"
        "&response_mode=query&scope=openid+profile+email+api%3A%2F%2Fcli%2FRead+offline_access"
        f"&state={state}&nonce={nonce}&code_challenge={challenge}&code_challenge_method=S256&prompt=select_account",
    }
    assert {len(secret) for secret in (state, nonce, challenge)} == {43}


@pytest.mark.parametrize(
    ("query", "redirect_uri", "prompt"),
    [
        ({}, REDIRECT_URI, "select_account"),
        ({"redirect_uri": ""}, REDIRECT_URI, "select_account"),
        ({"redirect_uri": "https://b/cb?x=1&y=ä b", "prompt": "login"}, "https://b/cb?x=1&y=ä b", "login"),
        ({"prompt": ""}, REDIRECT_URI, ""),
        ({"prompt": "any&thing"}, REDIRECT_URI, "any&thing"),
    ],
    ids=str,
)
async def test_what_the_caller_chooses(
    api: httpx.AsyncClient, query: dict[str, str], redirect_uri: str, prompt: str
) -> None:
    sent = await begin(api, **query)
    assert (sent["redirect_uri"], sent["prompt"]) == (redirect_uri, prompt)


async def test_what_a_sign_in_stores(tables: Platform) -> None:
    for chosen in (None, "https://b/cb"):
        sent = await begin(tables.app_api.http, **({"redirect_uri": chosen} if chosen else {}))
        item = tables.item(stored.STATES, f"STATE#{sent['state']}", f"STATE#{sent['state']}")
        assert item.keys() - {"redirect_uri"} == {
            "PK",
            "SK",
            "state",
            "expiresAt",
            "created_at",
            "code_verifier",
            "nonce",
        }
        assert item.get("redirect_uri") == chosen, "the configured place is not stored"
        assert item["expiresAt"] - item["created_at"] == 600
        assert abs(item["created_at"] - time.time()) < 60
        assert item["nonce"] == sent["nonce"]
        digest = hashlib.sha256(item["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode() == sent["code_challenge"] + "="


async def test_a_code_becomes_tokens_once(api: httpx.AsyncClient, provider: IdentityProvider) -> None:
    sent = await begin(api)
    answer = await exchange(api, sent["state"])
    assert (answer.status_code, answer.json()) == (200, {**TOKENS, "id_token": None, "token_type": "Bearer"})
    assert answer.headers["cache-control"] == "no-store"
    (form,) = provider.token_forms()
    verifier = form.pop("code_verifier")
    assert form == {
        "client_id": "cli",
        "client_secret": CLIENT_SECRET,
        "code": "c",
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPE,
    }
    digest = hashlib.sha256(verifier.encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode() == sent["code_challenge"] + "="
    again = await exchange(api, sent["state"])
    assert (again.status_code, again.json()["code"]) == (400, "bad_request")
    assert "sign in again" in again.json()["detail"]
    assert len(provider.token_forms()) == 1


async def test_o1_one_code_posted_twice_at_once(api: httpx.AsyncClient, provider: IdentityProvider) -> None:
    state = (await begin(api))["state"]
    answers = await asyncio.gather(*(exchange(api, state) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert len(provider.token_forms()) == 1


async def test_o2_the_oldest_of_several_sign_ins_is_still_good(api: httpx.AsyncClient) -> None:
    oldest, *_ = [(await begin(api))["state"] for _ in range(3)]
    assert (await exchange(api, oldest)).status_code == 200


@pytest.mark.parametrize("state", ["", "unknown", "x" * 1_100, "a\u0000b"], ids=ascii)
async def test_o3_a_state_that_nobody_began(platform: Platform, api: httpx.AsyncClient, state: str) -> None:
    with platform.proxy.recording() as recording:
        answer = await exchange(api, state)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert len(recording.calls) == int(platform.in_tables and state == "unknown")
    assert platform.provider.requests == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"code": "c", "state": "\\ud800"}', "body"),
        (b'{"code": "c", "state": 5}', "body.state"),
        (b'{"code": "c"}', "body.state"),
        (b'{"state": "s"}', "body.code"),
        (b'{"code": "%s", "state": "s"}' % (b"x" * 20_000), "body.code"),
        (b'{"code": "c", "state": "%s"}' % (b"x" * 3_000), "body.state"),
        (b'{"code": "c", "state": "s", "redirect_uri": "%s"}' % (b"x" * 3_000), "body.redirect_uri"),
    ],
    ids=range(7),
)
async def test_a_body_that_no_client_sends(api: httpx.AsyncClient, body: bytes, field: str) -> None:
    answer = await api.post("/auth/token", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "validation_error", field)


@pytest.mark.parametrize("query", ["redirect_uri=%ED%A0%80", f"prompt={'x' * 3_000}"], ids=["p2", "too long"])
async def test_a_query_that_no_client_sends(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/auth/login?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


@pytest.mark.parametrize(
    ("begun_with", "asked_for", "used"),
    [
        ({"redirect_uri": "https://b/cb?x=1"}, "https://other", "https://b/cb?x=1"),
        ({}, "https://b/cb?x=1&y=2", "https://b/cb?x=1&y=2"),
        ({}, "", REDIRECT_URI),
        ({}, None, REDIRECT_URI),
    ],
    ids=str,
)
async def test_o9_where_the_code_was_sent(
    api: httpx.AsyncClient, provider: IdentityProvider, begun_with: dict[str, str], asked_for: str | None, used: str
) -> None:
    state = (await begin(api, **begun_with))["state"]
    code = "0.A+/=&% x"
    assert (await exchange(api, state, code=code, redirect_uri=asked_for)).status_code == 200
    (form,) = provider.token_forms()
    assert (form["redirect_uri"], form["code"]) == (used, code)


@pytest.mark.parametrize(
    ("issued", "expected"),
    [
        ({"expires_in": "3599"}, {"expires_in": 3599}),
        ({"expires_in": 1}, {"expires_in": 1}),
        *(({"expires_in": odd}, {"expires_in": 3600}) for odd in ODD_NUMBERS),
        ({"scope": None}, {"scope": ""}),
        ({"scope": ["a"]}, {"scope": ""}),
        ({"token_type": "bearer"}, {"token_type": "bearer"}),
        ({"token_type": None}, {"token_type": "Bearer"}),
        ({"id_token": ""}, {"id_token": None}),
        ({"ext_expires_in": "1", "foci": "1"}, {}),
    ],
    ids=ascii,
)
async def test_o4_members_that_the_provider_leaves_out_or_writes_otherwise(
    api: httpx.AsyncClient, provider: IdentityProvider, issued: dict[str, Any], expected: dict[str, Any]
) -> None:
    provider.issue({"access_token": "a", "refresh_token": "r", **issued})
    state = (await begin(api))["state"]
    defaults = {"id_token": None, "token_type": "Bearer", "expires_in": 3600, "scope": ""}
    wanted = {"access_token": "a", "refresh_token": "r", **defaults, **expected}
    for answer in (await exchange(api, state), await api.post("/auth/refresh", json={"refresh_token": "R0"})):
        assert (answer.status_code, answer.json()) == (200, wanted)


async def test_an_id_token_for_this_sign_in(api: httpx.AsyncClient, provider: IdentityProvider) -> None:
    sent = await begin(api)
    id_token = provider.token(nonce=sent["nonce"])
    provider.issue({**TOKENS, "id_token": id_token})
    answer = await exchange(api, sent["state"])
    assert (answer.status_code, answer.json()["id_token"]) == (200, id_token)


async def test_a_failed_exchange_uses_the_state_up(api: httpx.AsyncClient, provider: IdentityProvider) -> None:
    state = (await begin(api))["state"]
    provider.issue(status=503)
    assert (await exchange(api, state)).status_code == 503
    provider.reset()
    assert (await exchange(api, state)).status_code == 400


@pytest.mark.parametrize(
    "attributes",
    [
        {"expiresAt": 1_700_000_000},
        {"code_verifier": stored.LEFT_OUT, "nonce": stored.LEFT_OUT},
        {"nonce": "google|123456789"},
    ],
    ids=["expired", "nothing kept", "of the OAuth connection flow"],
)
async def test_a_stored_state_that_is_none_of_a_sign_in(tables: Platform, attributes: dict[str, Any]) -> None:
    state = uuid4().hex
    tables.store(stored.pending_state(state, **attributes))
    answer = await exchange(tables.app_api.http, state)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert tables.provider.requests == []


async def test_a_state_without_a_nonce_checks_none(tables: Platform) -> None:
    state = uuid4().hex
    tables.store(stored.pending_state(state, nonce=stored.LEFT_OUT))
    tables.provider.issue({**TOKENS, "id_token": tables.provider.token(nonce="any")})
    assert (await exchange(tables.app_api.http, state)).status_code == 200


async def test_the_fewest_calls(tables: Platform) -> None:
    api = tables.app_api.http
    with tables.proxy.recording() as recording:
        state = (await begin(api))["state"]
        assert [call.target.operation for call in recording.calls] == ["PutItem"]
        assert (await exchange(api, state)).status_code == 200
        assert [call.target.operation for call in recording.calls] == ["PutItem", "DeleteItem"]
        assert (await api.post("/auth/refresh", json={"refresh_token": "r"})).status_code == 200
        assert (await api.get("/auth/logout")).status_code == 200
    assert len(recording.calls) == 2
    assert len(tables.provider.requests) == 2


async def test_refresh(api: httpx.AsyncClient, provider: IdentityProvider) -> None:
    provider.issue({"access_token": "a2", "expires_in": 10})
    answer = await api.post("/auth/refresh", json={"refresh_token": "R0"})
    expected = {"access_token": "a2", "refresh_token": "R0", "id_token": None, "token_type": "Bearer", "expires_in": 10}
    assert (answer.status_code, answer.json()) == (200, {**expected, "scope": ""})
    assert answer.headers["cache-control"] == "no-store"
    (form,) = provider.token_forms()
    assert form == {
        "client_id": "cli",
        "client_secret": CLIENT_SECRET,
        "refresh_token": "R0",
        "grant_type": "refresh_token",
        "scope": SCOPE,
    }


async def test_o5_a_refresh_token_comes_back_unless_it_is_replaced(
    api: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    for issued, expected in (("", "R0"), (None, "R0"), ("R1", "R1")):
        provider.issue({"access_token": "a2", "refresh_token": issued, "expires_in": 10})
        answer = await api.post("/auth/refresh", json={"refresh_token": "R0"})
        assert (answer.status_code, answer.json()["refresh_token"]) == (200, expected)


@pytest.mark.parametrize("second", [400, 503])
async def test_o5_o10_each_refresh_has_the_answer_of_the_provider(
    api: httpx.AsyncClient, provider: IdentityProvider, second: int
) -> None:
    """Nothing is kept between them, not even of the same token."""
    assert (await api.post("/auth/refresh", json={"refresh_token": "R0"})).status_code == 200
    provider.issue({"error": "invalid_grant"}, second)
    refused = await api.post("/auth/refresh", json={"refresh_token": "R0"})
    assert refused.status_code == {400: 401, 503: 503}[second]
    assert len(provider.token_forms()) == 2


async def test_an_empty_refresh_token_is_the_providers_to_refuse(
    api: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    assert (await api.post("/auth/refresh", json={"refresh_token": ""})).status_code == 200
    assert provider.token_forms()[0]["refresh_token"] == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", f"{LOGIN}/logout"),
        ("?post_logout_redirect_uri=", f"{LOGIN}/logout"),
        (
            "?post_logout_redirect_uri=https://a/b?c=d",
            f"{LOGIN}/logout?post_logout_redirect_uri=https%3A%2F%2Fa%2Fb%3Fc%3Dd",
        ),
    ],
)
async def test_logout(api: httpx.AsyncClient, query: str, expected: str) -> None:
    answer = await api.get(f"/auth/logout{query}", headers={"Authorization": "Bearer whatever"})
    assert (answer.status_code, answer.json()) == (200, {"logout_url": expected})


async def test_not_configured(tables: Platform) -> None:
    with running_service(APP_API, {**tables.surroundings.environment(), "ENTRA_CLIENT_SECRET": ""}) as service:
        async with httpx.AsyncClient(base_url=service.base_url, trust_env=False) as api:
            for answer in (
                await api.get("/auth/login"),
                await exchange(api, "s"),
                await api.post("/auth/refresh", json={"refresh_token": "r"}),
                await api.get("/auth/logout"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
                assert answer.json()["detail"] == "Authentication is not configured"
                assert "ENTRA" not in answer.text

            async def is_logged() -> bool:
                return service.output().count("not set: ENTRA_CLIENT_SECRET") == 4

            await until(is_logged)


async def test_another_authority_a_tenant_name_and_authentication_off(tables: Platform) -> None:
    """Signing in works as well while nobody has to."""
    variables = {
        "ENTRA_AUTHORITY": "https://login.microsoftonline.us/",
        "ENTRA_TENANT_ID": "example.edu",
        "ENABLE_AUTHENTICATION": "false",
    }
    with running_service(APP_API, {**tables.surroundings.environment(), **variables}) as service:
        async with httpx.AsyncClient(base_url=service.base_url, trust_env=False) as api:
            url = (await api.get("/auth/logout")).json()["logout_url"]
            assert url == "https://login.microsoftonline.us/example.edu/oauth2/v2.0/logout"
            assert (await begin(api))["client_id"] == "cli"
            assert (await api.get("/sessions")).status_code == 500
        warnings = [line for line in service.output().splitlines() if '"ENTRA_TENANT_ID"' in line]
    assert len(warnings) == 1
    assert '"level": "WARNING"' in warnings[0]


async def test_a_store_that_fails_is_not_the_users_fault(tables: Platform) -> None:
    api = tables.app_api.http
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, "dynamodb", table=tables.variables[stored.STATES])):
        failed = await api.get("/auth/login")
        exchanged = await exchange(api, "some-state")
    assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable")
    assert failed.json()["detail"] == "Failed to generate authorization URL"
    assert (exchanged.status_code, exchanged.json()["code"]) == (503, "service_unavailable")
    (record,) = tables.records(failed.headers["x-request-id"])
    assert record["aws_code"], "the cause is in the log"


async def test_no_log_holds_what_a_sign_in_needs(platform: Platform, api: httpx.AsyncClient) -> None:
    provider = platform.provider
    begun = await api.get("/auth/login", params={"redirect_uri": "https://hush-1.example/cb"})
    sent = parse_qs(urlsplit(begun.json()["authorization_url"]).query)
    provider.issue({"access_token": "hush-2", "refresh_token": "hush-3", "id_token": "hush-4.id.token"})
    failed = await exchange(api, begun.json()["state"], code="hush-5")
    assert failed.status_code == 400
    form = provider.token_forms()[0]
    await platform.settled(failed.headers["x-request-id"])
    for word in ("hush-", sent["state"][0], sent["nonce"][0], form["code_verifier"], CLIENT_SECRET):
        assert word not in platform.app_api.process.output()
