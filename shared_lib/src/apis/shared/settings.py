"""Typed settings, one class per concern, read from the environment variables of the existing system.

An empty value counts as unset, a boolean is true only for the word `true`. "Not configured" is a state that the
contract defines for each variable and never stops a process; a value that cannot be read does: `settings` names the
variable and ends the start (each service loads what it needs before it serves).
"""

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Literal, cast

from dotenv import load_dotenv
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, best_effort, fold
from apis.shared.wiring import on_forget, once

logger = logging.getLogger(__name__)


def source_root() -> Path:
    """Where `.env` and the local data folders live: `backend/src` of a checkout, else the working directory."""
    checkout = Path(__file__).resolve().parents[4]
    if (checkout / "shared_lib").is_dir() and (checkout / "backend").is_dir():
        return checkout / "backend" / "src"
    return Path.cwd()


def load_env_file() -> None:
    """Read `.env` beside the sources into the environment; variables that are already set win."""
    load_dotenv(source_root() / ".env", override=False)


def _only_true(value: object) -> object:
    return value.strip().lower() == "true" if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _json_array(value: object) -> object:
    if not isinstance(value, str):
        return value
    parsed = json.loads(value)
    if not isinstance(parsed, list) or not all(isinstance(item, str) for item in parsed):
        msg = "must be a JSON array of strings"
        raise ValueError(msg)
    return parsed


_UNREADABLE_JSON = ErrorTable.of((ValueError, lambda _: internal_error()))


def _json_array_or_default(value: object, info: ValidationInfo) -> object:
    # A typing error here must not lock every administrator out.
    def default(_: ErrorDetail) -> object:
        _warn_of(str(info.field_name).upper(), str(value))
        return DEFAULT_ADMIN_JWT_ROLES

    return fold(attempt(_json_array, value, errors=_UNREADABLE_JSON), success=lambda parsed: parsed, failure=default)


@once
def _warn_of(variable: str, _: str) -> None:
    """Once for each value: the variable is read anew with every request that needs it."""
    logger.warning("unreadable JSON array, using the default", extra={"variable": variable})


def _minutes(value: object, variable: str) -> Result[object, ErrorDetail]:
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, str) and not (text.isascii() and text.isdigit()):
        return Failure(internal_error(None, variable=variable))
    return Success(value)


def _minutes_or_default(value: object, info: ValidationInfo) -> object:
    return best_effort(
        _minutes(value, str(info.field_name).upper()),
        reason="How long permissions are kept changes only how soon a change of roles is seen.",
        default=Settings.default_of(AppRoleCacheSettings, str(info.field_name)),
    )


def _folder(value: Path) -> Path:
    return value.expanduser().absolute()


_AUTHORITY = re.compile(r"(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^?#\s]*)?")


def _authority(value: str) -> str:
    # The client secret and all tokens go there.
    if not _AUTHORITY.fullmatch(value):
        msg = "must be an https address (http on this machine only) without query"
        raise ValueError(msg)
    return value.rstrip("/")


def _host_names(value: object) -> object:
    return (
        tuple(name for part in value.lower().split(",") if (name := part.strip())) if isinstance(value, str) else value
    )


DEFAULT_ADMIN_JWT_ROLES = ("DotNetDevelopers",)

Flag = Annotated[bool, BeforeValidator(_only_true)]
LowerText = Annotated[str, BeforeValidator(_lower)]
JsonArray = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_json_array)]
HostNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_host_names)]
Minutes = Annotated[int, BeforeValidator(_minutes_or_default), Field(ge=0)]
Folder = Annotated[Path, AfterValidator(_folder)]
Authority = Annotated[str, AfterValidator(_authority)]


