"""Connecting: the way to the provider, the way back, and what is stored then."""

import asyncio
import base64
import hashlib
import json
import re
import time
from typing import Any

import httpx
import pytest

from tests.integration.oauth.conftest import SETTINGS_PAGE, Connector, soon, write_secrets
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.oauth_server import Answer, Answering, Request, answer, granted, refused
from tests.support.platform import Platform, until

SCOPES = ["openid", "https://x/drive.readonly"]
PAGE = "https://app.example.edu/settings/oauth/callback"


def without_connection(connector: Connector) -> dict[str, Any]:
    return {
        "provider_id": connector.provider_id,
        "display_name": f"Provider {connector.provider_id}",
        "provider_type": "custom",
        "icon_name": "heroLink",
        "status": "revoked",
        "connected_at": None,
        "needs_reauth": False,
    }


async def test_example_4_before_connecting(connector: Connector) -> None:
    connector.register()
    assert await connector.connections() == [without_connection(connector)]


async def test_example_5_the_address_of_the_page(connector: Connector) -> None:
    connector.register(authorizationEndpoint="https://acc.example/auth", scopes=SCOPES)
    path = f"/oauth/connect/{connector.provider_id}"
    begun = await connector.ask("GET", path, redirect=PAGE)
    assert (begun.status_code, begun.headers["cache-control"]) == (200, "no-store")
    sent = await connector.begin(redirect=PAGE)
    item = connector.platform.item(stored.STATES, f"STATE#{sent['state']}", f"STATE#{sent['state']}")
    digest = hashlib.sha256(item["code_verifier"].encode()).digest()
    assert sent["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert {len(sent["state"]), len(item["code_verifier"]), len(sent["code_challenge"])} == {43}
    assert (item["nonce"], item["redirect_uri"]) == (f"{connector.provider_id}|{connector.user.user_id}", PAGE)
    assert abs(item["expiresAt"] - time.time() - 600) < 30
    url = begun.json()["authorization_url"]
    state, challenge = (url.partition(f"&{name}=")[2].partition("&")[0] for name in ("state", "code_challenge"))
    assert url == (
        "https://acc.example/auth?client_id=cid&redirect_uri=https%3A%2F%2Fapi.example.edu%2Foauth%2Fcallback"
        "&response_type=code&scope=openid%20https%3A%2F%2Fx%2Fdrive.readonly"
        f"&state={state}&code_challenge={challenge}&code_challenge_method=S256"
    )
    cookie = begun.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "secure", "samesite=lax", "max-age=600", "path=/oauth/callback"))
    assert state.lower() not in cookie


async def test_a_page_with_a_query_and_without_pkce(connector: Connector) -> None:
    connector.register(authorizationEndpoint="https://acc.example/auth?access_type=offline", pkceRequired=False)
    begun = await connector.ask("GET", f"/oauth/connect/{connector.provider_id}")
    url = begun.json()["authorization_url"]
    assert url.startswith("https://acc.example/auth?access_type=offline&client_id=cid&")
    assert "code_challenge" not in url
    sent = await connector.begin()
    item = connector.platform.item(stored.STATES, f"STATE#{sent['state']}", f"STATE#{sent['state']}")
    assert item.keys().isdisjoint({"code_verifier", "redirect_uri"})


@pytest.mark.parametrize("page", ["https://evil.example/", "https://app.example.edu\\@evil.example/"])
async def test_b7_a_page_that_is_not_ours(connector: Connector, page: str) -> None:
    connector.register()
    begun = await connector.ask("GET", f"/oauth/connect/{connector.provider_id}", redirect=page)
    assert (begun.status_code, begun.json()["code"], begun.json()["field"]) == (400, "bad_request", "query.redirect")
    # As a state of an earlier version may hold it.
    way = await connector.connect(redirect_uri=page)
    assert (way.base, way.query["success"]) == (SETTINGS_PAGE, "true")


