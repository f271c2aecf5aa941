"""Tokens for tools: the token service on its own, with its stores in AWS and a provider on loopback.

Two services with nothing in common but the tables stand for two processes.
"""

import asyncio
import base64
import itertools
import logging
import time
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from apis.shared.aws.dynamodb import Table
from apis.shared.aws.kms import KmsKey
from apis.shared.aws.secrets import Secret
from apis.shared.http_client import HttpClient
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.encryption import TokenCipher
from apis.shared.oauth.endpoints import MAX_ANSWER_BYTES, ProviderEndpoints
from apis.shared.oauth.models import AccessToken, Connection, NotConnected
from apis.shared.oauth.refresh import ConnectionRefresher, Pauses
from apis.shared.oauth.repository import ConnectionRepository, ProviderRepository
from apis.shared.oauth.service import OAuthTokenService, get_oauth_token_service
from apis.shared.result import Result, error_of
from tests.integration.conftest import Aws, Configure
from tests.integration.oauth.conftest import put_secret, soon
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.oauth_server import Answer, Answering, OAuthServer, Request, answer, granted, refused
from tests.support.platform import Surroundings, until

PAUSES = Pauses(
    between_writes=(0.01, 0.01),
    before_a_refusal_counts=(0.05, 0.1),
    while_another_renews=0.02,
    most_while_another_renews=2.0,
)
_numbers = itertools.count(1)


@dataclass
class Holder:
    """A user with a connection, and the services that look at it."""

    aws: Aws
    server: OAuthServer
    provider_id: str
    user_id: str = "400000001"
    now: float = field(default_factory=time.time)

    def service(self, *, deadline: float = 5.0, pauses: Pauses = PAUSES) -> OAuthTokenService:
        """A process of its own."""

        def clock() -> float:
            return self.now

        names = self.aws.environment
        connections = ConnectionRepository(Table(names[stored.OAUTH_TOKENS]))
        cipher = TokenCipher(KmsKey(names["OAUTH_TOKEN_ENCRYPTION_KEY_ARN"]), is_development=False)
        http = HttpClient("oauth provider", deadline_seconds=deadline, max_response_bytes=MAX_ANSWER_BYTES)
        refresher = ConnectionRefresher(
            connections,
            ClientSecrets(Secret(names["OAUTH_CLIENT_SECRETS_ARN"])),
            cipher,
            ProviderEndpoints(http),
            pauses=pauses,
            clock=clock,
        )
        return OAuthTokenService(
            ProviderRepository(Table(names[stored.OAUTH_PROVIDERS])),
            connections,
            cipher,
            refresher,
            connect_url="https://app.example.edu/settings/connections",
            clock=clock,
        )

    def encrypted(self, token: str) -> str:
        key = self.aws.environment["OAUTH_TOKEN_ENCRYPTION_KEY_ARN"]
        blob = self.aws.boto("kms").encrypt(KeyId=key, Plaintext=token.encode())["CiphertextBlob"]
        return base64.b64encode(blob).decode()

    def decrypted(self, attribute: str) -> str:
        blob = base64.b64decode(self.row[attribute])
        return str(self.aws.boto("kms").decrypt(CiphertextBlob=blob)["Plaintext"].decode())

    def store(self, access: str = "AT1", refresh: str | None = "RT1", **attributes: Any) -> None:
        """The row R: expired, unless the attributes say otherwise."""
        token = {"refreshTokenEncrypted": self.encrypted(refresh) if refresh is not None else stored.LEFT_OUT}
        known = {"accessTokenEncrypted": self.encrypted(access), **token, "expiresAt": soon(-10)}
        self.aws.store(stored.oauth_connection(self.user_id, self.provider_id, **{**known, **attributes}))

    @property
    def row(self) -> dict[str, Any]:
        return self.aws.item(stored.OAUTH_TOKENS, f"USER#{self.user_id}", f"PROVIDER#{self.provider_id}")

    def remove(self) -> None:
        key = {"PK": {"S": f"USER#{self.user_id}"}, "SK": {"S": f"PROVIDER#{self.provider_id}"}}
        self.aws.dynamodb.delete_item(TableName=self.aws.environment[stored.OAUTH_TOKENS], Key=key)

    def answers(self, given: Answering) -> None:
        self.server.answers[f"/{self.provider_id}/token"] = given

    @property
    def requests(self) -> list[Request]:
        return self.server.of(f"/{self.provider_id}/token")

    async def token(self, service: OAuthTokenService, **options: Any) -> Any:
        return await service.access_token(self.user_id, self.provider_id, **options)


