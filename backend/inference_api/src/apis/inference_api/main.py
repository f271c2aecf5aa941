"""`uvicorn apis.inference_api.main:app`"""

import os

from apis.inference_api.chat.routes import router as chat
from apis.inference_api.health.routes import router as health
from apis.shared.costs.service import warn_unaccounted
from apis.shared.http import create_service
from apis.shared.knowledge.service import warn_without_knowledge
from apis.shared.quota.service import report_unenforceable
from apis.shared.settings import (
    AuthSettings,
    AwsSettings,
    ChatSettings,
    CompactionSettings,
    InstitutionSettings,
    MemorySettings,
    ModelSettings,
    StorageSettings,
    WebSettings,
    load_env_file,
    settings,
)

LOCAL_ORIGIN = "http://localhost:4200"
# Five documents of 4.5 MB in base64, and the message.
MAX_BODY_BYTES = 40 * 1024 * 1024

if not (os.environ.get("AWS_REGION") and os.environ.get("AWS_DEFAULT_REGION")):
    load_env_file()
for concern in (
    AwsSettings,
    AuthSettings,
    ChatSettings,
    CompactionSettings,
    InstitutionSettings,
    MemorySettings,
    ModelSettings,
    StorageSettings,
):
    settings(concern)

web = settings(WebSettings)


def _on_start() -> None:
    warn_unaccounted()
    warn_without_knowledge()
    report_unenforceable()


app = create_service(
    title="Inference API",
    version="2.0.0",
    description="Runs an agent for one user message and streams its answer.",
    tags=[
        {"name": "Chat", "description": "One turn of a conversation."},
        {"name": "Health", "description": "For the runtime and container health checks."},
    ],
    routers=[health, chat],
    origins=(LOCAL_ORIGIN, *web.extra_origins) if web.is_development else web.extra_origins,
    max_body_bytes=MAX_BODY_BYTES,
    on_start=_on_start,
    compress=True,
)
