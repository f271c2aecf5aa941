import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("Admin",)
BLOCK = 900
EVERYBODYS = "p-everybodys"
"""A provider that belongs to no case: a tool names one, and a process keeps the catalogue of tools for a while."""


def provider_id(case: Case) -> str:
    return f"p-{case.marker}"


PROVIDER = {"provider_id": provider_id}


def a_provider(platform: Platform, case: Case) -> Iterator[Thing]:
    keep_a_secret(platform, case)
    yield stored.oauth_provider(provider_id(case))


def a_provider_that_answers(platform: Platform, case: Case) -> Iterator[Thing]:
    keep_a_secret(platform, case)
    below = f"{platform.oauth.url}/{provider_id(case)}"
    yield stored.oauth_provider(provider_id(case), below, revocationEndpoint=f"{below}/revoke")


_kept: dict[str, int] = {}


def keep_a_secret(platform: Platform, case: Case) -> None:
    """For this case and many that follow, at once: cases run side by side, and all secrets are kept in one place."""
    arn, block = platform.variables["OAUTH_CLIENT_SECRETS_ARN"], int(case.marker) // BLOCK
    if _kept.get(arn) != block:
        _kept[arn] = block
        secrets = dict.fromkeys((f"p-{number}" for number in range((block - 1) * BLOCK, (block + 2) * BLOCK)), "S")
        secrets[EVERYBODYS] = "S"
        platform.boto("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(secrets))


def a_connection(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_provider_that_answers(platform, case)
    token = encrypted(platform)
    yield stored.oauth_connection(
        case.user_id, provider_id(case), accessTokenEncrypted=token, refreshTokenEncrypted=token
    )


def encrypted(platform: Platform) -> str:
    key = platform.variables["OAUTH_TOKEN_ENCRYPTION_KEY_ARN"]
    blob = platform.boto("kms").encrypt(KeyId=key, Plaintext=b"T1")["CiphertextBlob"]
    return base64.b64encode(blob).decode()


def on_the_way_back(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_provider_that_answers(platform, case)
    yield stored.oauth_state(f"state-{case.marker}", provider_id(case), case.user_id)


def a_secret(platform: Platform, case: Case) -> Iterator[Thing]:
    keep_a_secret(platform, case)
    yield from ()


def new(case: Case) -> dict[str, Any]:
    return {
        "provider_id": provider_id(case),
        "display_name": "New",
        "provider_type": "custom",
        "authorization_endpoint": "https://provider.example/authorize",
        "token_endpoint": "https://provider.example/token",
        "client_id": "cid",
        "client_secret": "SEC",
    }


def admins(
    name: str, operation: str, body: Any = None, query: Mapping[str, str] | None = None, **options: Any
) -> Scenario:
    return Scenario(name, Request(operation, body, PROVIDER, lambda _: query or {}, roles=ADMIN), **options)


KEYS_ARE_ENOUGH = {
    (f"dynamodb.Query {stored.OAUTH_TOKENS}", FaultKind.CORRUPT_ITEM): "Connections are deleted by their keys alone.",
    **{
        (f"dynamodb.DeleteItem {table}", FaultKind.CORRUPT_ITEM): "Nothing of what is deleted is needed any more."
        for table in (stored.OAUTH_TOKENS, stored.OAUTH_PROVIDERS)
    },
}

SCENARIOS = [
    Scenario("list providers to connect", Request("GET /oauth/providers"), a_provider),
    Scenario("list connections", Request("GET /oauth/connections"), a_connection),
    Scenario("begin to connect", Request("GET /oauth/connect/{provider_id}", fill=PROVIDER), a_provider),
    Scenario(
        "come back from a provider",
        Request(
            "GET /oauth/callback",
            query=lambda case: {"code": f"code-{case.marker}", "state": f"state-{case.marker}"},
        ),
        on_the_way_back,
        # A state is used up by the attempt.
        repeats=False,
    ),
    Scenario(
        "disconnect",
        Request("DELETE /oauth/connections/{provider_id}", fill=PROVIDER),
        a_connection,
        # It is done, although the answer was lost.
        repeats=False,
        harmless=KEYS_ARE_ENOUGH,
    ),
    admins("list all providers", "GET /admin/oauth-providers/", arrange=a_provider),
    admins("get provider", "GET /admin/oauth-providers/{provider_id}", arrange=a_provider),
    admins("create provider", "POST /admin/oauth-providers/", new, arrange=a_secret, repeats=False),
    admins(
        "change provider",
        "PATCH /admin/oauth-providers/{provider_id}",
        lambda case: {"display_name": "N", "client_secret": f"SEC-{case.marker}"},
        arrange=a_provider,
    ),
    admins(
        "delete provider",
        "DELETE /admin/oauth-providers/{provider_id}",
        query={"force": "true"},
        arrange=a_connection,
        repeats=False,
        harmless=KEYS_ARE_ENOUGH,
    ),
    admins("count connections", "GET /admin/oauth-providers/{provider_id}/connections/count", arrange=a_connection),
]
