"""Browser automation: registered, so that stored preferences keep working, and switched off."""

from typing import Any

from agents.tools.results import Envelope, error_text


def _disabled() -> Envelope:
    # A new one each time: the framework writes the id of the tool use into it.
    return error_text("Browser automation is disabled in this deployment.")


async def browser_navigate(url: str) -> Envelope:  # noqa: ARG001 - the parameters are what the model is told
    """Open a web page in the browser.

    Args:
        url: Address of the page.
    """
    return _disabled()


async def browser_act(instruction: str) -> Envelope:  # noqa: ARG001 - as above
    """Do something on the current page of the browser.

    Args:
        instruction: What to do, in plain words.
    """
    return _disabled()


async def browser_extract(description: str, extraction_schema: dict[str, Any]) -> Envelope:  # noqa: ARG001 - as above
    """Extract structured data from the current page of the browser.

    Args:
        description: What to extract.
        extraction_schema: JSON schema of the data.
    """
    return _disabled()


async def browser_get_page_info() -> Envelope:
    """Describe the current page of the browser."""
    return _disabled()
