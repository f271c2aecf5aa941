"""Failures of the identity provider while somebody signs in: what the client is told, and what the log holds."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import stored
from tests.support.identity_provider import CLIENT_SECRET, Answer, IdentityProvider
from tests.support.platform import Platform, Surroundings
from tests.support.service_log import FAILED

SECRETS = ("secret-", CLIENT_SECRET, "AADSTS", "trace-0815")
TEXT = "AADSTS7000222: the provided client secret keys are expired. Trace ID: trace-0815"
GOOD = {"access_token": "secret-access", "refresh_token": "secret-refresh"}
STATUS_OF = {"bad_request": 400, "unauthorized": 401, "service_unavailable": 503, "timeout": 504}

REFUSED = [
    # What the provider answers, and what an exchange and a refresh answer then.
    pytest.param(400, "invalid_grant", "bad_request", "unauthorized", id="o7 code redeemed, token revoked"),
    pytest.param(400, "interaction_required", "bad_request", "unauthorized", id="o7 interaction required"),
    pytest.param(400, "consent_required", "bad_request", "unauthorized", id="o7 consent required"),
    pytest.param(400, TEXT, "bad_request", "unauthorized", id="no name at all"),
    pytest.param(401, "invalid_client", "bad_request", "bad_request", id="o6 our secret has expired"),
    pytest.param(403, "access_denied", "bad_request", "bad_request", id="403"),
    pytest.param(404, "invalid_request", "bad_request", "bad_request", id="404"),
]
UNUSABLE = [
    pytest.param(Answer(b"", status=429, headers={"Retry-After": "7"}), id="o8 429"),
    pytest.param(Answer(b"<html>", status=502), id="o8 502"),
    pytest.param(Answer(b"", status=500), id="500"),
    pytest.param(Answer(b"<html>secret-", status=200), id="o8 no JSON"),
    pytest.param(Answer(b'{"error": "secret-error"}'), id="o8 an error with 200"),
    pytest.param(Answer(b"[]"), id="a list"),
    pytest.param(Answer(b'{"access_token": "", "refresh_token": "secret-r"}'), id="empty access token"),
    pytest.param(Answer(b'{"access_token": ["secret-a"], "refresh_token": "secret-r"}'), id="access token is a list"),
    pytest.param(Answer(b'{"access_token": "secret-a", "id_token": 5, "refresh_token": "r"}'), id="id token a number"),
    pytest.param(Answer(b"", status=302, headers={"Location": "https://elsewhere.example"}), id="redirect"),
    pytest.param(Answer(b"", status=204), id="204"),
    pytest.param(Answer(b"{", headers={"Content-Length": "10"}), id="cut off"),
]


@pytest.fixture
def provider(around: Surroundings) -> Iterator[IdentityProvider]:
    around.provider.reset()
    yield around.provider
    around.provider.reset()


async def exchange(platform: Platform) -> httpx.Response:
    state = f"secret-state-{uuid4().hex}"
    platform.store(stored.pending_state(state, nonce="secret-nonce", code_verifier="secret-verifier"))
    body = {"code": "secret-code", "state": state}
    return await platform.app_api.http.post("/auth/token", json=body)


async def refresh(platform: Platform) -> httpx.Response:
    return await platform.app_api.http.post("/auth/refresh", json={"refresh_token": "secret-refresh-token"})


async def told(platform: Platform, answer: httpx.Response) -> tuple[str, list[dict[str, Any]]]:
    """The code, which body, status and log agree on, and what the log holds of the request; nothing of it is secret."""
    body = answer.json()
    assert answer.status_code == STATUS_OF[body["code"]]
    assert answer.headers.get("www-authenticate") == ("Bearer" if answer.status_code == 401 else None)
    request_id = answer.headers["x-request-id"]
    await platform.settled(request_id)
    records = platform.records(request_id)
    assert [record["code"] for record in records if record["message"] == FAILED] == [body["code"]]
    written = f"{answer.text} {records}"
    assert [word for word in SECRETS if word in written] == []
    assert [word for word in (*platform.internals, "login.microsoftonline.com") if word in answer.text] == []
    return body["code"], records


@pytest.mark.parametrize(("status", "error", "exchanged", "refreshed"), REFUSED)
async def test_a_refusal(
    tables: Platform, provider: IdentityProvider, status: int, error: str, exchanged: str, refreshed: str
) -> None:
    provider.issue({"error": error, "error_description": TEXT, "trace_id": "trace-0815"}, status)
    for act, code in ((exchange, exchanged), (refresh, refreshed)):
        told_code, records = await told(tables, await act(tables))
        assert told_code == code
        (failed,) = [record for record in records if record["message"] == FAILED]
        assert failed["provider_error"] == (error if error != TEXT else "other")
        errors = [record["provider_error"] for record in records if record["level"] == "ERROR"]
        assert errors == (["invalid_client"] if error == "invalid_client" else [])


@pytest.mark.parametrize("answer", UNUSABLE)
async def test_an_outage(tables: Platform, provider: IdentityProvider, answer: Answer) -> None:
    provider.answers[provider.token_path] = answer
    for act in (exchange, refresh):
        failed = await act(tables)
        assert (await told(tables, failed))[0] == "service_unavailable"
        assert failed.headers.get("retry-after") == answer.headers.get("Retry-After")


async def test_only_an_exchange_needs_a_refresh_token(tables: Platform, provider: IdentityProvider) -> None:
    for missing in ({}, {"refresh_token": ""}, {"refresh_token": None}):
        provider.issue({"access_token": "secret-access", **missing})
        assert (await told(tables, await exchange(tables)))[0] == "service_unavailable"
        kept = await refresh(tables)
        assert (kept.status_code, kept.json()["refresh_token"]) == (200, "secret-refresh-token")


async def test_a_provider_that_cannot_be_reached(tables: Platform, provider: IdentityProvider) -> None:
    provider.refuses = True
    for act in (exchange, refresh):
        assert (await told(tables, await act(tables)))[0] == "service_unavailable"


async def test_a_silent_provider(tables: Platform, provider: IdentityProvider) -> None:
    """Ten seconds for the whole answer, and one request: a code may be used up although no answer came."""
    provider.answers[provider.token_path] = Answer(hangs=True)
    for answer in await asyncio.gather(exchange(tables), refresh(tables)):
        assert (await told(tables, answer))[0] == "timeout"
    assert len(provider.token_forms()) == 2


@pytest.mark.parametrize("id_token", ["not a JWT", "a.b.c", "W10.W10.W10"], ids=ascii)
async def test_an_id_token_that_is_none(tables: Platform, provider: IdentityProvider, id_token: str) -> None:
    provider.issue({**GOOD, "id_token": id_token})
    assert (await told(tables, await exchange(tables)))[0] == "bad_request"


@pytest.mark.parametrize("nonce", ["another", None, "", 5, ["secret-nonce"], "\ud800"], ids=ascii)
async def test_an_id_token_for_another_sign_in(tables: Platform, provider: IdentityProvider, nonce: object) -> None:
    provider.issue({**GOOD, "id_token": provider.token(nonce=nonce)})
    assert (await told(tables, await exchange(tables)))[0] == "bad_request"