@pytest.mark.parametrize("page", ["https://APP.example.edu:443/cb?x=1", "https://beta.boisestate.ai/back?x=1"])
async def test_b7_a_page_of_ours_keeps_its_query(connector: Connector, page: str) -> None:
    connector.register()
    sent = await connector.begin(redirect=page)
    way = await connector.come_back(code="abc", state=sent["state"])
    assert way.answer.headers["location"] == f"{page}&success=true&provider={connector.provider_id}"


async def test_example_6_a_code_becomes_a_connection_once(connector: Connector) -> None:
    connector.register(scopes=SCOPES, scopesHash="350e9a5caa72c42c")
    sent = await connector.begin()
    item = connector.platform.item(stored.STATES, f"STATE#{sent['state']}", f"STATE#{sent['state']}")
    way = await connector.come_back(code="abc", state=sent["state"], scope="granted", iss="https://i")
    assert (way.base, way.query) == (SETTINGS_PAGE, {"success": "true", "provider": connector.provider_id})
    assert way.answer.headers["cache-control"] == "no-store"
    (request,) = connector.token_requests
    assert request.headers["authorization"] == "Basic Y2lkOlNFQw=="
    assert request.headers["accept"] == "application/json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded;charset=UTF-8"
    assert request.body.decode() == (
        "grant_type=authorization_code&redirect_uri=https%3A%2F%2Fapi.example.edu%2Foauth%2Fcallback&code=abc"
        f"&code_verifier={item['code_verifier']}"
    )
    row = connector.row
    assert (row["status"], row["tokenType"], row["scopesHash"]) == ("connected", "Bearer", "350e9a5caa72c42c")
    assert (row["GSI1PK"], row["GSI1SK"]) == (
        f"PROVIDER#{connector.provider_id}",
        f"USER#{connector.user.user_id}",
    )
    assert abs(row["expiresAt"] - time.time() - 3600) < 30
    assert [connector.decrypted(f"{name}TokenEncrypted") for name in ("access", "refresh")] == ["AT1", "RT1"]
    (shown,) = await connector.connections()
    assert (shown["status"], shown["connected_at"], shown["needs_reauth"]) == ("connected", row["connectedAt"], False)
    again = await connector.come_back(code="abc", state=sent["state"])
    assert again.answer.headers["location"] == f"{SETTINGS_PAGE}?error=invalid_state&provider="
    assert (connector.row, len(connector.token_requests)) == (row, 1)


async def test_round_trips_of_a_connection(connector: Connector) -> None:
    connector.register()
    with connector.platform.proxy.recording() as recording:
        await connector.begin()
    ours = {connector.platform.variables[table] for table in (stored.OAUTH_PROVIDERS, stored.STATES)}
    assert [call.target.operation for call in recording.calls if call.target.table in ours] == ["GetItem", "PutItem"]
    state = connector.pending()
    with connector.platform.proxy.recording() as recording:
        await connector.come_back(code="abc", state=state)
    assert [call.target.operation for call in recording.calls][:1] == ["DeleteItem"]
    assert sorted(call.target.operation for call in recording.calls) == [
        "DeleteItem",
        "Encrypt",
        "Encrypt",
        "GetItem",
        "GetSecretValue",
        "TransactWriteItems",
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"error": "missing_params"}),
        ({"code": "a"}, {"error": "missing_params"}),
        ({"state": "s"}, {"error": "missing_params"}),
        ({"code": "", "state": ""}, {"error": "missing_params"}),
        ([("code", "a"), ("code", "b"), ("state", "s")], {"error": "missing_params"}),
        ({"code": "a", "state": "unknown"}, {"error": "invalid_state", "provider": ""}),
        ({"code": "a", "state": "nul\0"}, {"error": "invalid_state", "provider": ""}),
        ({"code": "a", "state": "é"}, {"error": "invalid_state", "provider": ""}),
        ({"code": "a", "state": "s" * 5_000}, {"error": "invalid_state", "provider": ""}),
        ({"code": "a" * 20_000, "state": "s"}, {"error": "invalid_state", "provider": ""}),
        ({"error": "access_denied", "error_description": "no way", "state": "x"}, {"error": "access_denied"}),
        ({"error": "<script>", "error_description": "x" * 5_000}, {"error": "invalid_request"}),
        ({"error": "a\r\nSet-Cookie:x", "state": "x"}, {"error": "invalid_request"}),
    ],
    ids=lambda value: str(value)[:60] if value else "nothing",
)
async def test_example_7_b5_and_b6_what_is_no_way_back(connector: Connector, query: Any, shown: dict[str, str]) -> None:
    way = await connector.come_back(query)
    described = {"error_description": ""} if shown["error"] in {"access_denied", "invalid_request"} else {}
    assert (way.base, way.query) == (SETTINGS_PAGE, {**shown, **described})
    assert "set-cookie" not in way.answer.headers


