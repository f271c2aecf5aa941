"""What a deployment answers that has not set everything up."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from devstack.services import APP_API, running_service
from tests.integration.oauth.conftest import SECRETS, Connector
from tests.integration.oauth.test_providers import new
from tests.support import stored
from tests.support.platform import Platform

KEY, CALLBACK = "OAUTH_TOKEN_ENCRYPTION_KEY_ARN", "OAUTH_CALLBACK_URL"


@pytest.fixture(scope="module")
async def lacking(tables: Platform) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Services that each lack something, by its name."""
    environment = tables.surroundings.environment()
    wholly = {stored.OAUTH_PROVIDERS, stored.OAUTH_TOKENS, SECRETS, KEY, CALLBACK}
    without: dict[str, set[str]] = {"everything": wholly, "all but providers": wholly - {stored.OAUTH_PROVIDERS}}
    with (
        running_service(APP_API, {k: v for k, v in environment.items() if k not in without["everything"]}) as first,
        running_service(
            APP_API, {k: v for k, v in environment.items() if k not in without["all but providers"]}
        ) as second,
    ):
        async with (
            httpx.AsyncClient(base_url=first.base_url, trust_env=False, timeout=30) as one,
            httpx.AsyncClient(base_url=second.base_url, trust_env=False, timeout=30) as two,
        ):
            yield {"everything": one, "all but providers": two}


async def test_f_oauth_04_06_and_27_nothing_is_configured(
    connector: Connector, lacking: dict[str, httpx.AsyncClient]
) -> None:
    admin = connector.platform.sign_in("111111111", "Admin", "Staff").headers
    service, path = lacking["everything"], f"/admin/oauth-providers/{connector.provider_id}"

    async def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await service.request(method, path, json=body, headers=admin)
        return answer.status_code, answer.json()

    assert await ask("GET", "/oauth/providers") == (200, {"providers": [], "total": 0})
    assert await ask("GET", "/oauth/connections") == (200, {"connections": []})
    assert await ask("GET", "/admin/oauth-providers/") == (200, {"providers": [], "total": 0})
    found = [
        await ask("GET", f"/oauth/connect/{connector.provider_id}"),
        await ask("GET", path),
        await ask("PATCH", path, {"client_secret": "x"}),
        await ask("DELETE", f"{path}?force=true"),
        await ask("GET", f"{path}/connections/count"),
        await ask("DELETE", f"/oauth/connections/{connector.provider_id}"),
    ]
    assert [status for status, _ in found] == [404] * len(found)
    assert (await ask("POST", "/admin/oauth-providers/", new(connector.provider_id)))[0] == 503


async def test_f_oauth_06_07_13_17_and_27_only_providers_are_configured(
    connector: Connector, lacking: dict[str, httpx.AsyncClient]
) -> None:
    connector.register()
    service, headers = lacking["all but providers"], connector.user.headers
    listed = (await service.get("/oauth/connections", headers=headers)).json()["connections"]
    assert [one["status"] for one in listed if one["provider_id"] == connector.provider_id] == ["revoked"]
    begun = await service.get(f"/oauth/connect/{connector.provider_id}", headers=headers)
    assert (begun.status_code, begun.json()["code"]) == (503, "service_unavailable")
    way = await service.get("/oauth/callback", params={"code": "c", "state": connector.pending()})
    told = dict(parse_qsl(urlsplit(way.headers["location"]).query))
    assert (way.status_code, told["error"]) == (302, "configuration_error")
    admin = connector.platform.sign_in("111111111", "Admin", "Staff").headers
    for method, path, body in (
        ("POST", "/admin/oauth-providers/", new(f"{connector.provider_id}-b")),
        ("PATCH", f"/admin/oauth-providers/{connector.provider_id}", {"client_secret": "x", "display_name": "N"}),
    ):
        answer = await service.request(method, path, json=body, headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert connector.provider_row["displayName"] != "N"
