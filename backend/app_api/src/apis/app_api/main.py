"""`uvicorn apis.app_api.main:app`"""

from apis.app_api.assistants.routes import router as assistants
from apis.app_api.auth.routes import router as auth
from apis.app_api.chat.routes import router as chat
from apis.app_api.costs.routes import admin_router as admin_costs
from apis.app_api.costs.routes import router as costs
from apis.app_api.documents.routes import router as documents
from apis.app_api.files.routes import router as files
from apis.app_api.health.routes import router as health
from apis.app_api.listings.routes import admin_router as listings
from apis.app_api.memory.routes import router as memory
from apis.app_api.memory.routes import status_router as memory_status
from apis.app_api.models.routes import admin_router as managed_models
from apis.app_api.models.routes import router as models
from apis.app_api.models.routes import system_admin_router as managed_models_from_roles
from apis.app_api.oauth.routes import admin_router as oauth_providers
from apis.app_api.oauth.routes import callback_router as oauth_callback
from apis.app_api.oauth.routes import router as oauth
from apis.app_api.origins import allowed_origins
from apis.app_api.quota.routes import admin_router as quota
from apis.app_api.roles.routes import admin_router as roles
from apis.app_api.roles.routes import system_admin_router as role_changes
from apis.app_api.sessions.routes import router as sessions
from apis.app_api.tools.routes import admin_router as tool_catalogue
from apis.app_api.tools.routes import router as tools
from apis.app_api.users.routes import admin_router as admin_users
from apis.app_api.users.routes import router as users
from apis.shared.auth.service import warn_of_tenant_name
from apis.shared.costs.service import warn_unaccounted
from apis.shared.http import create_service
from apis.shared.knowledge.service import warn_without_knowledge
from apis.shared.settings import (
    AppRoleCacheSettings,
    AuthSettings,
    AwsSettings,
    CompactionSettings,
    InstitutionSettings,
    MemorySettings,
    OAuthSettings,
    StorageSettings,
    load_env_file,
    settings,
)

MAX_BODY_BYTES = 2 * 1024 * 1024

load_env_file()
for concern in (
    AppRoleCacheSettings,
    AwsSettings,
    CompactionSettings,
    AuthSettings,
    InstitutionSettings,
    MemorySettings,
    OAuthSettings,
    StorageSettings,
):
    settings(concern)


def _on_start() -> None:
    warn_unaccounted()
    warn_of_tenant_name()
    warn_without_knowledge()


app = create_service(
    title="App API",
    version="2.0.0",
    description="Sessions, messages and administration of the chat assistant.",
    tags=[
        {"name": "Sign-in", "description": "From the identity provider to tokens, and back out."},
        {"name": "Sessions", "description": "The caller's conversations and their messages."},
        {"name": "Assistants", "description": "Own instructions for the model, and with whom they are shared."},
        {"name": "Documents", "description": "What an assistant's answers rest on: uploading, watching, deleting."},
        {"name": "Chat", "description": "Naming conversations, and what old clients chat with."},
        {"name": "Memory", "description": "What is remembered of the caller across conversations."},
        {"name": "Tools", "description": "Which tools there are, who may use them, and which are switched on."},
        {"name": "Models", "description": "Which models there are, what they cost, and who may use them."},
        {"name": "Users", "description": "Finding people, and what administrators see of them."},
        {"name": "Roles", "description": "What roles of the token give a user: tools, models, a quota tier."},
        {"name": "Quota", "description": "Who may spend how much: tiers, whom they are for, and what came of it."},
        {"name": "Connections", "description": "Accounts elsewhere that tools may use in the caller's name."},
        {"name": "Costs", "description": "What the caller spent, and for administrators what everybody did."},
        {"name": "Files", "description": "What the caller has uploaded to attach to messages."},
        {"name": "Health", "description": "For load balancers and container health checks."},
    ],
    routers=[
        health,
        auth,
        sessions,
        assistants,
        documents,
        chat,
        memory_status,
        memory,
        tools,
        tool_catalogue,
        models,
        managed_models,
        managed_models_from_roles,
        listings,
        users,
        admin_users,
        roles,
        role_changes,
        quota,
        oauth,
        oauth_callback,
        oauth_providers,
        costs,
        admin_costs,
        files,
    ],
    origins=allowed_origins(),
    max_body_bytes=MAX_BODY_BYTES,
    on_start=_on_start,
)
