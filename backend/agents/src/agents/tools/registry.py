"""The local tools. Importing this module imports none of them."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

# tool id -> module that defines a function of that name
LOCAL_TOOLS: dict[str, str] = {
    "calculator": "agents.tools.calculator",
    "create_visualization": "agents.tools.visualization",
    "browser_navigate": "agents.tools.browser",
    "browser_act": "agents.tools.browser",
    "browser_extract": "agents.tools.browser",
    "browser_get_page_info": "agents.tools.browser",
}


def load_tools(ids: Sequence[str]) -> list[Any]:
    """The framework's tool objects. Blocks while modules are imported: call it in a worker thread."""
    from strands import tool  # noqa: PLC0415 - lazy: the framework stays out of the start

    functions: list[Callable[..., Any]] = [
        getattr(importlib.import_module(LOCAL_TOOLS[tool_id]), tool_id) for tool_id in ids
    ]
    return [tool(function) for function in functions]