async def test_half_a_character_is_no_reason_for_an_error_page(connector: Connector) -> None:
    sent = await connector.platform.app_api.http.get("/oauth/callback?code=a&state=%ED%A0%80")
    assert sent.status_code == 302


@pytest.mark.parametrize("error", ["access_denied", "<script>"])
async def test_row_1_a_refusal_goes_where_the_user_comes_from(connector: Connector, error: str) -> None:
    connector.register()
    state = connector.pending(redirect_uri=f"{PAGE}?x=1")
    query = {"error": error, "error_description": "w" * 5_000, "code": "abc", "state": state}
    way = await connector.come_back(query)
    name = error if error == "access_denied" else "invalid_request"
    expected = {"x": "1", "error": name, "error_description": "w" * 200, "provider": connector.provider_id}
    assert (way.query, connector.token_requests) == (expected, [])
    assert (await connector.connect_with(state)).query["error"] == "invalid_state", "the state is used up"


@pytest.mark.parametrize("nonce", ["nonce-of-a-sign-in", stored.LEFT_OUT])
async def test_b5_a_state_of_a_sign_in(connector: Connector, nonce: Any) -> None:
    connector.register()
    way = await connector.connect(nonce=nonce)
    assert (way.query["error"], connector.token_requests) == ("invalid_state", [])


async def test_b5_a_state_of_a_connection_is_none_of_a_sign_in(connector: Connector) -> None:
    sent = await connector.platform.app_api.http.post("/auth/token", json={"code": "c", "state": connector.pending()})
    assert (sent.status_code, sent.json()["code"]) == (400, "bad_request")


async def test_an_expired_state(connector: Connector) -> None:
    connector.register()
    assert (await connector.connect(expiresAt=soon(-1))).query["error"] == "invalid_state"


async def test_b1_the_same_way_back_twice_at_once(connector: Connector) -> None:
    connector.register()
    state = connector.pending()
    ways = await asyncio.gather(*(connector.connect_with(state) for _ in range(5)))
    outcomes = sorted(way.query.get("error", "success") for way in ways)
    assert outcomes == ["invalid_state"] * 4 + ["success"]
    assert (len(connector.token_requests), connector.row["status"]) == (1, "connected")


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
async def test_p9_a_browser_that_looks_ahead_uses_nothing_up(connector: Connector, header: str) -> None:
    connector.register()
    state = connector.pending()
    ahead = await connector.come_back(code="abc", state=state, headers={header: "prefetch;prerender"})
    assert (ahead.query["error"], connector.token_requests) == ("invalid_state", [])
    assert (await connector.connect_with(state)).query["success"] == "true"


async def test_b2_a_browser_that_leaves_is_connected_all_the_same(connector: Connector) -> None:
    connector.register()
    connector.answers(answer(json.loads(granted().body), delay=0.4))
    state = connector.pending()
    async with httpx.AsyncClient(base_url=connector.platform.app_api.process.base_url, trust_env=False) as leaving:
        with pytest.raises(httpx.ReadTimeout):
            await leaving.get("/oauth/callback", params={"code": "abc", "state": state}, timeout=0.2)

    async def is_connected() -> bool:
        return bool(connector.row)

    await until(is_connected)