@pytest.fixture
def holder(aws: Aws, around: Surroundings) -> Holder:
    known = Holder(aws, around.oauth, f"tokens-{next(_numbers):04}")
    aws.store(stored.oauth_provider(known.provider_id, f"{around.oauth.url}/{known.provider_id}"))
    put_secret(aws, known.provider_id, "SEC")
    return known


def value(result: Result[Any, Any]) -> str:
    token = result.unwrap()
    assert isinstance(token, AccessToken)
    return token.value


def needs_reauth(result: Result[Any, Any]) -> bool:
    """Of an outcome that is not a token."""
    missing = result.unwrap()
    assert isinstance(missing, NotConnected)
    return missing.needs_reauth


def code(result: Result[Any, Any]) -> str:
    error = error_of(result)
    assert error is not None
    return error.code.value


async def test_a_good_token_is_read_once(holder: Holder) -> None:
    holder.store(expiresAt=soon(3600))
    service = holder.service()
    with holder.aws.proxy.recording() as recording:
        assert value(await holder.token(service)) == "AT1"
        assert value(await holder.token(service)) == "AT1"
    assert sorted(call.target.operation for call in recording.calls) == ["Decrypt", "GetItem", "GetItem"]
    assert holder.requests == []


@pytest.mark.parametrize(
    ("attributes", "reads"),
    [
        ({"expiresAt": stored.LEFT_OUT}, 1),
        ({"expiresAt": soon(30)}, 2),
        ({"expiresAt": soon(3600), "status": "needs_reauth"}, 1),
    ],
    ids=["no expiry", "about to expire", "other scopes"],
)
async def test_which_tokens_are_handed_out_again(holder: Holder, attributes: dict[str, Any], reads: int) -> None:
    holder.store(**attributes)
    holder.answers(granted("AT2", None, expires_in=30))
    service = holder.service()
    tokens = [value(await holder.token(service)) for _ in range(2)]
    assert tokens == (["AT1", "AT1"] if reads == 1 else ["AT2", "AT2"])
    assert len(holder.requests) == (0 if reads == 1 else 2), "what expires within a minute is not kept"


async def test_d6_no_token_is_kept_until_after_its_end(holder: Holder) -> None:
    holder.store(expiresAt=int(holder.now) + 100)
    service = holder.service()
    assert value(await holder.token(service)) == "AT1"
    holder.now += 39
    assert (value(await holder.token(service)), holder.requests) == ("AT1", [])
    holder.now += 2
    holder.answers(granted("AT2"))
    assert value(await holder.token(service)) == "AT2"


@pytest.mark.parametrize("what", ["no row", "revoked", "no provider", "disabled", "too long an id"])
async def test_who_is_not_connected(holder: Holder, what: str) -> None:
    if what != "no row":
        holder.store(expiresAt=soon(3600), status="revoked" if what == "revoked" else "connected")
    if what == "no provider":
        holder.aws.clear(stored.OAUTH_PROVIDERS)
    if what == "disabled":
        holder.aws.store(stored.oauth_provider(holder.provider_id, enabled=False))
    provider_id = "x" * 3_000 if what == "too long an id" else holder.provider_id
    outcome = (await holder.service().access_token(holder.user_id, provider_id)).unwrap()
    name = provider_id if what in {"no provider", "too long an id"} else f"Provider {holder.provider_id}"
    assert outcome == NotConnected(provider_id, name, "https://app.example.edu/settings/connections", False)


async def test_f_oauth_06_without_tables_nobody_is_connected(aws: Aws, configure: Configure) -> None:
    configure(**{stored.OAUTH_TOKENS: None, stored.OAUTH_PROVIDERS: None, "FRONTEND_URL": "https://web.example/"})
    outcome = (await get_oauth_token_service().access_token("u", "p")).unwrap()
    assert outcome == NotConnected("p", "p", "https://web.example/settings/connections", False)


