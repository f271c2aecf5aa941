"""Every check of an access token, from outside."""

import base64
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from devstack.services import Service
from tests.integration.auth.conftest import bearer
from tests.support.identity_provider import EMPLOYEE_NUMBER, Answer, IdentityProvider, SigningKey

ADA = {
    "email": "ada@example.edu",
    "user_id": "123456789",
    "name": "Ada Lovelace",
    "roles": ["Staff"],
    "picture": None,
}


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="valid"),
        pytest.param({"exp": -30}, id="expired within the clock skew"),
        pytest.param({"nbf": 30}, id="valid within the clock skew"),
        pytest.param({"iat": 30}, id="issued within the clock skew"),
        pytest.param({"nbf": None, "iat": None, "sub": None}, id="nbf, iat and sub are optional"),
        pytest.param({"aud": "client-0815"}, id="audience without api://"),
        pytest.param({"aud": ["x", "client-0815"]}, id="one of several audiences"),
        pytest.param({"scp": "Other Read  More"}, id="one of several scopes"),
        pytest.param({"scp": "Mail.Send Read"}, id="a2 scope at the end"),
        pytest.param({"iat": 45, "nbf": 45}, id="a9 clock of the provider ahead"),
    ],
)
async def test_accepted(client: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, Any]) -> None:
    answer = await client.get("/me", headers=bearer(provider.token("Staff", **_from_now(claims))))
    assert (answer.status_code, answer.json()) == (200, ADA)


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        pytest.param({"iss": "https://evil.example/v2.0"}, "is not valid", id="issuer"),
        pytest.param({"iss": "https://login.microsoftonline.com/tenant-4711"}, "is not valid", id="v1 issuer"),
        pytest.param({"iss": None}, "is not valid", id="no issuer"),
        pytest.param({"exp": -90}, "has expired", id="expired"),
        pytest.param({"exp": -90, "iss": "x"}, "is not valid", id="the issuer is checked before the expiry"),
        pytest.param({"exp": -90, "aud": "zzz"}, "has expired", id="the expiry is checked before the audience"),
        pytest.param({"exp": None}, "is not valid", id="no expiry"),
        pytest.param({"exp": "soon"}, "is not valid", id="expiry is no number"),
        pytest.param({"exp": float("inf")}, "is not valid", id="expiry is infinite"),
        pytest.param({"exp": float("nan")}, "is not valid", id="expiry is not a number"),
        pytest.param({"exp": True}, "is not valid", id="expiry is a truth value"),
        pytest.param({"exp": [1]}, "is not valid", id="a5 expiry is a list"),
        pytest.param({"nbf": "soon"}, "is not valid", id="a5 nbf is no number"),
        pytest.param({"nbf": [1]}, "is not valid", id="a5 nbf is a list"),
        pytest.param({"nbf": True}, "is not valid", id="a5 nbf is a truth value"),
        pytest.param({"iat": "soon"}, "is not valid", id="a5 iat is no number"),
        pytest.param({"iat": [1]}, "is not valid", id="a5 iat is a list"),
        pytest.param({"iat": float("inf")}, "is not valid", id="a5 iat is infinite"),
        pytest.param({"nbf": 90}, "is not valid", id="not yet valid"),
        pytest.param({"iat": 90}, "is not valid", id="issued in the future"),
        pytest.param({"sub": 5}, "is not valid", id="sub is no string"),
        pytest.param({"aud": "zzz"}, "not issued for this application", id="audience"),
        pytest.param({"aud": ["x", "y"]}, "not issued for this application", id="audiences"),
        pytest.param({"aud": None}, "not issued for this application", id="no audience"),
        pytest.param({"aud": 7}, "not issued for this application", id="audience is a number"),
        pytest.param({"aud": []}, "not issued for this application", id="a4 no audience in the list"),
        pytest.param({"aud": [None, "client-0815"]}, "not issued for this application", id="a4 null in the list"),
        pytest.param({"aud": {"a": "client-0815"}}, "not issued for this application", id="a4 audience in an object"),
        pytest.param({"aud": "api://client-0815/"}, "not issued for this application", id="a4 audience with a slash"),
        pytest.param({"aud": "API://CLIENT-0815"}, "not issued for this application", id="a4 audience in capitals"),
        pytest.param({"scp": None, "idtyp": "app", "roles": ["Staff", "Admin"]}, "does not allow", id="a1 app token"),
        pytest.param({"aud": "client-0815", "scp": None}, "does not allow", id="a1 id token"),
        pytest.param({"scp": "Files.Read ReadWrite.All Reader"}, "does not allow", id="a2 parts of words"),
        pytest.param({"scp": "read"}, "does not allow", id="a2 scope in small letters"),
        pytest.param({"scp": "Mail\u00a0Read"}, "does not allow", id="a2 only blanks separate"),
        pytest.param({"iss": "https://sts.windows.net/tenant-4711/", "ver": "1.0"}, "is not valid", id="a3 version 1"),
        pytest.param({"scp": "Write"}, "does not allow", id="scope"),
        pytest.param({"scp": "ReadWrite read"}, "does not allow", id="scope is a word of its own"),
        pytest.param({"scp": None}, "does not allow", id="no scope"),
        pytest.param({"scp": ["Read"]}, "does not allow", id="scope is a list"),
        pytest.param({EMPLOYEE_NUMBER: "12"}, "does not identify", id="employee number too short"),
        pytest.param({EMPLOYEE_NUMBER: "1234567890"}, "does not identify", id="employee number too long"),
        pytest.param({EMPLOYEE_NUMBER: "123456789\n"}, "does not identify", id="employee number with a line end"),
        pytest.param({EMPLOYEE_NUMBER: "١٢٣٤٥٦٧٨٩"}, "does not identify", id="employee number in other digits"),
        pytest.param({EMPLOYEE_NUMBER: " 123456789"}, "does not identify", id="a7 employee number after a blank"),
        pytest.param({EMPLOYEE_NUMBER: "１２３４５６７８９"}, "does not identify", id="a7 wide digits"),  # noqa: RUF001 - the case
        pytest.param({EMPLOYEE_NUMBER: 123456789}, "does not identify", id="employee number is a number"),
        pytest.param({EMPLOYEE_NUMBER: None}, "does not identify", id="no employee number"),
    ],
)
async def test_refused_claims(
    client: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, Any], text: str
) -> None:
    answer = await client.get("/me", headers=bearer(provider.token("Staff", **_from_now(claims))))
    assert_unauthorized(answer)
    assert text in answer.json()["detail"]


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _with_payload_of(token: str, other: str) -> str:
    header, _, signature = token.split(".")
    return ".".join([header, other.split(".")[1], signature])


