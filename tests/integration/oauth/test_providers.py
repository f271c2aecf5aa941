"""The administration of providers: what is answered, and what is stored where."""

import asyncio
import json
import re
from typing import Any

import pytest

from tests.integration.oauth.conftest import ROLE_OF_TOKEN, Connector, secrets_of, write_secrets
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SCOPES = ["openid", "https://x/drive.readonly"]


def new(provider_id: str, **members: Any) -> dict[str, Any]:
    return {
        "provider_id": provider_id,
        "display_name": "Google W",
        "provider_type": "google",
        "authorization_endpoint": "https://acc.example/auth",
        "token_endpoint": "https://tok.example/token",
        "client_id": "cid",
        "client_secret": "SEC",
        "scopes": SCOPES,
        "allowed_roles": [],
        **members,
    }


@pytest.mark.parametrize("held", ["random-Text_of-a-fresh-deployment", "{}", '{"other": "theirs"}'])
async def test_example_1_a_new_provider(connector: Connector, held: str) -> None:
    write_secrets(connector.platform, held)
    answer = await connector.admin("POST", "", new(connector.provider_id))
    assert answer.status_code == 201
    shown = answer.json()
    assert MOMENT.fullmatch(shown["created_at"])
    assert shown == {
        **{name: value for name, value in new(connector.provider_id).items() if name != "client_secret"},
        "enabled": True,
        "icon_name": "heroLink",
        "userinfo_endpoint": None,
        "revocation_endpoint": None,
        "pkce_required": True,
        "created_at": shown["created_at"],
        "updated_at": shown["created_at"],
    }
    others = json.loads(held) if held.startswith("{") else {}
    assert json.loads(secrets_of(connector.platform)) == {**others, connector.provider_id: "SEC"}
    row = connector.provider_row
    assert (row["GSI1PK"], row["GSI1SK"]) == ("ENABLED#true", f"PROVIDER#{connector.provider_id}")
    assert (row["scopesHash"], row["userinfoEndpoint"], row["clientId"]) == ("350e9a5caa72c42c", None, "cid")
    assert "SEC" not in str(row)
    again = await connector.admin("POST", "", new(connector.provider_id))
    assert (again.status_code, again.json()["code"]) == (400, "bad_request")
    assert connector.provider_id in again.json()["detail"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("provider_id", "Bad_Id"),
        ("provider_type", "other"),
        ("display_name", ""),
        ("client_secret", ""),
        ("client_secret", "ключ"),
        ("client_secret", "pasted\n"),
        ("client_id", "a\tb"),
        ("token_endpoint", "http://tok.example/token"),
        ("token_endpoint", "https://user@tok.example/token"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("revocation_endpoint", "ftp://tok.example"),
        ("userinfo_endpoint", "https:///nothing"),
        ("token_endpoint", "https://tok.example/\ttoken"),
    ],
)
async def test_p6_and_d11_what_is_no_provider(connector: Connector, member: str, value: str) -> None:
    answer = await connector.admin("POST", "", {**new(connector.provider_id), member: value})
    assert (answer.status_code, answer.json()["field"]) == (422, f"body.{member}")
    assert connector.provider_row == {}


@pytest.mark.parametrize("secret", ["p+q%2F r:s", "sécret"])
async def test_t10_a_secret_may_be_any_latin_text(connector: Connector, secret: str) -> None:
    answer = await connector.admin("POST", "", new(connector.provider_id, client_secret=secret))
    assert answer.status_code == 201
    assert json.loads(secrets_of(connector.platform))[connector.provider_id] == secret


async def test_example_2_listing(connector: Connector) -> None:
    connector.register(displayName="b")
    other = f"{connector.provider_id}-a"
    connector.platform.store(stored.oauth_provider(other, displayName="A", enabled=False))
    redirect = await connector.platform.ask(
        connector.platform.sign_in("111111111", "Admin", "Staff"), "GET", "/admin/oauth-providers"
    )
    assert (redirect.status_code, redirect.headers["location"]) == (307, "/admin/oauth-providers/")
    for query, shown in (("", [other, connector.provider_id]), ("?enabled_only=true", [connector.provider_id])):
        listed = (await connector.admin("GET", query)).json()
        assert listed["total"] == len(listed["providers"])
        names = [one["provider_id"] for one in listed["providers"]]
        assert [name for name in names if name.startswith(connector.provider_id)] == shown
    refused = await connector.ask("GET", "/admin/oauth-providers/")
    assert refused.status_code == 403


