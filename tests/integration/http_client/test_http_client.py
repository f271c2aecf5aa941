"""The outgoing-HTTP edge, against a provider behind a proxy and against servers that misbehave."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import BaseModel

from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.result import Failure, Result, Success
from devstack.ports import free_port
from tests.support.identity_provider import HOST, Answer, IdentityProvider, identity_provider

URL = f"https://{HOST}/x"


@pytest.fixture(scope="module")
def running_provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def provider(running_provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> IdentityProvider:
    running_provider.reset()
    for name, value in running_provider.environment.items():
        monkeypatch.setenv(name, value)
    return running_provider


@pytest.fixture
async def http(provider: IdentityProvider) -> AsyncIterator[HttpClient]:
    client = HttpClient("provider", deadline_seconds=0.5, max_response_bytes=1000)
    yield client
    await client.aclose()


def failure_of[T](result: Result[T, ErrorDetail]) -> ErrorDetail:
    match result:
        case Failure(error):
            return error
        case found:
            pytest.fail(f"succeeded: {found}")


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 404])
async def test_what_the_caller_decides_on(http: HttpClient, provider: IdentityProvider, status: int) -> None:
    """A redirect is answered, not followed: only one request was made."""
    provider.answers["/x"] = Answer(b"text", status=status, headers={"Location": "/y"})
    if status == 204:
        provider.answers["/x"] = Answer(status=status)
    answer = (await http.get(URL)).unwrap()
    assert (answer.status, answer.headers["location"] if status != 204 else "/y") == (status, "/y")
    assert len(provider.requests) == 1


async def test_nothing_of_one_exchange_is_sent_with_the_next(http: HttpClient, provider: IdentityProvider) -> None:
    """They are those of different users."""
    provider.answers["/x"] = Answer(b"{}", headers={"Set-Cookie": "who=somebody; Path=/"})
    for _ in range(2):
        (await http.post_form(URL, {})).unwrap()
    assert [request.headers.get("cookie") for request in provider.requests] == [None, None]


async def test_a_form_is_posted(http: HttpClient, provider: IdentityProvider) -> None:
    provider.answers["/x"] = Answer(b"{}")
    (await http.post_form(URL, {"scope": "openid api://a/Read", "empty": "", "code": "&=ä"})).unwrap()
    (request,) = provider.requests
    assert (request.method, request.headers["content-type"]) == ("POST", "application/x-www-form-urlencoded")
    assert request.form == {"scope": "openid api://a/Read", "empty": "", "code": "&=ä"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(Answer(status=500), ErrorCode.SERVICE_UNAVAILABLE, id="500"),
        pytest.param(Answer(status=429), ErrorCode.SERVICE_UNAVAILABLE, id="429"),
        pytest.param(Answer(b"x" * 1001), ErrorCode.SERVICE_UNAVAILABLE, id="too large"),
        pytest.param(
            Answer(b"no gzip at all", headers={"Content-Encoding": "gzip"}), ErrorCode.SERVICE_UNAVAILABLE, id="no gzip"
        ),
        pytest.param(Answer(b"x", headers={"Content-Length": "9"}), ErrorCode.SERVICE_UNAVAILABLE, id="cut off"),
        pytest.param(Answer(hangs=True), ErrorCode.TIMEOUT, id="silent"),
        pytest.param(Answer(b"xxx", drips=True), ErrorCode.TIMEOUT, id="a byte now and then"),
    ],
)
async def test_failures(http: HttpClient, provider: IdentityProvider, answer: Answer, code: ErrorCode) -> None:
    provider.answers["/x"] = answer
    begun = time.monotonic()
    error = failure_of(await http.get(URL))
    assert (error.code, error.context["http_service"]) == (code, "provider")
    assert time.monotonic() - begun < 2
    provider.reset()
    assert (await http.get(URL)).unwrap().status == 404, "nothing of the failure stays behind"


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [("7", 7), ("soon", None), ("\N{ARABIC-INDIC DIGIT SEVEN}", None), ("-1", None), ("9999999", None)],
)
async def test_the_wait_that_the_service_asks_for(
    http: HttpClient, provider: IdentityProvider, sent: str, seconds: int | None
) -> None:
    provider.answers["/x"] = Answer(status=503, headers={"Retry-After": sent})
    assert failure_of(await http.get(URL)).retry_after == seconds


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = HttpClient("nobody", deadline_seconds=5)
    assert failure_of(await http.get(f"http://127.0.0.1:{free_port()}/")).code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("url", ["https://x:port/", "ftp://x/", "https://x/\n", "x"])
async def test_an_unusable_address_is_our_configuration(http: HttpClient, url: str) -> None:
    assert failure_of(await http.get(url)).code is ErrorCode.INTERNAL_ERROR


async def test_no_proxy_is_honoured(
    http: HttpClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("no_proxy", "localhost")
    assert failure_of(await http.get(f"https://localhost:{free_port()}/")).code is ErrorCode.SERVICE_UNAVAILABLE
    assert provider.requests == []


async def test_many_requests_share_one_client(http: HttpClient, provider: IdentityProvider) -> None:
    provider.answers["/x"] = Answer(b"{}")
    answers = await asyncio.gather(*(http.get(URL) for _ in range(20)))
    assert {answer.unwrap().status for answer in answers} == {200}


def test_a_client_works_in_one_event_loop_after_the_other(provider: IdentityProvider) -> None:
    provider.answers["/x"] = Answer(b"{}")
    http = HttpClient("provider", deadline_seconds=5)
    for _ in range(2):
        assert asyncio.run(http.get(URL)).unwrap().status == 200


class Tokens(BaseModel):
    access_token: str


@pytest.mark.parametrize("body", [b"<secret>", b'{"access_token": ["secret"]}', b'"secret"', b"[" * 10_000, b"\xff"])
def test_an_answer_that_does_not_fit_is_never_logged(body: bytes) -> None:
    error = failure_of(HttpResponse(200, {}, body).parse(Tokens))
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE
    assert "secret" not in f"{error} {error.cause} {error.context}"
    assert error.cause is not None
    assert error.cause.__context__ is None


def test_an_answer_that_fits() -> None:
    assert HttpResponse(200, {}, b'{"access_token": "a", "more": 1}').parse(Tokens) == Success(Tokens(access_token="a"))