async def test_b3_and_b4_several_tabs_and_another_browser(connector: Connector) -> None:
    connector.register()

    async def begin() -> tuple[str, str]:
        begun = await connector.ask("GET", f"/oauth/connect/{connector.provider_id}")
        state = begun.json()["authorization_url"].partition("&state=")[2].partition("&")[0]
        return state, begun.headers["set-cookie"].partition(";")[0]

    (first, cookie_of_first), (second, cookie_of_second), (foreign, _) = [await begin() for _ in range(3)]
    both = {"Cookie": f"{cookie_of_first}; theme=dark; {cookie_of_second}"}
    refused_there = await connector.come_back(code="abc", state=foreign, headers=both)
    assert (refused_there.query["error"], connector.token_requests) == ("invalid_state", [])
    assert (await connector.connect_with(foreign)).query["error"] == "invalid_state", "not usable any more"
    ways = [await connector.come_back(code="abc", state=state, headers=both) for state in (second, first)]
    assert [one.query["success"] for one in ways] == ["true", "true"]
    way = ways[-1]
    assert cookie_of_first.partition("=")[0] in way.answer.headers["set-cookie"]
    assert "max-age=0" in way.answer.headers["set-cookie"].lower()
    theirs = await begin()
    other = await connector.come_back(code="abc", state=theirs[0], headers={"Cookie": "theme=dark"})
    assert other.query["success"] == "true", "a browser without such a cookie"


@pytest.mark.parametrize(
    ("registered", "secrets", "error"),
    [
        ({"enabled": False}, '{"%s": "SEC"}', "configuration_error"),
        (None, '{"%s": "SEC"}', "provider_not_found"),
        ({}, "{}", "configuration_error"),
        ({}, "random text", "configuration_error"),
        ({}, '{"%s": "SEC",}', "configuration_error"),
        ({}, '{"%s": {"a": 1}}', "configuration_error"),
        ({}, '{"%s": "ключ"}', "configuration_error"),
    ],
    ids=["disabled", "deleted", "F-OAUTH-13 no secret", "F-OAUTH-13 fresh", "F-OAUTH-14 damaged", "S2", "T10"],
)
async def test_rows_4_5_and_b8_what_is_missing_at_the_way_back(
    connector: Connector, registered: dict[str, Any] | None, secrets: str, error: str
) -> None:
    if registered is not None:
        connector.register(**registered)
    write_secrets(connector.platform, secrets.replace("%s", connector.provider_id))
    way = await connector.connect()
    assert way.query == {"error": error, "provider": connector.provider_id}
    assert (connector.token_requests, connector.row) == ([], {})
    write_secrets(connector.platform, "{}")


async def test_b8_what_was_changed_meanwhile_counts(connector: Connector) -> None:
    connector.register()
    state = (await connector.begin())["state"]
    await connector.admin("PATCH", connector.provider_id, {"client_secret": "NEW", "client_id": "other"})
    assert (await connector.connect_with(state)).query["success"] == "true"
    assert connector.token_requests[0].credentials == "other:NEW"


async def test_b8_nothing_is_left_of_a_provider_that_is_deleted_meanwhile(connector: Connector) -> None:
    connector.register()

    def delete_it(_: Request) -> Answer:
        connector.platform.boto("dynamodb").delete_item(
            TableName=connector.platform.variables[stored.OAUTH_PROVIDERS],
            Key={"PK": {"S": f"PROVIDER#{connector.provider_id}"}, "SK": {"S": "CONFIG"}},
        )
        return granted()

    connector.answers(delete_it)
    assert (await connector.connect()).query["error"] == "provider_not_found"
    assert connector.row == {}