async def test_example_9_a_refresh(holder: Holder) -> None:
    holder.store(status="expired", ofAnotherVersion="kept")
    before = holder.row
    holder.answers(answer({"access_token": "AT2", "token_type": "Bearer"}))
    with holder.aws.proxy.recording() as recording:
        assert value(await holder.token(holder.service())) == "AT2"
    (request,) = holder.requests
    assert request.body.decode() == "grant_type=refresh_token&refresh_token=RT1"
    assert (request.credentials, request.headers["accept"]) == ("cid:SEC", "application/json")
    row = holder.row
    assert (row["status"], holder.decrypted("accessTokenEncrypted")) == ("connected", "AT2")
    changed = {"accessTokenEncrypted", "expiresAt", "status", "updatedAt"}
    assert {name: row.get(name) for name in before if name not in changed} == {
        name: before[name] for name in before if name not in changed
    }
    assert row.keys() == before.keys() - {"expiresAt"}
    assert sorted(call.target.operation for call in recording.calls) == [
        "Decrypt",
        "Encrypt",
        "GetItem",
        "GetItem",
        "GetSecretValue",
        "UpdateItem",
        "UpdateItem",
    ]


async def test_a_refresh_token_that_is_replaced(holder: Holder) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2"))
    assert value(await holder.token(holder.service())) == "AT2"
    assert [holder.decrypted(f"{name}TokenEncrypted") for name in ("access", "refresh")] == ["AT2", "RT2"]
    assert abs(holder.row["expiresAt"] - time.time() - 3600) < 60


@pytest.mark.parametrize("given_lifetime", ["1 hour", [3600], True])
async def test_p2_a_malformed_lifetime_costs_no_refresh_token(holder: Holder, given_lifetime: Any) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2", expires_in=given_lifetime))
    assert value(await holder.token(holder.service())) == "AT2"
    assert (holder.decrypted("refreshTokenEncrypted"), "expiresAt" in holder.row) == ("RT2", False)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (refused("invalid_grant"), "expired"),
        (refused("bad_refresh_token", 200), "expired"),
        (refused("interaction_required"), "expired"),
        (None, "expired"),
    ],
    ids=["example 10, F-OAUTH-20", "T1", "P4", "T9 no refresh token"],
)
async def test_who_has_to_connect_anew(holder: Holder, given: Answering | None, status: str) -> None:
    holder.store(refresh=None if given is None else "RT1")
    if given is not None:
        holder.answers(given)
    assert needs_reauth(await holder.token(holder.service()))
    assert (holder.row["status"], "refreshClaimedBy" in holder.row) == (status, False)


FAILING: list[tuple[str, Answering, str]] = [
    ("example 10", answer({}, 503), "service_unavailable"),
    ("T4 no token", granted(None, "RT2"), "service_unavailable"),
    ("T4 a header", granted("AT\r\nX: y", "RT2"), "service_unavailable"),
    ("T6 a page", answer(b"<html>", 502, content_type="text/html"), "service_unavailable"),
    ("T6 refused by an outage", refused("invalid_grant", 500), "service_unavailable"),
    ("T6 throttled", answer({}, 429, headers={"Retry-After": "7"}), "service_unavailable"),
    ("T6 throttled in JSON", refused("invalid_grant", 429), "service_unavailable"),
    ("T6 sign-in page", answer(b"<html>", content_type="text/html"), "service_unavailable"),
    ("T6 empty", answer(b""), "service_unavailable"),
    ("T6 no content", answer(b"", 204), "service_unavailable"),
    ("T6 cut", answer(b'{"access_token": "AT2"'), "service_unavailable"),
    ("T6 elsewhere", answer(b"", 302, headers={"Location": "http://127.0.0.1:9/token"}), "service_unavailable"),
    ("T6 drip", answer(b" " * 600, drips=True), "timeout"),
    ("T6 blanks", answer({}, blanks=200_000_000), "service_unavailable"),
    ("T7 our secret", refused("invalid_client", 401), "internal_error"),
    ("T7 not allowed", refused("unauthorized_client"), "internal_error"),
    ("T7 later", refused("temporarily_unavailable"), "service_unavailable"),
    ("R5 reset", Answer(resets=True), "service_unavailable"),
]