class Settings(BaseSettings):
    """Base of all settings classes: a field `some_name` is read from the variable `SOME_NAME`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True)

    @staticmethod
    def default_of(kind: "type[Settings]", field: str) -> object:
        return kind.model_fields[field].default


class AwsSettings(Settings):
    region: str = Field(default="us-west-2", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"))
    aws_max_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    aws_retry_mode: Literal["legacy", "standard", "adaptive"] | None = None


class AuthSettings(Settings):
    # Any value but `true` switches it off, and here the empty one counts: unset is on.
    enable_authentication: Flag = Field(default_factory=lambda: "ENABLE_AUTHENTICATION" not in os.environ)
    environment: LowerText = "production"
    entra_authority: Authority = "https://login.microsoftonline.com"
    entra_tenant_id: str | None = None
    entra_client_id: str | None = None
    # For signing in; tokens are checked without them.
    entra_client_secret: SecretStr | None = None
    entra_redirect_uri: str | None = None
    admin_jwt_roles: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_json_array_or_default)] = (
        DEFAULT_ADMIN_JWT_ROLES
    )
    dev_user_roles: JsonArray = ("Developer",)

    @property
    def is_development(self) -> bool:
        """Whether `ENABLE_AUTHENTICATION=false` is honoured."""
        return self.environment in {"development", "dev", "local"}


class InstitutionSettings(Settings):
    """What differs between institutions; the defaults are those of the institution that runs the existing system."""

    base_roles: JsonArray = (
        "Faculty",
        "Staff",
        "PSSTUCURTERM",
        "DotNetDevelopers",
        "All-Students Entra Sync",
        "All-Employees Entra Sync",
        "AWS-BoiseStateAI",
    )
    admin_roles: JsonArray = ("Admin", "SuperAdmin", "DotNetDevelopers")
    employee_number_claim: str = "http://schemas.boisestate.edu/claims/employeenumber"
    production_cors_origins: JsonArray = ("https://beta.boisestate.ai",)
    institution_name: str = "Boise State University"
    assistant_name: str = "boisestate.ai"


class WebSettings(Settings):
    environment: str | None = None
    cors_origins: str | None = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
    ] = "INFO"
    # The model of the example that /docs offers for a chat turn; unset: the default model.
    docs_example_model_id: str | None = None
    docs_example_provider: str | None = None

    @property
    def is_development(self) -> bool:
        """For the CORS rules, unset counts as development; for authentication it does not."""
        return self.environment in {None, "development"}

    @property
    def extra_origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in (self.cors_origins or "").split(",") if origin.strip())


class StorageSettings(Settings):
    """Table variables that are unset select local files, or a literal default name where the contract says so."""

    dynamodb_sessions_metadata_table_name: str | None = None
    dynamodb_cost_summary_table_name: str | None = None
    dynamodb_system_rollup_table_name: str | None = None
    dynamodb_managed_models_table_name: str | None = None
    # Unset: pending sign-ins are kept in the process.
    dynamodb_oidc_state_table_name: str | None = None
    dynamodb_users_table_name: str | None = None
    dynamodb_quota_table: str = "UserQuotas"
    # Deployments set the second name.
    dynamodb_quota_events_table: str = Field(
        default="QuotaEvents",
        validation_alias=AliasChoices("DYNAMODB_QUOTA_EVENTS_TABLE", "DYNAMODB_EVENTS_TABLE"),
    )
    # Here the empty value counts: it switches AppRoles and the stored tool catalogue off (None).
    dynamodb_app_roles_table_name: str | None = Field(
        default_factory=lambda: None if "DYNAMODB_APP_ROLES_TABLE_NAME" in os.environ else "app-roles"
    )
    dynamodb_user_files_table_name: str = "user-files"
    s3_user_files_bucket_name: str = "user-files"
    file_upload_max_files_per_message: Annotated[int, Field(ge=0)] = 5
    # Unset: assistants are kept in local files, without shares and documents.
    assistants_table_name: str | None = None
    assistants_documents_bucket_name: str | None = None
    # One of the two unset: assistants answer without their documents.
    assistants_vector_store_bucket_name: str | None = None
    assistants_vector_store_index_name: str | None = None
    assistants_dir: Folder = Field(default_factory=lambda: source_root() / "assistants")
    file_upload_max_size_bytes: Annotated[int, Field(ge=0)] = 4 * 1024 * 1024
    file_upload_user_quota_bytes: Annotated[int, Field(ge=0)] = 1024 * 1024 * 1024
    sessions_dir: Folder = Field(default_factory=lambda: source_root() / "sessions")
    managed_models_dir: Folder = Field(default_factory=lambda: source_root() / "managed_models")


class OAuthSettings(Settings):
    """Connections to accounts elsewhere; without the tables there are none."""

    dynamodb_oauth_providers_table_name: str | None = None
    dynamodb_oauth_user_tokens_table_name: str | None = None
    oauth_client_secrets_arn: str | None = None
    oauth_token_encryption_key_arn: str | None = None
    oauth_callback_url: str | None = None
    frontend_url: Annotated[str, AfterValidator(lambda value: value.rstrip("/"))] = "http://localhost:4200"
    # Of authentication, where unset is production: tokens without a key are for developers only.
    environment: LowerText = "production"

    @property
    def is_development(self) -> bool:
        return self.environment == "development"


class MemorySettings(Settings):
    agentcore_memory_type: LowerText = "file"
    agentcore_memory_id: str | None = None


class CompactionSettings(Settings):
    compaction_enabled: Flag = False
    compaction_token_threshold: int = 100_000
    compaction_protected_turns: int = 2
    compaction_max_tool_content_length: Annotated[int, Field(ge=0)] = 500

    @property
    def protected_turns(self) -> int:
        """The last turn is never cut."""
        return max(1, self.compaction_protected_turns)


class ModelSettings(Settings):
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    google_gemini_api_key: SecretStr | None = None
    # First pause before a throttled model call is repeated; it doubles four times.
    model_retry_delay_seconds: Annotated[int, Field(ge=0)] = 4
    warm_up_after_start: Flag = True
    # A model that never stops asking for tools costs money with each call. The framework nests one call in the other.
    max_model_calls_per_turn: Annotated[int, Field(ge=1, le=300)] = 50


class TitleSettings(Settings):
    # Of this call alone: not `AwsSettings.region`, which another variable stands in for.
    aws_region: str = "us-east-1"


class ListingSettings(Settings):
    """What administrators look at providers' models with."""

    openai_api_key: SecretStr | None = None
    google_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GOOGLE_API_KEY", "GOOGLE_GEMINI_API_KEY")
    )
    # Not `AwsSettings.region`, which another variable stands in for, and whose default is another one.
    aws_region: str = "us-east-1"