REFUSED, NO_TOKEN = "token_exchange_failed", "no_access_token"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
ANSWERS: list[tuple[str, Answering, str]] = [
    ("example 8", refused("invalid_grant"), REFUSED),
    ("T1 200 with an error", refused("bad_verification_code", 200), REFUSED),
    ("T1 ok false", answer({"ok": False, "error": "invalid_code"}), REFUSED),
    ("T4 no token", granted(None), NO_TOKEN),
    ("T4 empty", granted(""), NO_TOKEN),
    ("T4 a number", granted(12), NO_TOKEN),
    ("T4 a header", granted("AT\r\nX: y"), NO_TOKEN),
    ("T4 a blank", granted("AT "), NO_TOKEN),
    ("T6 an outage", answer(b"<html>", 502, content_type="text/html"), REFUSED),
    ("T6 an outage in JSON", refused("invalid_grant", 500), REFUSED),
    ("T6 throttled", answer({}, 429), REFUSED),
    ("T6 a page", answer(b"<html>sign in</html>", content_type="text/html"), REFUSED),
    ("T6 empty", answer(b""), REFUSED),
    ("T6 no content", answer(b"", 204), REFUSED),
    ("T6 cut", answer(b'{"access_token": "AT'), REFUSED),
    ("T6 elsewhere", answer(b"", 302, headers={"Location": "https://other.example/token"}), REFUSED),
    ("T6 blanks", answer({}, blanks=4_000_000), REFUSED),
    ("F-OAUTH-15 reset", Answer(resets=True), REFUSED),
    ("F-OAUTH-40 words", granted(expires_in="1 hour"), REFUSED),
    ("F-OAUTH-40 a list", granted(expires_in=[3600]), REFUSED),
]


@pytest.mark.parametrize(("given", "error"), [one[1:] for one in ANSWERS], ids=[one[0] for one in ANSWERS])
async def test_answers_without_tokens(connector: Connector, given: Answering, error: str) -> None:
    connector.register()
    connector.answers(given)
    way = await connector.connect()
    assert way.query == {"error": error, "provider": connector.provider_id}
    assert (len(connector.token_requests), connector.row) == (1, {})
    record = await connector.logged(way.answer)
    assert (record["status"], record["provider_id"], record["told"]) == (302, connector.provider_id, error)
    assert record["user_id"] == connector.user.user_id
    # Of random ids, any may hold the few letters of a code.
    told = re.sub(r"[0-9a-f]{12,}", "", json.dumps(record))
    assert not any(secret in told for secret in ("AT", "RT1", "SEC", "verifier", "abc", "said by"))


GOOD: list[tuple[str, Answering, dict[str, Any]]] = [
    ("P1 form", answer(b"access_token=AT&scope=a%2Cb&token_type=bearer", content_type=FORM), {"tokenType": "bearer"}),
    ("P3 nested", answer({"ok": True, "authed_user": {"access_token": "AT", "scope": "a,b"}}), {}),
    ("T4 null", granted("AT", "", token_type=None, expires_in=None), {}),
    ("T3 zero", granted("AT", None, expires_in=0), {"tokenType": "Bearer"}),
    ("T3 negative", granted("AT", None, expires_in=-5), {}),
    ("T3 too long", granted("AT", None, expires_in=99999999999999), {}),
    ("T3 infinite", answer(b'{"access_token": "AT", "expires_in": 1e400}'), {}),
    ("T8 scope", granted("AT", None, expires_in="", scope=["openid"]), {"scopesHash": stored.NO_SCOPES_HASH}),
]


@pytest.mark.parametrize(("given", "expected"), [one[1:] for one in GOOD], ids=[one[0] for one in GOOD])
async def test_unusual_answers_with_tokens(connector: Connector, given: Answering, expected: dict[str, Any]) -> None:
    connector.register()
    connector.answers(given)
    assert (await connector.connect()).query["success"] == "true"
    row = connector.row
    assert connector.decrypted("accessTokenEncrypted") == "AT"
    assert row.keys().isdisjoint({"expiresAt", "refreshTokenEncrypted"})
    assert {name: row[name] for name in expected} == expected
    (shown,) = await connector.connections()
    assert (shown["status"], shown["needs_reauth"]) == ("connected", False)