@pytest.mark.parametrize(("given", "expected"), [one[1:] for one in FAILING], ids=[one[0] for one in FAILING])
async def test_f_oauth_21_what_passes_is_nobodys_fault(holder: Holder, given: Answering, expected: str) -> None:
    holder.store()
    before = holder.row
    holder.answers(given)
    service = holder.service(deadline=0.4)
    assert code(await holder.token(service)) == expected
    assert (holder.row, len(holder.requests)) == (before, 1)
    holder.answers(granted("AT2", "RT2"))
    assert value(await holder.token(service)) == "AT2"
    assert holder.requests[-1].form["refresh_token"] == "RT1"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.THROTTLED, "dynamodb", "GetItem"), "service_unavailable"),
        (Fault(FaultKind.CORRUPT_ITEM, "dynamodb", "GetItem"), "internal_error"),
        (Fault(FaultKind.THROTTLED, "kms", "Decrypt"), "service_unavailable"),
        (Fault(FaultKind.ACCESS_DENIED, "kms", "Decrypt"), "internal_error"),
        (Fault(FaultKind.SERVER_ERROR, "kms", "Decrypt"), "service_unavailable"),
        (Fault(FaultKind.ACCESS_DENIED, "secretsmanager", "GetSecretValue"), "internal_error"),
        (Fault(FaultKind.THROTTLED, "dynamodb", "UpdateItem", nth=1), "service_unavailable"),
    ],
    ids=["F-OAUTH-18", "corrupt", "F-OAUTH-19 T13", "T13 denied", "T13 outage", "F-OAUTH-21 secret", "claim"],
)
async def test_t13_a_store_that_fails_changes_nothing(holder: Holder, fault: Fault, expected: str) -> None:
    holder.store()
    before = holder.row
    service = holder.service()
    with holder.aws.proxy.injecting(fault) as injection:
        assert code(await holder.token(service)) == expected
    assert (injection.hits > 0, holder.row) == (True, before)
    holder.answers(granted("AT2", "RT2"))
    assert value(await holder.token(service)) == "AT2"


@pytest.mark.parametrize(
    "stored_token", ["not base64!", "aGVsbG8=", stored.unencrypted("AT1"), "ENV1:", "ENV1:aGVsbG8=.aGVsbG8="]
)
async def test_f_oauth_19_a_token_that_cannot_be_read(
    holder: Holder, stored_token: str, caplog: pytest.LogCaptureFixture
) -> None:
    holder.store(expiresAt=soon(3600), accessTokenEncrypted=stored_token)
    caplog.set_level(logging.DEBUG, "apis")
    failed = await holder.token(holder.service())
    assert (code(failed), stored_token in f"{failed}{caplog.text}") == ("internal_error", False)
    error = error_of(failed)
    assert error is not None
    assert stored_token not in f"{error.context}{error.cause!r}"


async def test_no_client_secret_is_our_failure(holder: Holder) -> None:
    holder.aws.store(stored.oauth_provider(f"{holder.provider_id}-b", holder.server.url))
    holder.provider_id += "-b"
    holder.store()
    assert code(await holder.token(holder.service())) == "internal_error"
    assert holder.row["status"] == "connected"


async def test_r1_many_at_once_are_one_request(holder: Holder) -> None:
    holder.store()
    holder.answers(answer({"access_token": "AT2", "refresh_token": "RT2"}, delay=0.3))
    service = holder.service()
    lookups = [asyncio.create_task(holder.token(service)) for _ in range(50)]

    async def is_asked() -> bool:
        return bool(holder.requests)

    await until(is_asked)
    for cancelled in (lookups[0], lookups[7]):
        cancelled.cancel()
    done = await asyncio.gather(*(one for one in lookups if one not in {lookups[0], lookups[7]}))
    assert {value(one) for one in done} == {"AT2"}
    assert len(holder.requests) == 1


async def test_two_processes_send_one_request(holder: Holder) -> None:
    holder.store()
    holder.answers(answer({"access_token": "AT2", "refresh_token": "RT2", "expires_in": 3600}, delay=0.2))
    done = await asyncio.gather(*(holder.token(holder.service()) for _ in range(3)))
    assert [value(one) for one in done] == ["AT2"] * 3
    assert (len(holder.requests), "refreshClaimedBy" in holder.row) == (1, False)


async def test_two_processes_and_a_refusal(holder: Holder) -> None:
    holder.store()
    holder.answers(answer({"error": "invalid_grant"}, 400, delay=0.2))
    done = await asyncio.gather(*(holder.token(holder.service()) for _ in range(2)))
    assert [needs_reauth(one) for one in done] == [True, True]
    assert len(holder.requests) == 1


