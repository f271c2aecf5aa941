"""What of the answer of a token endpoint is used."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.http_client import HttpResponse
from apis.shared.oauth.answers import LONGEST_LIFETIME_SECONDS, is_refused_for_good, lifetime, parse_answer
from apis.shared.oauth.endpoints import basic
from apis.shared.result import Failure, Success, error_of


def parsed(body: Any, status: int = 200, content_type: str = "application/json") -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_answer(HttpResponse(status, {"content-type": content_type}, content))


@pytest.mark.parametrize(
    ("given_lifetime", "seconds"),
    [
        ("3600", 3600),
        (3599.0, 3599),
        ("3600.0", 3600),
        (3600.7, 3600),
        (None, None),
        (0, None),
        ("0", None),
        ("", None),
        (" ", None),
        (-5, None),
        (float("inf"), None),
        (99999999999999, None),
        (10**400, None),
        ("1e400", None),
        (0.5, None),
        (LONGEST_LIFETIME_SECONDS, LONGEST_LIFETIME_SECONDS),
        (LONGEST_LIFETIME_SECONDS + 1, None),
    ],
)
def test_t3_lifetimes(given_lifetime: Any, seconds: int | None) -> None:
    assert lifetime(given_lifetime) == Success(seconds)
    assert type(lifetime(given_lifetime).unwrap()) is type(seconds)


@pytest.mark.parametrize("given_lifetime", ["1 hour", [3600], True, False, {}, "nan", "inf", float("nan"), "0x10"])
def test_t3_what_is_no_lifetime(given_lifetime: Any) -> None:
    assert isinstance(lifetime(given_lifetime), Failure)
    answered = parsed({"access_token": "AT"}).unwrap()
    assert (answered.lifetime_is_readable, answered.lifetime_seconds) == (True, None)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.decimals().map(str)))
def test_a_lifetime_is_whole_and_storable_whatever_is_sent(value: Any) -> None:
    match lifetime(value):
        case Success(seconds):
            assert seconds is None or (type(seconds) is int and 1 <= seconds <= LONGEST_LIFETIME_SECONDS)
            if seconds is not None:
                assert seconds <= Decimal(str(value)) < seconds + 1
        case _:
            assert value is not None


@pytest.mark.parametrize(
    ("error", "status", "code", "for_good"),
    [
        ("invalid_grant", 400, "bad_request", True),
        ("bad_refresh_token", 200, "bad_request", True),
        ("interaction_required", 400, "bad_request", True),
        ("consent_required", 400, "bad_request", True),
        ("login_required", 400, "bad_request", True),
        ("invalid_client", 401, "internal_error", False),
        ("unauthorized_client", 400, "internal_error", False),
        ("something of theirs", 400, "internal_error", False),
        ("temporarily_unavailable", 400, "service_unavailable", False),
        ("slow_down", 400, "service_unavailable", False),
        ({"code": 1}, 400, "internal_error", False),
        (None, 400, "service_unavailable", False),
    ],
)
def test_t7_and_p4_refusals(error: Any, status: int, code: str, for_good: bool) -> None:
    failure = error_of(parsed({"error": error, "error_description": "secret words"}, status))
    assert failure is not None
    assert (failure.code, is_refused_for_good(failure)) == (code, for_good)
    assert "words" not in f"{failure.context} {failure}"
    assert "theirs" not in f"{failure.context} {failure}"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<html>", b"null", b"5", b"\xff", b"[" * 100_000, b"{}"])
def test_t6_what_is_no_answer(body: bytes) -> None:
    failure = error_of(parsed(body))
    assert failure is not None
    assert failure.code == "service_unavailable"


def test_nothing_of_an_answer_is_in_its_representation() -> None:
    answered = parsed({"access_token": "SECRET-A", "refresh_token": "SECRET-R", "id_token": "SECRET-I"})
    assert "SECRET" not in repr(answered)


@given(st.text(), st.text())
def test_t10_credentials_are_sent_raw_or_not_at_all(client_id: str, secret: str) -> None:
    header = basic(client_id, secret)
    is_latin = all(ord(character) < 256 for character in client_id + secret)
    assert (header is not None) == is_latin
    assert header is None or header.isascii()
