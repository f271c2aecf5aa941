"""The local tools. Importing this module imports none of them."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from apis.shared.wiring import once

# tool id -> module that defines a function of that name
LOCAL_TOOLS: dict[str, str] = {
    "calculator": "agents.tools.calculator",
    "create_visualization": "agents.tools.visualization",
    "ddg_web_search": "agents.tools.web_search",
    "fetch_url_content": "agents.tools.web_pages",
    "generate_diagram_and_validate": "agents.tools.code_runner",
    "get_current_weather": "agents.tools.weather",
    "search_boise_state": "agents.tools.institution_search",
    "browser_navigate": "agents.tools.browser",
    "browser_act": "agents.tools.browser",
    "browser_extract": "agents.tools.browser",
    "browser_get_page_info": "agents.tools.browser",
}


def load_tools(ids: Sequence[str]) -> list[Any]:
    """The framework's tool objects. Blocks while modules are imported: call it in a worker thread."""
    return [_load(tool_id) for tool_id in ids]


@once
def _load(tool_id: str) -> Any:
    from strands import tool  # noqa: PLC0415 - lazy: the framework stays out of the start

    function: Callable[..., Any] = getattr(importlib.import_module(LOCAL_TOOLS[tool_id]), tool_id)
    return tool(function)