async def test_a_claim_of_a_process_that_died_ends(holder: Holder) -> None:
    holder.store(refreshClaimedBy="dead", refreshClaimedUntil=soon(-1))
    holder.answers(granted("AT2", "RT2"))
    assert value(await holder.token(holder.service())) == "AT2"
    holder.store(refreshClaimedBy="hanging", refreshClaimedUntil=soon(60))
    service = holder.service(pauses=replace(PAUSES, most_while_another_renews=0.1))
    assert code(await holder.token(service)) == "timeout"


async def test_r2_another_process_has_used_the_refresh_token(holder: Holder) -> None:
    """One of the previous version, which knows no claims."""
    holder.store()

    def used(_: Request) -> Answer:
        holder.store("AT2", "RT2", expiresAt=soon(3600))
        return refused("invalid_grant")

    holder.answers(used)
    assert value(await holder.token(holder.service())) == "AT2"
    assert holder.row["status"] == "connected"


async def test_r3_another_process_is_about_to_store_what_it_got(holder: Holder) -> None:
    holder.store()
    holder.answers(refused("invalid_grant"))
    lookup = asyncio.create_task(holder.token(holder.service()))

    async def is_refused() -> bool:
        return bool(holder.requests)

    await until(is_refused)
    await asyncio.to_thread(holder.store, "AT2", "RT2", expiresAt=soon(3600))
    assert value(await lookup) == "AT2"


async def test_r3_new_tokens_do_not_lose_against_a_status(holder: Holder) -> None:
    holder.store()

    def marked(_: Request) -> Answer:
        row = {**holder.row, "status": "expired"}
        holder.aws.put(stored.OAUTH_TOKENS, row)
        return granted("AT2", "RT2")

    holder.answers(marked)
    assert value(await holder.token(holder.service())) == "AT2"
    assert (holder.row["status"], holder.decrypted("refreshTokenEncrypted")) == ("connected", "RT2")


async def test_r4_and_p10_a_refusal_is_remembered(holder: Holder) -> None:
    holder.store()
    holder.answers(refused("invalid_grant"))
    service = holder.service()
    assert [needs_reauth(await holder.token(service)) for _ in range(5)] == [True] * 5
    assert len(holder.requests) == 1
    # Not for good: another process asks anew, and a new connection counts at once.
    assert needs_reauth(await holder.token(holder.service()))
    assert len(holder.requests) == 2
    holder.store("AT9", "RT9", expiresAt=soon(3600))
    assert value(await holder.token(service)) == "AT9"


@pytest.mark.parametrize("what", ["disconnected", "connected anew"])
async def test_r6_a_refresh_is_overtaken(holder: Holder, what: str) -> None:
    holder.store()
    service = holder.service()

    def overtaken(_: Request) -> Answer:
        if what == "disconnected":
            holder.remove()
            service.forget(holder.user_id, holder.provider_id)
        else:
            holder.store("AT9", "RT9", expiresAt=soon(3600))
        return granted("AT2", "RT2")

    holder.answers(overtaken)
    first = await holder.token(service)
    after = await holder.token(service)
    if what == "disconnected":
        assert (needs_reauth(first), needs_reauth(after), holder.row) == (False, False, {})
    else:
        assert (value(first), value(after)) == ("AT9", "AT9")
        assert holder.decrypted("refreshTokenEncrypted") == "RT9"


async def test_r7_a_write_that_is_throttled_is_repeated(holder: Holder) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2"))
    throttled = Fault(FaultKind.THROTTLED, "dynamodb", "UpdateItem", containing="accessTokenEncrypted", nth=2)
    with holder.aws.proxy.injecting(throttled) as injection:
        assert value(await holder.token(holder.service())) == "AT2"
    assert (injection.hits, holder.decrypted("refreshTokenEncrypted")) == (1, "RT2")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.THROTTLED, "dynamodb", "UpdateItem", containing="updatedAt"),
        Fault(FaultKind.SERVER_ERROR, "kms", "Encrypt"),
    ],
    ids=["store", "kms"],
)
async def test_p11_and_f_oauth_22_a_pair_that_cannot_be_stored_is_not_lost(holder: Holder, fault: Fault) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2"))
    service = holder.service()
    with holder.aws.proxy.injecting(fault):
        assert [code(await holder.token(service)) for _ in range(2)] == ["service_unavailable"] * 2
    assert value(await holder.token(service)) == "AT2"
    assert [holder.decrypted(f"{name}TokenEncrypted") for name in ("access", "refresh")] == ["AT2", "RT2"]
    assert (len(holder.requests), "refreshClaimedBy" in holder.row) == (1, False)


