"""What the environment variables mean, and that a wrong value ends the start with a message that names it."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apis.shared import settings as settings_module
from apis.shared.rbac.system_admin import SystemAdminConfig
from apis.shared.settings import (
    AppRoleCacheSettings,
    AuthSettings,
    AwsSettings,
    ChatSettings,
    CompactionSettings,
    InstitutionSettings,
    MemorySettings,
    ModelSettings,
    Settings,
    StorageSettings,
    WebSettings,
    load,
    load_env_file,
    source_root,
)
from apis.shared.wiring import forget_all

APP_API, INFERENCE_API = "apis.app_api.main", "apis.inference_api.main"
CONCERNS: tuple[type[Settings], ...] = (
    AwsSettings,
    AuthSettings,
    InstitutionSettings,
    WebSettings,
    StorageSettings,
    MemorySettings,
    CompactionSettings,
    ModelSettings,
    ChatSettings,
    AppRoleCacheSettings,
)
VARIABLES = {name.upper() for kind in CONCERNS for name in kind.model_fields} | {"AWS_REGION", "AWS_DEFAULT_REGION"}


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def value_of(kind: type[Settings], field: str) -> Any:
    return getattr(load(kind).unwrap(), field)


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    # With a region, the Inference API does not read a developer's `.env`.
    environment |= {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2", **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("module", "variable", "value"),
    [
        (INFERENCE_API, "COMPACTION_TOKEN_THRESHOLD", "x"),
        (APP_API, "AWS_MAX_ATTEMPTS", "0"),
        (APP_API, "LOG_LEVEL", "loud"),
        (APP_API, "DEV_USER_ROLES", "["),
    ],
)
def test_a_wrong_value_ends_the_start(module: str, variable: str, value: str) -> None:
    ended = python(f"import {module}", **{variable: value})
    assert ended.returncode == 1
    (message,) = ended.stderr.strip().splitlines()
    assert message.startswith(f"Invalid configuration. {variable}: ")


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [
        (AwsSettings, "AWS_MAX_ATTEMPTS", "many"),
        (AwsSettings, "AWS_RETRY_MODE", "eager"),
        (AuthSettings, "DEV_USER_ROLES", '{"a": 1}'),
        (InstitutionSettings, "BASE_ROLES", "[1]"),
        (CompactionSettings, "COMPACTION_PROTECTED_TURNS", "2.5"),
        (CompactionSettings, "COMPACTION_TOKEN_THRESHOLD", "100k"),
        (CompactionSettings, "COMPACTION_TOKEN_THRESHOLD", "1e5"),
        (ModelSettings, "MODEL_RETRY_DELAY_SECONDS", "-1"),
        (StorageSettings, "FILE_UPLOAD_MAX_FILES_PER_MESSAGE", "five"),
    ],
)
def test_a_wrong_value_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, kind: type[Settings], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    error = load(kind).failure()
    assert error.code == "internal_error"
    assert error.message.startswith(f"Invalid configuration. {variable}: ")
    assert f"'{value}'" not in error.message


@pytest.mark.parametrize("kind", CONCERNS)
def test_an_empty_value_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, kind: type[Settings]) -> None:
    unset = load(kind).unwrap()
    # Two variables give the empty value a meaning of its own.
    own_meaning = {"ENABLE_AUTHENTICATION", "DYNAMODB_APP_ROLES_TABLE_NAME"}
    for name in VARIABLES - own_meaning:
        monkeypatch.setenv(name, "")
    forget_all()
    assert load(kind).unwrap() == unset


def test_an_empty_roles_table_switches_stored_roles_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert value_of(StorageSettings, "dynamodb_app_roles_table_name") == "app-roles"
    forget_all()
    monkeypatch.setenv("DYNAMODB_APP_ROLES_TABLE_NAME", "")
    assert value_of(StorageSettings, "dynamodb_app_roles_table_name") is None


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (CompactionSettings, "compaction_enabled"),
        (ChatSettings, "enable_quota_enforcement"),
        (ChatSettings, "agentcore_gateway_mcp_enabled"),
        (AuthSettings, "enable_authentication"),
    ],
)
@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("TRUE", True), (" true ", True), ("1", False), ("yes", False), ("on", False), ("false", False)],
)
def test_only_true_is_true(
    monkeypatch: pytest.MonkeyPatch, kind: type[Settings], field: str, value: str, expected: bool
) -> None:
    monkeypatch.setenv(field.upper(), value)
    assert value_of(kind, field) is expected


@pytest.mark.parametrize(("value", "turns"), [("-1", 1), ("0", 1), ("1", 1), ("", 2), ("100", 100)])
def test_k5_and_p9_the_last_turn_is_always_protected(monkeypatch: pytest.MonkeyPatch, value: str, turns: int) -> None:
    monkeypatch.setenv("COMPACTION_PROTECTED_TURNS", value)
    assert load(CompactionSettings).unwrap().protected_turns == turns


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("", False)])
def test_authentication_is_on_unless_the_variable_is_there(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool
) -> None:
    if value is not None:
        monkeypatch.setenv("ENABLE_AUTHENTICATION", value)
    assert value_of(AuthSettings, "enable_authentication") is expected


@pytest.mark.parametrize("value", ["[", '"Admins"', "[1]", "Admins"])
def test_a_typing_error_locks_no_administrator_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    monkeypatch.setenv("ADMIN_JWT_ROLES", value)
    with caplog.at_level(logging.WARNING):
        roles = [value_of(AuthSettings, "admin_jwt_roles") for _ in range(2)]
    assert roles == [("DotNetDevelopers",)] * 2
    (record,) = caplog.records
    assert getattr(record, "variable", None) == "ADMIN_JWT_ROLES"


def test_f_qtm_84_it_is_warned_of_once_though_it_is_read_with_every_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ADMIN_JWT_ROLES", "Admins")
    for _ in range(3):
        assert SystemAdminConfig.get_admin_jwt_roles() == ["DotNetDevelopers"]
    monkeypatch.setenv("ADMIN_JWT_ROLES", '["Root"]')
    assert SystemAdminConfig.get_admin_jwt_roles() == ["Root"]
    monkeypatch.setenv("ADMIN_JWT_ROLES", "[1]")
    assert not SystemAdminConfig.is_system_admin(["Root", "1"]), "access is never widened"
    assert len(caplog.records) == 2, "once for each value"


def test_administrators_are_a_json_array(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("ADMIN_JWT_ROLES", '["One", "Two"]')
    assert value_of(AuthSettings, "admin_jwt_roles") == ("One", "Two")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("value", "minutes", "warnings"),
    [("0", 0, 0), (" 7 ", 7, 0), ("soon", 10, 1), ("-1", 10, 1), ("1.5", 10, 1), ("\u00b2", 10, 1)],
)
def test_f_rbac_18_a_cache_keeps_its_default_when_the_minutes_are_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str, minutes: int, warnings: int
) -> None:
    monkeypatch.setenv("APP_ROLE_ROLE_CACHE_TTL_MINUTES", value)
    found = [value_of(AppRoleCacheSettings, "app_role_role_cache_ttl_minutes") for _ in range(2)]
    assert found == [minutes] * 2
    told = [(record.getMessage(), record.__dict__["context"]) for record in caplog.records]
    assert told == [("suppressed failure", {"variable": "APP_ROLE_ROLE_CACHE_TTL_MINUTES"})] * warnings


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, "us-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-central-1"),
    ],
)
def test_f_qtm_85_the_region(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert value_of(AwsSettings, "region") == region


@pytest.mark.parametrize(
    ("variables", "table"),
    [
        ({}, "QuotaEvents"),
        ({"DYNAMODB_EVENTS_TABLE": "deployed"}, "deployed"),
        ({"DYNAMODB_QUOTA_EVENTS_TABLE": "", "DYNAMODB_EVENTS_TABLE": "deployed"}, "deployed"),
        ({"DYNAMODB_QUOTA_EVENTS_TABLE": "chosen", "DYNAMODB_EVENTS_TABLE": "deployed"}, "chosen"),
    ],
    ids=["default", "deployed", "an empty one", "both"],
)
def test_f_users_11_the_table_of_quota_events_has_two_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], table: str
) -> None:
    for name in ("DYNAMODB_QUOTA_EVENTS_TABLE", "DYNAMODB_EVENTS_TABLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert StorageSettings().dynamodb_quota_events_table == table


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert "sk-secret" not in repr(load(ModelSettings).unwrap())


def test_the_local_folders_are_beside_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = source_root()
    assert (root.parent.name, root.name) == ("backend", "src")
    assert value_of(StorageSettings, "sessions_dir") == root / "sessions"
    forget_all()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SESSIONS_DIR", "data")
    assert value_of(StorageSettings, "sessions_dir") == tmp_path / "data"


def test_an_installed_package_uses_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings_module, "__file__", str(tmp_path / "lib" / "apis" / "shared" / "settings.py"))
    monkeypatch.chdir(tmp_path)
    assert source_root() == tmp_path


def test_the_env_file_does_not_win_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_URL=from-file\nINSTITUTION_NAME=from-file\n")
    monkeypatch.setattr(settings_module, "source_root", lambda: tmp_path)
    monkeypatch.setenv("GATEWAY_URL", "from-environment")
    monkeypatch.setenv("INSTITUTION_NAME", "to be removed")
    monkeypatch.delenv("INSTITUTION_NAME")
    load_env_file()
    assert value_of(ChatSettings, "gateway_url") == "from-environment"
    assert value_of(InstitutionSettings, "institution_name") == "from-file"


@pytest.mark.parametrize("module", [APP_API, INFERENCE_API])
def test_f_qtm_85_a_start_neither_imports_the_sdk_nor_opens_a_connection(module: str) -> None:
    code = f"""
import socket, sys
def refuse(*_): raise AssertionError("a connection at import")
socket.socket.connect = socket.create_connection = refuse
import {module}
print([name for name in ("boto3", "botocore") if name in sys.modules])
"""
    ended = python(code, DYNAMODB_SESSIONS_METADATA_TABLE_NAME="sessions", AGENTCORE_MEMORY_TYPE="dynamodb")
    assert (ended.returncode, ended.stdout.strip()) == (0, "[]"), ended.stderr
