"""Tools that behave in ways which the platform's own do not."""

import base64
import threading
from typing import Any

PNG = base64.b64decode("iVBORw==")

started: list[str] = []
release = threading.Event()


def picture() -> dict[str, Any]:
    """Answer with an image."""
    return {"status": "success", "content": [{"text": "ok"}, {"image": {"format": "png", "source": {"bytes": PNG}}}]}


def raising(secret: str) -> str:
    """Fail.

    Args:
        secret: What the exception quotes.
    """
    msg = f"nws down for {secret}"
    raise RuntimeError(msg)


def structured() -> dict[str, Any]:
    """Answer with something that is no envelope."""
    return {"temperature": 21, "fresh": True}


def waiting(name: str) -> str:
    """Run until it is released.

    Args:
        name: Which use this is.
    """
    started.append(name)
    release.wait(10)
    return name


def halved() -> str:
    """Answer with half a character."""
    return "Nice \udcaf day"