async def test_example_3_who_may_use_a_provider(connector: Connector) -> None:
    connector.register()

    async def visible() -> bool:
        listed = (await connector.ask("GET", "/oauth/providers")).json()
        return any(one["provider_id"] == connector.provider_id for one in listed["providers"])

    changed = await connector.admin("PATCH", connector.provider_id, {"allowed_roles": ["faculty"], "icon_name": None})
    assert (changed.status_code, changed.json()["icon_name"]) == (200, "heroLink")
    connecting = await connector.ask("GET", f"/oauth/connect/{connector.provider_id}")
    assert (await visible(), connecting.status_code, connecting.json()["code"]) == (False, 403, "forbidden")
    await connector.admin("PATCH", connector.provider_id, {"allowed_roles": ["oauth_staff"]})
    assert await visible()
    await connector.admin("PATCH", connector.provider_id, {"enabled": False})
    connecting = await connector.ask("GET", f"/oauth/connect/{connector.provider_id}")
    assert (await visible(), connecting.status_code, connecting.json()["code"]) == (False, 400, "bad_request")
    assert connector.provider_row["GSI1PK"] == "ENABLED#false"
    unknown = await connector.ask("GET", "/oauth/connect/unknown-provider")
    assert (unknown.status_code, "unknown-provider" in unknown.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    "member", ["authorization_endpoint", "token_endpoint", "client_id", "client_secret", "display_name"]
)
async def test_a_change_leaves_nothing_blank(connector: Connector, member: str) -> None:
    connector.register()
    answer = await connector.admin("PATCH", connector.provider_id, {member: ""})
    assert (answer.status_code, answer.json()["field"]) == (422, f"body.{member}")


async def test_a_change(connector: Connector) -> None:
    connector.register(revocationEndpoint="https://tok.example/revoke", ofAnotherVersion="kept")
    before = connector.provider_row
    # As the web form sends it: the plain address that was stored before stays accepted.
    body = {
        "token_endpoint": before["tokenEndpoint"],
        "scopes": SCOPES,
        "revocation_endpoint": "",
        "provider_type": "x",
    }
    answer = await connector.admin("PATCH", connector.provider_id, {**body, "client_secret": "NEW"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["revocation_endpoint"], answer.json()["provider_type"]) == (None, "custom")
    row = connector.provider_row
    assert (row["scopesHash"], row["revocationEndpoint"], row["ofAnotherVersion"]) == ("350e9a5caa72c42c", None, "kept")
    assert (row["createdAt"], row["updatedAt"] > before["updatedAt"]) == (before["createdAt"], True)
    assert json.loads(secrets_of(connector.platform))[connector.provider_id] == "NEW"
    changed = await connector.admin("PATCH", connector.provider_id, {"token_endpoint": "http://other.example/t"})
    assert (changed.status_code, changed.json()["field"]) == (422, "body.token_endpoint")
    unknown = await connector.admin("PATCH", "unknown-provider", {"client_secret": "NEW"})
    assert (unknown.status_code, "unknown-provider" in secrets_of(connector.platform)) == (404, False)


async def test_example_13_deleting_and_counting(connector: Connector) -> None:
    connector.register()
    connector.platform.store(stored.oauth_connection(connector.user.user_id, connector.provider_id))
    path = connector.provider_id
    counted = await connector.admin("GET", f"{path}/connections/count")
    assert counted.json() == {"provider_id": path, "connection_count": 1}
    refused = await connector.admin("DELETE", path)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert "1 user" in refused.json()["detail"]
    with connector.platform.proxy.injecting(Fault(FaultKind.THROTTLED, "secretsmanager", "PutSecretValue")):
        failed = await connector.admin("DELETE", f"{path}?force=true")
    assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable")
    assert (await connector.admin("GET", path)).status_code == 200
    assert (await connector.admin("DELETE", f"{path}?force=true")).status_code == 204
    assert (connector.row, connector.provider_row) == ({}, {})
    assert path not in secrets_of(connector.platform)
    for method, rest in (("GET", "/connections/count"), ("GET", ""), ("DELETE", ""), ("DELETE", "?force=true")):
        gone = await connector.admin(method, f"{path}{rest}")
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


async def test_f_oauth_34_a_secret_that_is_not_there_may_be_deleted(connector: Connector) -> None:
    connector.platform.store(stored.oauth_provider(connector.provider_id))
    write_secrets(connector.platform, "random text")
    assert (await connector.admin("DELETE", connector.provider_id)).status_code == 204


async def test_f_oauth_35_a_user_who_stays_keeps_the_provider(connector: Connector) -> None:
    connector.register()
    others = [f"{connector.user.user_id}-{number}" for number in range(40)]
    connector.platform.store(*(stored.oauth_connection(one, connector.provider_id) for one in others))
    fault = Fault(FaultKind.THROTTLED, "dynamodb", "DeleteItem", containing=others[20])
    with connector.platform.proxy.injecting(fault):
        failed = await connector.admin("DELETE", f"{connector.provider_id}?force=true")
    assert failed.status_code == 503
    assert connector.provider_row
    assert (await connector.admin("DELETE", f"{connector.provider_id}?force=true")).status_code == 204
    left = [connector.platform.items(stored.OAUTH_TOKENS, f"USER#{one}") for one in others]
    assert left == [[]] * 40


@pytest.mark.parametrize("held", ['{"other":"theirs",}', '{"other":'])
async def test_f_oauth_28_and_s2_damaged_secrets_of_others_are_not_overwritten(connector: Connector, held: str) -> None:
    write_secrets(connector.platform, held)
    answer = await connector.admin("POST", "", new(connector.provider_id))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert (secrets_of(connector.platform), connector.provider_row) == (held, {})
    assert "theirs" not in json.dumps(await connector.logged(answer))
    write_secrets(connector.platform, "{}")


@pytest.mark.parametrize("held", ["[]", '"x"', "null", "5"])
async def test_s2_what_is_no_object_holds_no_secrets(connector: Connector, held: str) -> None:
    write_secrets(connector.platform, held)
    assert (await connector.admin("POST", "", new(connector.provider_id))).status_code == 201
    assert json.loads(secrets_of(connector.platform)) == {connector.provider_id: "SEC"}


async def test_s3_there_is_no_room_for_more(connector: Connector) -> None:
    held = json.dumps({"full": "x" * 65_510})
    write_secrets(connector.platform, held)
    answer = await connector.admin("POST", "", new(connector.provider_id))
    assert (answer.status_code, "65,536" in answer.json()["detail"]) == (400, True)
    assert (secrets_of(connector.platform), connector.provider_row) == (held, {})
    write_secrets(connector.platform, "{}")


async def test_s1_two_administrators_at_once(connector: Connector) -> None:
    write_secrets(connector.platform, "{}")
    ids = [f"{connector.provider_id}-{number}" for number in range(4)]
    answers = await asyncio.gather(*(connector.admin("POST", "", new(one)) for one in ids))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert set(json.loads(secrets_of(connector.platform))) == set(ids)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(FaultKind.ACCESS_DENIED, "secretsmanager", "PutSecretValue"), 500),
        (Fault(FaultKind.THROTTLED, "secretsmanager", "GetSecretValue", nth=1), 503),
        (Fault(FaultKind.THROTTLED, "dynamodb", "PutItem"), 503),
    ],
    ids=["F-OAUTH-29 denied", "F-OAUTH-29 unreadable", "F-OAUTH-30"],
)
async def test_nothing_is_left_of_a_provider_that_could_not_be_created(
    connector: Connector, fault: Fault, status: int
) -> None:
    write_secrets(connector.platform, "{}")
    with connector.platform.proxy.injecting(fault):
        answer = await connector.admin("POST", "", new(connector.provider_id))
    assert answer.status_code == status
    assert (secrets_of(connector.platform), connector.provider_row) == ("{}", {})
    assert (await connector.admin("POST", "", new(connector.provider_id))).status_code == 201