class ChatSettings(Settings):
    enable_quota_enforcement: Flag = False
    agentcore_gateway_mcp_enabled: Flag = True
    gateway_url: str | None = None


class ToolSettings(Settings):
    # Hosts (`name` or `name:port`, separated by commas) that tools may reach although they are not public.
    outgoing_allowed_hosts: HostNames = ()
    web_search_url: str = "https://html.duckduckgo.com/html/"
    weather_base_url: str = "https://api.weather.gov"
    institution_search_url: str = "https://api-us1.cludo.com/api/v3/10000203/10000303/search"
    tool_cludo_site_key: SecretStr | None = None
    project_name: str = "strands-agent-chatbot"
    environment: str = "dev"
    # Deployments set the second name.
    agentcore_code_interpreter_id: str | None = Field(
        default=None, validation_alias=AliasChoices("AGENTCORE_CODE_INTERPRETER_ID", "CODE_INTERPRETER_ID")
    )
    tool_server_start_seconds: Annotated[float, Field(gt=0, le=30)] = 30.0
    tool_call_seconds: Annotated[float, Field(gt=0, le=120)] = 120.0


class AppRoleCacheSettings(Settings):
    app_role_user_cache_ttl_minutes: Minutes = 5
    app_role_role_cache_ttl_minutes: Minutes = 10
    app_role_mapping_cache_ttl_minutes: Minutes = 10


def _invalid(error: ValidationError) -> ErrorDetail:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False)
    )
    return ErrorDetail(code=internal_error().code, message=f"Invalid configuration. {problems}")


_SETTINGS_ERRORS = ErrorTable.of((ValidationError, _invalid))
_loaded: dict[type[Settings], Settings] = {}
on_forget(_loaded.clear)


def load[S: Settings](kind: type[S]) -> Result[S, ErrorDetail]:
    """The settings of one concern, read once per process. Fails with `internal_error` naming the variables."""
    known = _loaded.get(kind)
    if known is not None:
        return Success(cast("S", known))  # the dictionary maps each class to its own instance
    return attempt(kind, errors=_SETTINGS_ERRORS).map(lambda value: _remember(kind, value))


def settings[S: Settings](kind: type[S]) -> S:
    """The settings of one concern; a value that cannot be read ends the process with a message naming the variable."""
    return fold(load(kind), success=lambda value: value, failure=lambda error: sys.exit(error.message))


def _remember[S: Settings](kind: type[S], value: S) -> S:
    _loaded[kind] = value
    return value
