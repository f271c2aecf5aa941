"""Clients that are generated from the published documents, used against the running services."""

import asyncio
import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.model_server import answer
from tests.support.platform import PRICED
from tests.surface.conftest import APIS, Surface
from tests.surface.npm import CLIENTS, require_node_modules

pytestmark = pytest.mark.timeout(360)


async def run(*command: str, cwd: Path) -> str:
    """In a process of its own: the model that the services ask runs in this one."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output[-5000:]
    return output


@pytest.fixture(autouse=True)
def script(surface: Surface) -> None:
    surface.model.reset()
    surface.model.script(answer("Hello", " world"))


@pytest.fixture
def session_id() -> str:
    return str(uuid4())


async def test_a_generated_typescript_client(surface: Surface, session_id: str, tmp_path: Path) -> None:
    require_node_modules()
    for name in ("client.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    for name in APIS:
        (tmp_path / f"{name}.json").write_text(json.dumps(surface.document(name)))
        await run("node_modules/.bin/openapi-typescript", f"{name}.json", "-o", f"{name}.d.ts", cwd=tmp_path)
    await run("node_modules/.bin/tsc", cwd=tmp_path)

    output = await run(
        "node", "client.js", surface.url("app"), surface.url("inference"), surface.token, session_id, cwd=tmp_path
    )
    seen = json.loads(output)
    assert (seen["title"], "Rome" in seen["titles"]) == ("Rome", True)
    assert "event: content_block_delta" in seen["stream"]
    assert seen["stream"].endswith("event: done\ndata: {}\n\n")
    assert seen["absent"][:2] == ["not_found", "Session not found: absent"]
    assert seen["invalid"] == ["query.limit", ["query.limit"]]
    assert seen["refused"][0] == "validation_error"
    assert all(failure[2] for failure in (seen["absent"], seen["refused"]))


async def test_a_generated_python_client(
    surface: Surface, session_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"post_hooks": []}))
    for name in APIS:
        document = tmp_path / f"{name}.json"
        document.write_text(json.dumps(surface.document(name)))
        output = await run(
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--config", "config.json"),
            *("--path", str(document), "--output-path", str(tmp_path / f"generated_{name}")),
            cwd=tmp_path,
        )
        assert "warning" not in output.lower(), output
    monkeypatch.syspath_prepend(str(tmp_path))

    def module(path: str) -> Any:
        return importlib.import_module(path)

    app = module("generated_app").AuthenticatedClient(surface.url("app"), surface.token)
    sessions, models = "generated_app.api.sessions", module("generated_app.models")
    saved = await module(f"{sessions}.update_session_metadata_sessions_session_id_metadata_put").asyncio(
        session_id, client=app, body=models.UpdateSessionMetadataRequest(title="Rome")
    )
    assert (saved.session_id, saved.title) == (session_id, "Rome")
    listed = await module(f"{sessions}.list_sessions_sessions_get").asyncio(client=app, limit=10)
    assert "Rome" in [session.title for session in listed.sessions]
    get = module(f"{sessions}.get_session_metadata_sessions_session_id_metadata_get")
    absent = await get.asyncio("absent", client=app)
    assert isinstance(absent, models.ErrorDetail)
    assert (absent.code.value, absent.detail) == ("not_found", "Session not found: absent")
    assert absent.metadata.request_id
    delete = module(f"{sessions}.delete_session_sessions_session_id_delete")
    assert (await delete.asyncio_detailed(session_id, client=app)).status_code == 204

    inference = module("generated_inference").AuthenticatedClient(surface.url("inference"), surface.token)
    models = module("generated_inference.models")
    invoke = module("generated_inference.api.chat.invocations_invocations_post").asyncio
    request = models.InvocationRequest(session_id=str(uuid4()), message="hi", model_id=PRICED)
    stream = await invoke(client=inference, body=request)
    assert isinstance(stream, str)
    assert stream.endswith("event: done\ndata: {}\n\n")
    refused = await invoke(client=inference, body=models.InvocationRequest(session_id="not an id", message="hi"))
    assert isinstance(refused, models.ErrorDetail)
    assert refused.field == "body.session_id"
