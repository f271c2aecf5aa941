"""/docs and /redoc in a real browser on a machine without internet."""

import asyncio
import json
import shutil
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.model_server import answer
from tests.surface.conftest import Surface
from tests.surface.npm import CLIENTS, missing, require_node_modules

pytestmark = pytest.mark.timeout(360)


async def look(url: str, *action: str) -> dict[str, Any]:
    """What the browser shows. In a process of its own: the model that the services ask runs in this one."""
    require_node_modules()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing("Chromium is not installed: the pages are not tested in a browser (Debian: apt-get install chromium)")
    process = await asyncio.create_subprocess_exec(
        *("node", "browser.js", str(chromium), url, *action),
        cwd=CLIENTS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))


@pytest.mark.parametrize(
    ("name", "page", "shown"),
    [
        ("app", "docs", ["App API", "Sessions", "List my sessions", "/sessions/{session_id}/metadata"]),
        ("inference", "docs", ["Inference API", "Send a message and stream the answer", "/invocations"]),
        ("app", "redoc", ["App API", "List my sessions", "license: MIT"]),
        ("inference", "redoc", ["Inference API", "Send a message and stream the answer"]),
    ],
)
async def test_the_page_is_shown_and_loads_nothing_from_elsewhere(
    open_surface: Surface, name: str, page: str, shown: list[str]
) -> None:
    base = open_surface.url(name)
    seen = await look(f"{base}/{page}")
    for text in shown:
        assert text.lower() in seen["text"].lower()
    elsewhere = {url for url in seen["requested"] if urlsplit(url).scheme not in {"data", "blob"}}
    assert {urlsplit(url)._replace(path="", query="", fragment="").geturl() for url in elsewhere} == {base}
    assert seen["problems"] == []


async def test_the_example_can_be_tried_again_and_again(open_surface: Surface) -> None:
    """Each reader of the page gets a session of their own, and a model that is there."""
    sessions = set()
    for _ in range(2):
        open_surface.model.reset()
        open_surface.model.script(answer("Plants", " eat light."))
        seen = (await look(f"{open_surface.url('inference')}/docs", "try"))["answer"]
        assert seen["status"].split()[0] == "200"
        assert '"text": " eat light."' in seen["text"]
        assert "event: done" in seen["text"]
        assert "stream_error" not in seen["text"]
        sessions.add(json.loads(seen["body"])["session_id"])
    assert len(sessions) == 2


def test_the_example_works_for_whoever_sends_it(surface: Surface) -> None:
    """Without a browser: what a program reads from the document is accepted, twice."""
    for _ in range(2):
        (example,) = surface.document("inference")["components"]["schemas"]["InvocationRequest"]["examples"]
        with httpx.stream(
            "POST", f"{surface.url('inference')}/invocations", json=example, headers=surface.headers, trust_env=False
        ) as response:
            assert response.status_code == 200


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_page_may_load_nothing_from_elsewhere(surface: Surface, page: str) -> None:
    answered = httpx.get(f"{surface.url('app')}/{page}", trust_env=False)
    assert answered.headers["content-security-policy"].startswith("default-src 'none'; connect-src 'self'")
    assert "https://" not in answered.text
    assert "http://" not in answered.text.replace(surface.url("app"), "")