def _signed(provider: IdentityProvider, payload: Any, **headers: Any) -> str:
    """By the provider's key, whatever the payload is."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    header = {"alg": "RS256", "kid": provider.key.kid, **headers}
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), content)]
    signature = provider.key.private.sign(b".".join(parts), PKCS1v15(), SHA256())
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


FORGED: dict[str, Callable[[IdentityProvider], str]] = {
    "not a JWT": lambda _: "abc",
    "three dots": lambda _: "...",
    "header is no JSON": lambda p: "AAAA." + p.token("Staff").split(".", 1)[1],
    "header is a list": lambda _: f"{_part([])}.{_part({})}.AAAA",
    "header of brackets": lambda _: base64.urlsafe_b64encode(b"[" * 30_000).decode() + ".e30.AAAA",
    "payload is a list": lambda p: f"{_part({'alg': 'RS256', 'kid': p.key.kid})}.{_part([])}.AAAA",
    "bytes beyond ASCII": lambda p: p.token("Staff") + "é",
    "no kid": lambda p: jwt.encode({"sub": "x"}, p.key.private, algorithm="RS256"),
    "kid is a number": lambda p: f"{_part({'alg': 'RS256', 'kid': 5})}.{_part({})}.AAAA",
    "unknown kid": lambda p: p.token("Staff", headers={"kid": "nobody"}),
    "signed by another key": lambda p: p.token("Staff", key=SigningKey(p.key.kid)),
    "payload of another token": lambda p: _with_payload_of(p.token("Staff"), p.token("Staff", name="Eve")),
    "no signature": lambda p: p.token("Staff").rsplit(".", 1)[0] + ".",
    "alg none": lambda p: jwt.encode({"sub": "x"}, "", algorithm="none", headers={"kid": p.key.kid}),
    "HS256": lambda p: jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": p.key.kid}),
    "RS512": lambda p: jwt.encode({"sub": "x"}, p.key.private, algorithm="RS512", headers={"kid": p.key.kid}),
    "a3 nonce in the header": lambda p: p.token("Staff", key=SigningKey(), headers={"nonce": "n", "kid": p.key.kid}),
    "a6 kid is null": lambda p: _signed(p, {"sub": "x"}, kid=None),
    "a6 kid is empty": lambda p: _signed(p, {"sub": "x"}, kid=""),
    "a6 alg is a list": lambda p: f"{_part({'alg': ['RS256'], 'kid': p.key.kid})}.{_part({})}.AAAA",
    "a6 encrypted": lambda p: f"{_part({'alg': 'RSA-OAEP', 'enc': 'A256GCM', 'kid': p.key.kid})}.AAAA.AAAA.AAAA.AAAA",
    "a6 payload is a signed list": lambda p: _signed(p, []),
    "a6 payload is not UTF-8": lambda p: _signed(p, b'{"sub": "\xff"}'),
    "a5 expiry that JSON reads as infinity": lambda p: _signed(p, b'{"iss": "x", "exp": 1e309}'),
    "foreign characters in the signature": lambda p: p.token("Staff") + "!",
    "unknown critical header": lambda p: p.token("Staff", headers={"crit": ["exp"]}),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_refused_tokens(
    client: httpx.AsyncClient, provider: IdentityProvider, forged: Callable[[IdentityProvider], str]
) -> None:
    answer = await client.get("/me", headers=[(b"Authorization", f"Bearer {forged(provider)}".encode("latin-1"))])
    assert_unauthorized(answer)


@pytest.mark.parametrize(
    ("times", "status"),
    [
        ('"exp": 1e309', 401),
        ('"exp": null', 401),
        ('"exp": 9999999999, "nbf": null', 401),
        ('"exp": 9999999999, "nbf": -1e309', 401),
        ('"exp": 9999999999, "iat": null', 401),
        ('"exp": 9999999999, "iat": 1e309', 401),
        (f'"exp": {"9" * 50}', 200),
        (f'"exp": 9999999999, "nbf": {"9" * 50}', 401),
    ],
)
async def test_a5_times_that_only_json_can_write(
    client: httpx.AsyncClient, provider: IdentityProvider, times: str, status: int
) -> None:
    known = {
        "iss": "https://login.microsoftonline.com/tenant-4711/v2.0",
        "aud": "client-0815",
        "scp": "Read",
        "roles": ["Staff"],
        EMPLOYEE_NUMBER: "123456789",
    }
    token = _signed(provider, f"{json.dumps(known)[:-1]}, {times}}}".encode())
    assert (await client.get("/me", headers=bearer(token))).status_code == status


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}],
    ids=["none", "no token after the scheme", "another scheme"],
)
async def test_no_token(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert_unauthorized(await client.get("/me", headers=headers))


def test_a10_blanks_after_the_scheme(service: Service) -> None:
    """Which httpx does not send."""
    address = httpx.URL(service.base_url)
    connection = HTTPConnection(address.host, address.port or 80)
    connection.request("GET", "/me", headers={"Authorization": "Bearer   "})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    connection.close()


@pytest.mark.parametrize("more", [" x", ", Bearer {token}", " {token}", "x", "=", "."])
async def test_a10_a_good_token_with_something_behind_it(
    client: httpx.AsyncClient, provider: IdentityProvider, more: str
) -> None:
    token = provider.token("Staff")
    assert_unauthorized(await client.get("/me", headers=bearer(token + more.format(token=token))))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(
    client: httpx.AsyncClient, provider: IdentityProvider, scheme: str
) -> None:
    answer = await client.get("/me/id", headers=bearer(provider.token("Staff"), scheme))
    assert (answer.status_code, answer.json()) == (200, "123456789")


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["Nobody"],
        ["staff"],
        ["Staff "],
        ["Staff,Admin"],
        None,
        "Staff",
        "DotNetDevelopers",
        ["Staff", 5],
        ["Staff", None],
        ["Staff", "\ud800"],
        {"Staff": 1},
        ["Admin"],
    ],
    ids=ascii,
)
async def test_no_base_role_is_forbidden(client: httpx.AsyncClient, provider: IdentityProvider, roles: object) -> None:
    answer = await client.get("/me", headers=bearer(provider.token(roles=roles)))
    assert answer.status_code == 403
    assert "www-authenticate" not in answer.headers
    body = answer.json()
    assert (body["code"], body["message"], body["detail"]) == (
        "forbidden",
        "User does not have required role.",
        "User does not have required role.",
    )


async def test_a8_groups_are_no_roles(client: httpx.AsyncClient, provider: IdentityProvider) -> None:
    overage: dict[str, Any] = {"_claim_names": {"groups": "src1"}, "hasgroups": True, "groups": ["Staff"]}
    answer = await client.get("/me", headers=bearer(provider.token(roles=None, **overage)))
    assert (answer.status_code, answer.json()["detail"]) == (403, "User does not have required role.")


@pytest.mark.parametrize(
    "role",
    [
        "Faculty",
        "Staff",
        "PSSTUCURTERM",
        "DotNetDevelopers",
        "All-Students Entra Sync",
        "All-Employees Entra Sync",
        "AWS-BoiseStateAI",
    ],
)
async def test_every_base_role_lets_in(client: httpx.AsyncClient, provider: IdentityProvider, role: str) -> None:
    answer = await client.get("/me", headers=bearer(provider.token("Other", role)))
    assert (answer.status_code, answer.json()["roles"]) == (200, ["Other", role])


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param({"email": None, "preferred_username": "B@X.EDU"}, {"email": "b@x.edu"}, id="preferred_username"),
        pytest.param({"email": 7}, {"email": ""}, id="no e-mail"),
        pytest.param({"email": " Ana@X.EDU "}, {"email": "ana@x.edu"}, id="p8 the e-mail is trimmed"),
        *(
            pytest.param({"email": absent, "preferred_username": "B@X.EDU "}, {"email": "b@x.edu"}, id=f"p8 {absent!a}")
            for absent in ("", "  ", ["a@x.edu"], {"a": 1}, True, "\ud800")
        ),
        pytest.param({"email": None, "preferred_username": " "}, {"email": ""}, id="p8 no e-mail at all"),
        pytest.param({"name": "  ", "given_name": "Ada"}, {"name": "Ada"}, id="p8 blank name"),
        pytest.param({"name": 7, "given_name": [], "family_name": "L"}, {"name": "L"}, id="p8 name is a number"),
        pytest.param({"name": "A\nB"}, {"name": "A\nB"}, id="u2 name with a line end"),
        pytest.param({"picture": " "}, {"picture": None}, id="p8 blank picture"),
        pytest.param({"picture": {"url": "x"}}, {"picture": None}, id="p8 picture is an object"),
        pytest.param({"name": None, "given_name": "Ada", "family_name": "L"}, {"name": "Ada L"}, id="name of two"),
        pytest.param({"name": "", "family_name": "L"}, {"name": "L"}, id="family name only"),
        pytest.param({"name": None}, {"name": ""}, id="no name"),
        pytest.param({"picture": "https://x/p.png"}, {"picture": "https://x/p.png"}, id="picture"),
    ],
)
async def test_the_user_comes_from_the_claims(
    client: httpx.AsyncClient, provider: IdentityProvider, claims: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = await client.get("/me", headers=bearer(provider.token("Staff", **claims)))
    assert answer.json() == ADA | expected


async def test_the_order_of_checks(client: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """Unreadable JSON first, then the guard, then what the request says."""
    good = bearer(provider.token("Staff"))
    json_type = {"Content-Type": "application/json"}
    assert_unauthorized(await client.post("/notes", json={"title": 1}))
    assert (await client.post("/notes", json={"title": 1}, headers=bearer(provider.token("No")))).status_code == 403
    unreadable = await client.post("/notes", content=b"{", headers=json_type)
    assert (unreadable.status_code, unreadable.json()["code"]) == (422, "validation_error")
    invalid = await client.post("/notes", json={"title": 1}, headers=good)
    assert (invalid.status_code, len(invalid.json()["metadata"]["errors"])) == (422, 2)


async def test_nothing_secret_in_answers_and_logs(
    client: httpx.AsyncClient, provider: IdentityProvider, service: Service
) -> None:
    wrong: list[dict[str, Any]] = [{name: f"secret-{name}"} for name in ("iss", "aud", "scp", EMPLOYEE_NUMBER)]
    tokens = [
        *(forged(provider) for forged in FORGED.values()),
        *(provider.token("Staff", **claims) for claims in wrong),
        provider.token("secret-role"),
        provider.token("Staff", exp=1),
    ]
    headers = [[(b"Authorization", f"Bearer {token}".encode("latin-1"))] for token in tokens]
    answers = [(await client.get("/me", headers=header)).text for header in headers]
    written = "".join(answers) + service.output()
    assert written.count('"request failed"') >= len(tokens)
    secrets = {part for token in tokens for part in token.split(".") if len(part) > 8}
    expected = {"tenant-4711", "client-0815", "login.microsoftonline.com", "secret-", "employeenumber"}
    assert [secret for secret in secrets | expected if secret in written] == []


async def test_a3_refused_tokens_leave_no_traceback(
    client: httpx.AsyncClient, provider: IdentityProvider, service: Service
) -> None:
    before = service.output().count("Traceback")
    for forged in FORGED.values():
        await client.get("/me", headers=[(b"Authorization", f"Bearer {forged(provider)}".encode("latin-1"))])
    assert service.output().count("Traceback") == before


async def test_a12_every_refusal_reaches_a_web_client(
    client: httpx.AsyncClient, cold: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    origin = {"Origin": "https://allowed.example"}
    provider.answers[provider.keys_path] = Answer(status=503)
    unavailable = await cold.get("/me", headers=bearer(provider.token("Staff")) | origin)
    provider.reset()
    answers = [
        await client.get("/me", headers=origin),
        await client.get("/me", headers=bearer(provider.token("Nobody")) | origin),
        await client.get("/bug", headers=bearer(provider.token("Staff")) | origin),
        unavailable,
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 500, 503]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "https://allowed.example"
        assert answer.headers["access-control-allow-credentials"] == "true"


async def test_the_log_names_the_user(client: httpx.AsyncClient, provider: IdentityProvider, service: Service) -> None:
    assert (await client.get("/bug", headers=bearer(provider.token("Staff")))).status_code == 500
    assert (await client.get("/me", headers=bearer(provider.token("Nobody")))).status_code == 403
    records = [json.loads(line) for line in service.output().splitlines() if line.startswith("{")]
    logged = {(record["route"], record["status"]): record["user_id"] for record in records if "route" in record}
    assert logged["/bug", 500] == "123456789"
    assert logged["/me", 403] == "123456789"


async def test_openapi_declares_the_scheme(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    unguarded = [operation for operation in operations if operation.get("security") != [{"HTTPBearer": []}]]
    assert [operation["summary"] for operation in unguarded] == ["Health"]


def assert_unauthorized(answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthorized"


def _from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Times are written as seconds from now."""
    now = int(time.time())
    return {
        name: now + value if name in {"exp", "nbf", "iat"} and type(value) is int else value
        for name, value in claims.items()
    }
