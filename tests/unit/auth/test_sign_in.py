"""What signing in needs to be configured, and what a state must have kept."""

import pytest

from apis.app_api.auth.service import Application
from apis.shared.auth.entra import keys_http, tokens_http
from apis.shared.auth.service import warn_of_tenant_name
from apis.shared.errors import ErrorCode
from apis.shared.settings import AuthSettings, load
from apis.shared.wiring import forget_all

VARIABLES = {
    "ENTRA_TENANT_ID": "ten",
    "ENTRA_CLIENT_ID": "cli",
    "ENTRA_CLIENT_SECRET": "the-secret",
    "ENTRA_REDIRECT_URI": "https://a/cb",
}


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("missing", [*([name] for name in VARIABLES), list(VARIABLES)], ids=", ".join)
@pytest.mark.parametrize("value", [None, ""])
def test_all_four_variables_are_needed(monkeypatch: pytest.MonkeyPatch, missing: list[str], value: str | None) -> None:
    for name in missing:
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    error = Application.of(AuthSettings()).failure()
    assert (error.code, error.detail) == (ErrorCode.SERVICE_UNAVAILABLE, "Authentication is not configured")
    assert error.context == {"reason": f"not set: {', '.join(missing)}"}
    assert "ENTRA" not in error.model_dump_json()


def test_keys_and_tokens_have_connections_of_their_own() -> None:
    """Else 100 who sign in while tokens are slow to come keep out everybody whose token has to be checked."""
    assert keys_http is not tokens_http


def test_the_secret_is_never_shown() -> None:
    assert "the-secret" not in repr(AuthSettings())
    assert "the-secret" not in repr(Application.of(AuthSettings()).unwrap())


@pytest.mark.parametrize(
    ("configured", "authority"),
    [
        (None, "https://login.microsoftonline.com"),
        ("", "https://login.microsoftonline.com"),
        ("https://login.partner.microsoftonline.cn/", "https://login.partner.microsoftonline.cn"),
        ("http://127.0.0.1:8004", "http://127.0.0.1:8004"),
        ("http://localhost:8004/idp/", "http://localhost:8004/idp"),
    ],
)
def test_the_authority(monkeypatch: pytest.MonkeyPatch, configured: str | None, authority: str) -> None:
    if configured is not None:
        monkeypatch.setenv("ENTRA_AUTHORITY", configured)
    tenant = Application.of(AuthSettings()).unwrap().tenant
    assert tenant.issuer == f"{authority}/ten/v2.0"
    assert tenant.key_set_url == f"{authority}/ten/discovery/v2.0/keys"
    assert tenant.token_url == f"{authority}/ten/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "value", ["login.microsoftonline.us", "http://login.microsoftonline.us", "https://a/?b", "https://u@a", "ftp://a"]
)
def test_no_secret_is_sent_where_it_is_not_safe(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ENTRA_AUTHORITY", value)
    assert load(AuthSettings).failure().message.startswith("Invalid configuration. ENTRA_AUTHORITY: ")


@pytest.mark.parametrize(
    ("tenant_id", "warnings"), [("8f3c2f6e-5d0a-4d4e-9d35-3a9a6d1d5a10", 0), ("", 0), ("example.edu", 1)]
)
def test_p11_a_tenant_by_name_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tenant_id: str, warnings: int
) -> None:
    monkeypatch.setenv("ENTRA_TENANT_ID", tenant_id)
    forget_all()
    warn_of_tenant_name()
    assert [getattr(record, "variable", None) for record in caplog.records] == ["ENTRA_TENANT_ID"] * warnings
