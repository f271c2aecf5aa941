"""The whole sign-in over real HTTP, at the identity provider of `make run`: from the first address to signing out."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from devstack.identity.process import LocalIdentity, local_identity
from devstack.services import APP_API, INFERENCE_API, running_service
from tests.support.platform import Platform

STUDENT, STAFF, ADMIN, SYSTEM_ADMIN = "100000001", "100000002", "100000003", "100000004"


@dataclass(frozen=True, slots=True)
class World:
    """A browser that follows redirects, and the services that it signs in to."""

    browser: httpx.AsyncClient
    app_url: str
    inference_url: str
    identity: LocalIdentity

    async def page(self, **query: str) -> str:
        begun = await self.browser.get(f"{self.app_url}/auth/login", params=query)
        return str(begun.json()["authorization_url"])

    async def come_back(self, page: str, person: str) -> dict[str, str]:
        """What the browser is sent back with by the button of `person`."""
        shown = await self.browser.get(page)
        assert (shown.status_code, f'value="{person}"' in shown.text) == (200, True)
        arrived = await self.browser.post(page, data={"person": person})
        assert [one.status_code for one in arrived.history] == [302]
        assert arrived.status_code == 200
        return dict(parse_qsl(urlsplit(str(arrived.url)).query))

    async def sign_in(self, person: str) -> dict[str, Any]:
        back = await self.come_back(await self.page(), person)
        answer = await self.exchange(back)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def exchange(self, back: dict[str, str]) -> httpx.Response:
        return await self.browser.post(f"{self.app_url}/auth/token", json=back)

    async def refresh(self, token: str) -> httpx.Response:
        return await self.browser.post(f"{self.app_url}/auth/refresh", json={"refresh_token": token})

    async def ask(self, tokens: dict[str, Any], path: str) -> int:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return (await self.browser.get(f"{self.app_url}{path}", headers=headers)).status_code


@pytest.fixture(scope="module")
def identity() -> Iterator[LocalIdentity]:
    with local_identity() as running:
        yield running


@pytest.fixture(scope="module")
async def world(tables: Platform, identity: LocalIdentity) -> AsyncIterator[World]:
    environment = {**tables.surroundings.environment(), **identity.environment()}
    with running_service(APP_API, environment) as app, running_service(INFERENCE_API, environment) as inference:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=30) as browser:
            yield World(browser, app.base_url, inference.base_url, identity)


async def test_the_whole_sign_in(world: World) -> None:
    tokens = await world.sign_in(STAFF)
    assert tokens["token_type"] == "Bearer"
    assert tokens["id_token"]
    assert await world.ask(tokens, "/sessions") == 200
    assert await world.ask({"access_token": tokens["id_token"]}, "/sessions") == 401

    refreshed = await world.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert await world.ask(refreshed.json(), "/sessions") == 200
    assert refreshed.json()["refresh_token"] != tokens["refresh_token"]
    used = await world.refresh(tokens["refresh_token"])
    assert (used.status_code, used.json()["code"]) == (401, "unauthorized")

    query = {"post_logout_redirect_uri": world.identity.environment()["ENTRA_REDIRECT_URI"]}
    logout = (await world.browser.get(f"{world.app_url}/auth/logout", params=query)).json()["logout_url"]
    left = await world.browser.get(logout)
    assert [str(one.url) for one in left.history] == [logout]
    assert str(left.url) == query["post_logout_redirect_uri"]
    assert (await world.browser.get(logout.partition("?")[0])).status_code == 200


@pytest.mark.parametrize("person", [STUDENT, STAFF, ADMIN, SYSTEM_ADMIN])
async def test_everybody_of_the_page_can_come_in(world: World, person: str) -> None:
    tokens = await world.sign_in(person)
    assert await world.ask(tokens, "/sessions") == 200
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    body = {"session_id": f"signed-in-{person}", "message": "hi", "model_id": "gpt-forbidden"}
    turn = await world.browser.post(f"{world.inference_url}/invocations", json=body, headers=headers)
    assert turn.status_code == 403, "known, but not allowed to use this model"


async def test_whoever_cancels_comes_back_without_a_code(world: World) -> None:
    page = await world.page()
    arrived = await world.browser.post(page)
    back = dict(parse_qsl(urlsplit(str(arrived.url)).query))
    assert back == {"error": "access_denied", "state": dict(parse_qsl(urlsplit(page).query))["state"]}


async def test_a_code_is_good_once_and_for_its_own_sign_in(world: World) -> None:
    back = await world.come_back(await world.page(), STAFF)
    assert (await world.exchange(back)).status_code == 200
    again = await world.exchange(back)
    assert (again.status_code, again.json()["code"]) == (400, "bad_request"), "the state is used up"

    another = dict(parse_qsl(urlsplit(await world.page()).query))["state"]
    reused = await world.exchange({**back, "state": another})
    assert (reused.status_code, reused.json()["code"]) == (400, "bad_request"), "the code is used up"

    fresh = await world.come_back(await world.page(), STAFF)
    other = dict(parse_qsl(urlsplit(await world.page()).query))["state"]
    wrong = await world.exchange({**fresh, "state": other})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_request"), "the verifier is of another sign-in"


async def test_a_chosen_place_is_the_same_in_both_steps(world: World) -> None:
    chosen = world.identity.environment()["ENTRA_REDIRECT_URI"] + "?from=here"
    back = await world.come_back(await world.page(redirect_uri=chosen), STAFF)
    assert back.pop("from") == "here"
    assert (await world.exchange(back)).status_code == 200