@pytest.mark.parametrize("row", ["F-OAUTH-31", "F-OAUTH-32"])
async def test_a_rotation_that_fails(connector: Connector, row: str) -> None:
    connector.register()
    before = connector.provider_row
    failing = ("secretsmanager", "PutSecretValue") if row == "F-OAUTH-31" else ("dynamodb", "UpdateItem")
    with connector.platform.proxy.injecting(Fault(FaultKind.THROTTLED, *failing)):
        answer = await connector.admin("PATCH", connector.provider_id, {"client_secret": "NEW", "display_name": "N"})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert connector.provider_row == before
    kept = json.loads(secrets_of(connector.platform))[connector.provider_id]
    assert (kept, "secret was changed" in answer.json()["detail"]) == (
        ("SEC", False) if row == "F-OAUTH-31" else ("NEW", True)
    )


async def test_f_oauth_03_a_provider_that_cannot_be_read(connector: Connector) -> None:
    connector.register(providerType="unheard-of")
    listed = await connector.ask("GET", "/oauth/providers")
    assert (listed.status_code, listed.json()["code"]) == (500, "internal_error")
    record = await connector.logged(listed)
    assert record["key"] == f"PROVIDER#{connector.provider_id} / CONFIG"
    connector.platform.boto("dynamodb").delete_item(
        TableName=connector.platform.variables[stored.OAUTH_PROVIDERS],
        Key={"PK": {"S": f"PROVIDER#{connector.provider_id}"}, "SK": {"S": "CONFIG"}},
    )


async def test_administrators_are_named_in_the_log(connector: Connector) -> None:
    write_secrets(connector.platform, "{}")
    answers = [
        await connector.admin("POST", "", new(connector.provider_id)),
        await connector.admin("PATCH", connector.provider_id, {"display_name": "N", "client_secret": "HIDDEN-SECRET"}),
        await connector.admin("DELETE", connector.provider_id),
    ]
    events: list[tuple[str, str]] = []
    for answer in answers:
        records = await connector.records(answer)
        assert "HIDDEN-SECRET" not in json.dumps(records)
        events += [(one["event"], one["admin_user_id"]) for one in records if "event" in one]
    assert events == [(f"oauth_provider_{what}", "111111111") for what in ("created", "updated", "deleted")]


async def test_round_trips_of_a_list(connector: Connector, tables: Platform) -> None:
    connector.register()
    with tables.proxy.recording() as recording:
        await connector.admin("GET")
        assert [call.target.operation for call in recording.calls] == ["Scan"]
    with tables.proxy.recording() as recording:
        await connector.ask("GET", "/oauth/connections")
    on_oauth = [call for call in recording.calls if "oauth" in str(call.target.table)]
    assert sorted(call.target.operation for call in on_oauth) == ["Query", "Query"]
    assert ROLE_OF_TOKEN in str([call.text for call in recording.calls])