async def test_p11_a_pair_is_dropped_when_the_user_connects_anew(holder: Holder) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2"))
    service = holder.service()
    with holder.aws.proxy.injecting(Fault(FaultKind.THROTTLED, "dynamodb", "UpdateItem", containing="updatedAt")):
        assert code(await holder.token(service)) == "service_unavailable"
    holder.store("AT9", "RT9", expiresAt=soon(3600))
    assert value(await holder.token(service)) == "AT9"


async def test_f_oauth_23_marking_as_expired_fails(holder: Holder) -> None:
    holder.store()
    holder.answers(refused("invalid_grant"))
    with holder.aws.proxy.injecting(Fault(FaultKind.THROTTLED, "dynamodb", "UpdateItem", containing="updatedAt")):
        assert code(await holder.token(holder.service())) == "service_unavailable"
    assert holder.row["status"] == "connected"


async def test_a_lost_answer_of_the_write_loses_no_tokens(holder: Holder) -> None:
    holder.store()
    holder.answers(granted("AT2", "RT2"))
    with holder.aws.proxy.injecting(Fault(FaultKind.RESET, "dynamodb", "UpdateItem", containing="updatedAt", nth=1)):
        assert value(await holder.token(holder.service())) == "AT2"


async def test_t12_a_refresh_may_bring_a_longer_token(holder: Holder) -> None:
    holder.store()
    holder.answers(granted("x" * 4097, "y" * 5000))
    assert value(await holder.token(holder.service())) == "x" * 4097
    assert holder.row["accessTokenEncrypted"].startswith("ENV1:")
    assert value(await holder.token(holder.service())) == "x" * 4097


async def test_m10_a_token_that_the_service_of_a_tool_refuses(holder: Holder) -> None:
    holder.store(expiresAt=soon(3600))
    holder.answers(granted("AT2", "RT2"))
    service = holder.service()
    assert value(await holder.token(service)) == "AT1"
    renewed = await asyncio.gather(*(holder.token(service, instead_of="AT1") for _ in range(5)))
    assert [value(one) for one in renewed] == ["AT2"] * 5
    assert (len(holder.requests), value(await holder.token(service))) == (1, "AT2")
    holder.answers(refused("invalid_grant"))
    assert needs_reauth(await holder.token(service, instead_of="AT2"))


async def test_4_8_what_is_evicted(holder: Holder) -> None:
    holder.store(expiresAt=soon(3600))
    service = holder.service()
    assert value(await holder.token(service)) == "AT1"
    holder.store("AT2", expiresAt=soon(3600))
    assert value(await holder.token(service)) == "AT1"
    service.forget(f"{holder.user_id}0", holder.provider_id)
    service.forget_provider(f"{holder.provider_id}0")
    assert value(await holder.token(service)) == "AT1"
    service.forget_provider(holder.provider_id)
    assert value(await holder.token(service)) == "AT2"
    row = Connection.model_validate({**holder.row, "expiresAt": soon(3600)})
    service.remember(row, "AT3")
    assert value(await holder.token(service)) == "AT3"
    service.forget(holder.user_id, holder.provider_id)
    assert value(await holder.token(service)) == "AT2"


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_3_5_the_form_for_developers(environment: str) -> None:
    cipher = TokenCipher(None, is_development=environment == "development")
    encrypted = await cipher.encrypt("tökén")
    if environment == "production":
        assert (code(encrypted), code(cipher.usable())) == ("service_unavailable", "service_unavailable")
    else:
        assert encrypted.unwrap() == "DEV:dMO2a8Opbg=="
    assert (await cipher.decrypt("DEV:dMO2a8Opbg==")).unwrap() == "tökén"
    for other in ("dMO2a8Opbg==", "DEV:%", "DEV:/w=="):
        assert code(await cipher.decrypt(other)) == "internal_error"
