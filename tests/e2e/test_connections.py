"""Connecting an account over real HTTP, with the redirects of a browser, at the identity provider of `make run`; and
tools in two processes that need a token at the same moment."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from devstack.aws import dynamodb_client, secrets_client
from devstack.identity.process import LocalIdentity, local_identity
from devstack.ports import LOOPBACK, free_port
from devstack.seed import LOCAL_PROVIDER, seed_provider
from devstack.services import APP_API, running_service
from tests.support import stored
from tests.support.platform import Platform, User

TOOLS = "tests.integration.oauth.service:app"
STAFF = "100000002"


@dataclass(frozen=True, slots=True)
class World:
    browser: httpx.AsyncClient
    app_url: str
    identity: LocalIdentity
    user: User
    platform: Platform

    async def ask(self, method: str, path: str) -> httpx.Response:
        return await self.browser.request(method, f"{self.app_url}{path}", headers=self.user.headers)

    async def connect(self, **form: str) -> httpx.Response:
        """Where the browser ends that asks for the page and presses a button there."""
        begun = await self.ask("GET", f"/oauth/connect/{LOCAL_PROVIDER}")
        page = begun.json()["authorization_url"]
        assert "Who are you?" in (await self.browser.get(page)).text
        return await self.browser.post(page, data=form)

    async def status(self) -> str:
        listed = (await self.ask("GET", "/oauth/connections")).json()["connections"]
        return next(str(one["status"]) for one in listed if one["provider_id"] == LOCAL_PROVIDER)


@pytest.fixture(scope="module")
async def world(tables: Platform) -> AsyncIterator[World]:
    with local_identity() as identity:
        aws, variables, port = tables.endpoint, tables.variables, free_port()
        secret = variables["OAUTH_CLIENT_SECRETS_ARN"]
        seed_provider(dynamodb_client(aws), variables[stored.OAUTH_PROVIDERS], secrets_client(aws), secret, identity)
        environment = {
            **tables.surroundings.environment(),
            "OAUTH_CALLBACK_URL": f"http://{LOOPBACK}:{port}/oauth/callback",
            "FRONTEND_URL": identity.url,
        }
        with running_service(APP_API, environment, port=port) as app:
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=30) as browser:
                yield World(browser, app.base_url, identity, tables.sign_in("500000001", "Staff"), tables)


def query_of(answer: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(str(answer.url)).query, keep_blank_values=True))


async def test_the_whole_way_there_and_back(world: World) -> None:
    assert await world.status() == "revoked"
    arrived = await world.connect(person=STAFF)
    assert [urlsplit(str(one.url)).path.rpartition("/")[2] for one in arrived.history] == ["authorize", "callback"]
    assert query_of(arrived) == {"success": "true", "provider": LOCAL_PROVIDER}
    assert (arrived.status_code, "Connected" in arrived.text) == (200, True)
    assert await world.status() == "connected"
    assert (await world.ask("DELETE", f"/oauth/connections/{LOCAL_PROVIDER}")).status_code == 204
    assert await world.status() == "revoked"


async def test_whoever_cancels_is_not_connected(world: World) -> None:
    arrived = await world.connect()
    assert query_of(arrived) == {"error": "access_denied", "error_description": "", "provider": LOCAL_PROVIDER}
    assert ("Not connected" in arrived.text, await world.status()) == (True, "revoked")


async def test_two_processes_renew_a_token_once(world: World) -> None:
    """The provider takes a refresh token once: whoever sends it again would cost the user the connection."""
    await world.connect(person=STAFF)
    row: dict[str, Any] = world.platform.item(
        stored.OAUTH_TOKENS, f"USER#{world.user.user_id}", f"PROVIDER#{LOCAL_PROVIDER}"
    )
    environment = world.platform.surroundings.environment()
    with (
        running_service(TOOLS, environment, health_path="/health") as first,
        running_service(TOOLS, environment, health_path="/health") as second,
    ):
        world.platform.put(stored.OAUTH_TOKENS, {**row, "expiresAt": int(time.time()) - 1})
        answers = await asyncio.gather(
            *(
                world.browser.get(
                    f"{service.base_url}/token", params={"provider_id": LOCAL_PROVIDER}, headers=world.user.headers
                )
                for service in (first, second, first, second)
            )
        )
    assert [answer.status_code for answer in answers] == [200] * 4
    (token,) = {answer.json() for answer in answers}
    assert not token.startswith("none")
    assert await world.status() == "connected"