@pytest.mark.parametrize("size", [4096, 4097])
async def test_t12_tokens_of_any_length(connector: Connector, size: int) -> None:
    connector.register()
    connector.answers(granted("x" * size))
    assert (await connector.connect()).query["success"] == "true"
    assert connector.row["accessTokenEncrypted"].startswith("ENV1:") == (size > 4096)


async def test_t11_and_p7_scopes_that_were_changed_meanwhile(connector: Connector) -> None:
    connector.register()
    state = (await connector.begin())["state"]
    await connector.admin("PATCH", connector.provider_id, {"scopes": ["more"]})
    assert (await connector.connect_with(state)).query["success"] == "true"
    (shown,) = await connector.connections()
    assert (shown["status"], shown["needs_reauth"]) == ("needs_reauth", True)


def id_token(subject: str, audience: str = "cid") -> str:
    claims = json.dumps({"iss": "https://i", "sub": subject, "aud": audience}).encode()
    head, body = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', claims))
    return f"{head}.{body}.c2ln"


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (id_token("ada"), True),
        (id_token("bob"), False),
        (id_token("ada", "another client"), False),
        ("no.id.token", False),
        (None, False),
    ],
    ids=["same account", "another account", "another client", "unreadable", "T9"],
)
async def test_p5_a_second_consent_without_a_refresh_token(
    connector: Connector, second: str | None, kept: bool
) -> None:
    connector.register()
    connector.answers(granted("AT0", "RT0", id_token=id_token("ada")))
    await connector.connect()
    connector.answers(granted("AT9", None, id_token=second))
    await connector.connect()
    assert connector.decrypted("accessTokenEncrypted") == "AT9"
    assert ("refreshTokenEncrypted" in connector.row) == kept
    if kept:
        assert connector.decrypted("refreshTokenEncrypted") == "RT0"


FAULTS = [
    ("F-OAUTH-10", Fault(FaultKind.THROTTLED, "dynamodb", "DeleteItem"), "server_error"),
    ("F-OAUTH-12", Fault(FaultKind.THROTTLED, "dynamodb", "GetItem"), "server_error"),
    ("F-OAUTH-14", Fault(FaultKind.ACCESS_DENIED, "secretsmanager", "GetSecretValue"), "server_error"),
    ("F-OAUTH-16", Fault(FaultKind.ACCESS_DENIED, "kms", "Encrypt"), "server_error"),
    ("F-OAUTH-17", Fault(FaultKind.THROTTLED, "dynamodb", "TransactWriteItems"), "server_error"),
]


@pytest.mark.parametrize(("fault", "error"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS])
async def test_example_8_a_store_that_fails_at_the_way_back(connector: Connector, fault: Fault, error: str) -> None:
    connector.register()
    state = connector.pending()
    with connector.platform.proxy.injecting(fault) as injection:
        way = await connector.connect_with(state)
    provider = "" if fault.operation == "DeleteItem" else connector.provider_id
    assert (injection.hits > 0, way.query) == (True, {"error": error, "provider": provider})
    assert connector.row == {}
    assert not [word for word in connector.platform.internals if word in way.answer.headers["location"]]
    record = await connector.logged(way.answer)
    assert (record["status"], record["code"] in {"service_unavailable", "internal_error"}) == (302, True)


