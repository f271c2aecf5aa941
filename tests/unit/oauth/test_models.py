"""What is derived from a provider and a connection."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.oauth.models import Connection, OAuthProvider, scopes_hash, shown_connection

MOMENT = "2025-01-15T10:30:45.123456Z"
NOW = 1_000_000.0


def provider(**members: Any) -> OAuthProvider:
    known = {
        "provider_id": "p1",
        "display_name": "P",
        "provider_type": "custom",
        "authorization_endpoint": "https://a",
        "token_endpoint": "https://t",
        "client_id": "cid",
        "icon_name": "heroLink",
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    return OAuthProvider(**{**known, **members})


def connection(**members: Any) -> Connection:
    known = {
        "user_id": "u1",
        "provider_id": "p1",
        "access_token_encrypted": "SECRET-A",
        "refresh_token_encrypted": "SECRET-R",
        "scopes_hash": scopes_hash([]),
        "connected_at": MOMENT,
        "updated_at": MOMENT,
    }
    return Connection(**{**known, **members})


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ([], "e3b0c44298fc1c14"),
        (["openid", "email", "profile"], "205e6c30c0cc771f"),
        (["openid", "https://x/drive.readonly"], "350e9a5caa72c42c"),
    ],
)
def test_the_hash_of_scopes(scopes: list[str], expected: str) -> None:
    assert scopes_hash(scopes) == expected


@given(st.lists(st.text(max_size=8)), st.randoms())
def test_t8_the_order_of_scopes_does_not_matter(scopes: list[str], random: Any) -> None:
    shuffled = list(scopes)
    random.shuffle(shuffled)
    assert scopes_hash(shuffled) == scopes_hash(scopes)


OTHER = scopes_hash(["other"])


@pytest.mark.parametrize(
    ("members", "status", "needs_reauth"),
    [
        ({}, "connected", False),
        ({"expires_at": 999_999}, "connected", False),
        ({"expires_at": 999_999, "refresh_token_encrypted": None}, "expired", False),
        ({"expires_at": 999_999, "status": "expired"}, "expired", False),
        ({"expires_at": 999_999, "status": "expired", "scopes_hash": OTHER}, "expired", True),
        ({"expires_at": 999_999, "scopes_hash": OTHER}, "needs_reauth", True),
        ({"expires_at": 1_000_000, "refresh_token_encrypted": None}, "connected", False),
        ({"scopes_hash": OTHER, "status": "expired"}, "needs_reauth", True),
        ({"scopes_hash": ""}, "needs_reauth", True),
        ({"status": "revoked"}, "revoked", False),
        ({"status": "expired"}, "expired", False),
    ],
    ids=str,
)
def test_4_5_the_status_that_is_shown(members: dict[str, Any], status: str, needs_reauth: bool) -> None:
    shown = shown_connection(provider(), connection(**members), NOW)
    assert (shown.status, shown.needs_reauth, shown.connected_at) == (status, needs_reauth, MOMENT)


def test_without_a_connection() -> None:
    shown = shown_connection(provider(), None, NOW)
    assert (shown.status, shown.needs_reauth, shown.connected_at) == ("revoked", False, None)


@pytest.mark.parametrize(
    ("allowed", "held", "permitted"),
    [([], [], True), (["a"], [], False), (["a"], ["b", "a"], True), (["*"], ["b"], False), (["a"], ["A"], False)],
)
def test_4_1_who_may_use_a_provider(allowed: list[str], held: list[str], permitted: bool) -> None:
    assert provider(allowed_roles=allowed).permits(held) is permitted


def test_nothing_of_a_token_is_in_a_representation() -> None:
    assert "SECRET" not in repr(connection())
