"""The rules of the local identity provider, beside those that the whole sign-in shows."""

from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest
from jwt import PyJWKSet

from apis.shared.settings import AuthSettings, InstitutionSettings
from devstack.identity.grants import Application, Authorization, Grants, challenge_of
from devstack.identity.people import sample_people
from devstack.identity.server import Provider
from devstack.identity.tokens import Signer

INSTITUTION = InstitutionSettings()
PEOPLE = sample_people(INSTITUTION, AuthSettings())
SIGNER = Signer("http://127.0.0.1:1/ten/v2.0", "ten", INSTITUTION)
APPLICATION = Application("cli", "the-secret")
CREDENTIALS = {"client_id": "cli", "client_secret": "the-secret"}
PLACE = "http://localhost:4200/callback"
VERIFIER = "v" * 43
AGREED = Authorization(
    PEOPLE[1], "cli", PLACE, "openid api://cli/Read offline_access", "the-nonce", challenge_of(VERIFIER)
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants(APPLICATION, SIGNER, clock=clock)


def redemption(code: str, /, **other: str) -> dict[str, str]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": PLACE, "code_verifier": VERIFIER}
    return {**CREDENTIALS, **form, **other}


@pytest.mark.parametrize(
    ("other", "status", "error"),
    [
        ({"code_verifier": "w" * 43}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": "http://localhost/"}, 400, "invalid_grant"),
        ({"code": "unknown"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
    ids=str,
)
def test_a_code_is_refused(grants: Grants, other: dict[str, str], status: int, error: str) -> None:
    reply = grants.answer(redemption(grants.code_for(AGREED), **other))
    assert (reply.status, reply.body["error"]) == (status, error)


def test_a_code_is_good_once_and_for_a_minute(grants: Grants, clock: Clock) -> None:
    code = grants.code_for(AGREED)
    assert grants.answer(redemption(code)).status == 200
    assert grants.answer(redemption(code)).status == 400
    late = grants.code_for(AGREED)
    clock.now += 61
    assert grants.answer(redemption(late)).status == 400


def test_a_refresh_token_is_replaced(grants: Grants) -> None:
    first = grants.answer(redemption(grants.code_for(AGREED))).body["refresh_token"]
    form = {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": first}
    second = grants.answer(form)
    assert (second.status, second.body["refresh_token"] != first) == (200, True)
    assert grants.answer(form).status == 400


def test_what_is_not_asked_for_is_not_issued(grants: Grants) -> None:
    plain = replace(AGREED, scope="calendar", challenge=None)
    reply = grants.answer(redemption(grants.code_for(plain), code_verifier=""))
    assert reply.body.keys() == {"token_type", "scope", "expires_in", "access_token"}


def test_tokens_say_who_it_is_and_can_be_checked(grants: Grants) -> None:
    issued = grants.answer(redemption(grants.code_for(AGREED))).body
    published = PyJWKSet.from_dict(SIGNER.published())
    assert all(entry.keys() & {"d", "p", "q"} == set() for entry in SIGNER.published()["keys"]), "nothing private"

    def claims(token: str, audience: str) -> dict[str, Any]:
        key = published[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer="http://127.0.0.1:1/ten/v2.0")

    access = claims(issued["access_token"], "api://cli")
    assert (access["scp"], access["roles"]) == ("Read", ["Staff"])
    assert access[INSTITUTION.employee_number_claim] == "100000002"
    assert claims(issued["id_token"], "cli")["nonce"] == "the-nonce"


def test_people_of_another_institution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_ROLES", '["Member"]')
    monkeypatch.setenv("ADMIN_ROLES", '["Boss"]')
    monkeypatch.setenv("ADMIN_JWT_ROLES", '["Root"]')
    people = sample_people(InstitutionSettings(), AuthSettings())
    assert [person.roles for person in people] == [("Member",), ("Member",), ("Member", "Boss"), ("Member", "Root")]


@pytest.fixture
async def browser(grants: Grants) -> httpx.AsyncClient:
    provider = Provider(APPLICATION, {person.user_id: person for person in PEOPLE}, SIGNER, grants, "http://app")
    return httpx.AsyncClient(transport=httpx.ASGITransport(provider.app("ten")), base_url="http://idp")


ASKED = {"client_id": "cli", "redirect_uri": PLACE, "response_type": "code", "state": "s"}


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "https://localhost.evil.example/"},
        {"redirect_uri": "http://evil.example@evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
    ],
    ids=str,
)
async def test_nobody_is_sent_elsewhere(browser: httpx.AsyncClient, other: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        answer = await browser.request(method, "/ten/oauth2/v2.0/authorize", params=ASKED | other)
        assert (answer.status_code, "location" in answer.headers) == (400, False)
    logout = {"post_logout_redirect_uri": other.get("redirect_uri", "https://evil.example")}
    assert (await browser.get("/ten/oauth2/v2.0/logout", params=logout)).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"response_type": "token"},
        {"response_mode": "fragment"},
        {"code_challenge": "x" * 43, "code_challenge_method": "plain"},
        {"code_challenge": "x" * 43},
        {"code_challenge": "short", "code_challenge_method": "S256"},
        {"code_challenge_method": "S256"},
    ],
    ids=str,
)
async def test_another_flow_is_refused(browser: httpx.AsyncClient, other: dict[str, str]) -> None:
    answer = await browser.get("/ten/oauth2/v2.0/authorize", params=ASKED | other)
    assert (answer.status_code, answer.headers["location"]) == (302, f"{PLACE}?error=invalid_request&state=s")


async def test_pages_quote_what_they_are_given(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/signed-in", params={"code": "<script>'", "state": "$(id)"})
    assert "<script>" not in page.text
    assert "frame-ancestors" in page.headers["content-security-policy"]
