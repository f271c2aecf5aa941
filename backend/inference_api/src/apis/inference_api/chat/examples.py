"""What OpenAPI shows of a turn."""

from pathlib import Path
from typing import Any

from apis.shared.http import FRESH_ID
from apis.shared.settings import WebSettings, settings

STREAM = Path(__file__).with_name("stream_example.sse").read_text(encoding="utf-8")
"""A turn that uses a tool."""


def request() -> dict[str, Any]:
    """A request that this deployment can answer: `/docs` offers it for trying out."""
    web = settings(WebSettings)
    chosen = {"model_id": web.docs_example_model_id, "provider": web.docs_example_provider}
    return {
        "session_id": FRESH_ID,
        "message": "Explain photosynthesis in two sentences.",
        **{name: value for name, value in chosen.items() if value is not None},
    }