USER_FAULTS = [
    ("F-OAUTH-01", "/oauth/providers", Fault(FaultKind.THROTTLED, "dynamodb", table=stored.ROLES)),
    ("F-OAUTH-02", "/oauth/providers", Fault(FaultKind.THROTTLED, "dynamodb", table=stored.OAUTH_PROVIDERS)),
    ("F-OAUTH-05", "/oauth/connections", Fault(FaultKind.THROTTLED, "dynamodb", table=stored.OAUTH_TOKENS)),
    ("F-OAUTH-09", "/oauth/connect/{}", Fault(FaultKind.THROTTLED, "dynamodb", "PutItem", table=stored.STATES)),
]


@pytest.mark.parametrize(("path", "fault"), [one[1:] for one in USER_FAULTS], ids=[one[0] for one in USER_FAULTS])
async def test_example_14_a_store_that_fails_is_told(connector: Connector, path: str, fault: Fault) -> None:
    connector.register()
    table = connector.platform.variables[str(fault.table)]
    with connector.platform.proxy.injecting(Fault(fault.kind, fault.service, fault.operation, table)):
        told = await connector.ask("GET", path.format(connector.provider_id))
    assert (told.status_code, told.json()["code"]) == (503, "service_unavailable")
    assert (await connector.logged(told))["code"] == "service_unavailable"


async def test_example_12_disconnecting(connector: Connector) -> None:
    connector.register(revocationEndpoint=f"{connector.url}/revoke")
    connector.answers(answer({}, 500), "revoke")
    await connector.connect()
    path = f"/oauth/connections/{connector.provider_id}"
    with connector.platform.proxy.injecting(Fault(FaultKind.THROTTLED, "dynamodb", "DeleteItem")):
        failed = await connector.ask("DELETE", path)
    assert (failed.status_code, connector.row["status"]) == (503, "connected")
    gone = await connector.ask("DELETE", path)
    assert (gone.status_code, connector.row) == (204, {})
    suppressed = [one for one in await connector.records(gone) if one["message"] == "suppressed failure"]
    assert suppressed[0]["context"]["provider_id"] == connector.provider_id
    for request in connector.platform.oauth.of(f"/{connector.provider_id}/revoke"):
        assert request.body.decode() == "token=RT1&client_id=cid&client_secret=SEC"
        assert "authorization" not in request.headers
    again = await connector.ask("DELETE", path)
    assert (again.status_code, connector.provider_id in again.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.ACCESS_DENIED, "kms", "Decrypt"),
        Fault(FaultKind.THROTTLED, "secretsmanager", "GetSecretValue"),
        Fault(FaultKind.THROTTLED, "dynamodb", "GetItem", table=stored.OAUTH_PROVIDERS),
    ],
    ids=["F-OAUTH-24", "F-OAUTH-25 secret", "F-OAUTH-25 provider"],
)
async def test_what_cannot_be_revoked_is_disconnected(connector: Connector, fault: Fault) -> None:
    connector.register(revocationEndpoint=f"{connector.url}/revoke")
    await connector.connect()
    table = connector.platform.variables[fault.table] if fault.table else None
    with connector.platform.proxy.injecting(Fault(fault.kind, fault.service, fault.operation, table)) as injection:
        gone = await connector.ask("DELETE", f"/oauth/connections/{connector.provider_id}")
    assert (gone.status_code, injection.hits > 0, connector.row) == (204, True, {})


async def test_a_connection_to_a_provider_that_is_gone(connector: Connector, tables: Platform) -> None:
    tables.store(stored.oauth_connection(connector.user.user_id, connector.provider_id))
    assert await connector.connections() == []
    assert (await connector.ask("DELETE", f"/oauth/connections/{connector.provider_id}")).status_code == 204
    too_long = await connector.ask("DELETE", f"/oauth/connections/{'x' * 1_100}")
    assert too_long.status_code == 404


async def test_example_11_other_scopes(connector: Connector) -> None:
    connector.register()
    await connector.connect()
    await connector.admin("PATCH", connector.provider_id, {"scopes": ["a", "b"]})
    (shown,) = await connector.connections()
    assert (shown["status"], shown["needs_reauth"]) == ("needs_reauth", True)
