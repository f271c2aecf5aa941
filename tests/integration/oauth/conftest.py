"""Providers and users that no other test knows, at the App API with everything in AWS."""

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.support import stored
from tests.support.aws_access import AwsAccess
from tests.support.oauth_server import Answering, Request
from tests.support.platform import FRONTEND_URL, Platform, User

SETTINGS_PAGE = f"{FRONTEND_URL}/settings/oauth/callback"
ROLE_OF_TOKEN, APP_ROLE = "OAuth-Tester", "oauth_staff"
SECRETS = "OAUTH_CLIENT_SECRETS_ARN"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Way:
    """Where the browser was sent."""

    base: str
    query: Mapping[str, str]
    answer: httpx.Response


@dataclass(frozen=True, slots=True)
class Connector:
    """One provider with its server, one user, and what is stored for them."""

    platform: Platform
    provider_id: str
    user: User
    states: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"{self.platform.oauth.url}/{self.provider_id}"

    @property
    def token_requests(self) -> list[Request]:
        return self.platform.oauth.of(f"/{self.provider_id}/token")

    def answers(self, answer: Answering, path: str = "token") -> None:
        self.platform.oauth.answers[f"/{self.provider_id}/{path}"] = answer

    def register(self, **attributes: Any) -> None:
        """Past the administration, with a client secret."""
        self.platform.store(stored.oauth_provider(self.provider_id, self.url, **attributes))
        put_secret(self.platform, self.provider_id, "SEC")

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        return await self.platform.app_api.http.request(
            method, path, params=query or None, json=body, headers=self.user.headers
        )

    async def admin(self, method: str, path: str = "", body: Any = None) -> httpx.Response:
        admin = self.platform.sign_in("111111111", "Admin", "Staff")
        return await self.platform.ask(admin, method, f"/admin/oauth-providers/{path}", body)

    async def begin(self, **query: str) -> dict[str, str]:
        """The query of the provider's page."""
        answer = await self.ask("GET", f"/oauth/connect/{self.provider_id}", **query)
        assert answer.status_code == 200, answer.text
        return dict(parse_qsl(urlsplit(answer.json()["authorization_url"]).query))

    def pending(self, **attributes: Any) -> str:
        """A state that waits for the browser."""
        state = f"state-{self.provider_id}-{next(self.states)}"
        self.platform.store(stored.oauth_state(state, self.provider_id, self.user.user_id, **attributes))
        return state

    async def come_back(self, query: Any = None, headers: Mapping[str, str] | None = None, **given: str) -> Way:
        answer = await self.platform.app_api.http.get("/oauth/callback", params=query or given, headers=headers)
        assert answer.status_code == 302, answer.text
        base, _, sent = answer.headers["location"].partition("?")
        return Way(base, dict(parse_qsl(sent, keep_blank_values=True)), answer)

    async def connect(self, **attributes: Any) -> Way:
        return await self.connect_with(self.pending(**attributes))

    async def connect_with(self, state: str) -> Way:
        return await self.come_back(code="abc", state=state)

    async def connections(self) -> list[dict[str, Any]]:
        """What the user is shown of this provider."""
        answer = await self.ask("GET", "/oauth/connections")
        assert answer.status_code == 200, answer.text
        return [one for one in answer.json()["connections"] if one["provider_id"] == self.provider_id]

    @property
    def row(self) -> dict[str, Any]:
        return self.platform.item(stored.OAUTH_TOKENS, f"USER#{self.user.user_id}", f"PROVIDER#{self.provider_id}")

    @property
    def provider_row(self) -> dict[str, Any]:
        return self.platform.item(stored.OAUTH_PROVIDERS, f"PROVIDER#{self.provider_id}", "CONFIG")

    def decrypted(self, attribute: str) -> str:
        import base64

        blob = base64.b64decode(self.row[attribute])
        return str(self.platform.boto("kms").decrypt(CiphertextBlob=blob)["Plaintext"].decode())

    async def records(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """All that the service wrote for the request."""
        service, request_id = self.platform.app_api, answer.headers["x-request-id"]
        await service.steer("settle", request_id)
        return service.log.of(request_id)

    async def logged(self, answer: httpx.Response) -> dict[str, Any]:
        """The one record of a failure."""
        (record,) = [one for one in await self.records(answer) if one["message"] == "request failed"]
        return record


def secrets_of(platform: AwsAccess) -> str:
    read = platform.boto("secretsmanager").get_secret_value(SecretId=platform.variables[SECRETS])
    return str(read["SecretString"])


def write_secrets(platform: AwsAccess, text: str) -> None:
    platform.boto("secretsmanager").put_secret_value(SecretId=platform.variables[SECRETS], SecretString=text)


def put_secret(platform: AwsAccess, provider_id: str, secret: str) -> None:
    known = secrets_of(platform)
    entries = json.loads(known) if known.startswith("{") else {}
    write_secrets(platform, json.dumps({**entries, provider_id: secret}))


@pytest.fixture
def connector(tables: Platform) -> Connector:
    number = next(_numbers)
    tables.store(*stored.whole_role(APP_ROLE, jwtRoleMappings=[ROLE_OF_TOKEN]))
    user = tables.sign_in(f"{300_000_000 + number}", ROLE_OF_TOKEN, "Staff")
    return Connector(tables, f"provider-{number:04}", user)


def soon(seconds: int) -> int:
    return int(time.time()) + seconds
