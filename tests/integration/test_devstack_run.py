"""`python -m devstack` as a person at a terminal uses it."""

import html
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from devstack import model, objects
from devstack.environment import plumbing
from devstack.ports import free_port
from tests.support.documents import pdf
from tests.support.model_server import OPENAI_MODELS, ModelServer, answer

pytestmark = pytest.mark.timeout(300)

READY = "Everything is running"
PARTS = ("app", "inference", "aws", "model", "identity", "objects")


@dataclass
class Run:
    process: subprocess.Popen[str]
    ports: dict[str, int]
    output: Path

    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, seconds: float = 120) -> str:
        deadline = time.monotonic() + seconds
        while text not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)
        return self.text()

    def ended(self, seconds: float = 30) -> tuple[int, str]:
        return self.process.wait(seconds), self.text()

    def listening(self) -> set[str]:
        return {part for part, port in self.ports.items() if accepts(port)}


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def devstack(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Run]:
    ports = {part: free_port() for part in PARTS}
    options = [f"--{part}-port={port}" for part, port in ports.items()]
    output = folder / "output"
    with output.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "devstack", *options, *arguments],
            env={**plumbing(), "TMPDIR": str(folder), **(env or {})},
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Run(process, ports, output)
    finally:
        process.terminate()
        process.wait(30)


class _Models(BaseHTTPRequestHandler):
    """The part of an OpenAI-compatible server that the start needs."""

    status = 200

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [{"id": "some-model", "object": "model"}]}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        pass


@contextmanager
def model_listing(status: int = 200) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Models", (_Models,), {"status": status}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def events(stream: str) -> list[tuple[str, dict[str, object]]]:
    return [(name, json.loads(data)) for name, data in re.findall(r"event: (.+)\ndata: (.+)\n", stream)]


def test_the_printed_command_streams_an_answer_and_the_session_has_messages_tokens_and_cost(tmp_path: Path) -> None:
    with devstack(tmp_path) as run:
        printed = run.wait_for(READY + "; Ctrl-C stops it.")
        run.wait_for("/messages\n")
        (curl,) = re.findall(r"^  (curl -N .+)$", run.text(), re.MULTILINE)
        printed_command = subprocess.run(
            shlex.split(curl), env=plumbing(), capture_output=True, text=True, timeout=200, check=True
        )
        streamed = events(printed_command.stdout)
        names = [name for name, _ in streamed if name != "ping"]  # a busy machine keeps the stream alive first
        assert names[0] == "message_start"
        assert names[-1] == "done"
        assert names.count("content_block_delta") > 1
        assert "stream_error" not in names

        sessions_url, messages_url = re.findall(r"^  curl (http\S+)$", run.text(), re.MULTILINE)
        listed = httpx.get(sessions_url, trust_env=False).json()["sessions"]
        messages = httpx.get(messages_url, trust_env=False).json()["messages"]
        assert [session["messageCount"] for session in listed] == [1]
        assert [message["role"] for message in messages] == ["user", "assistant"]
        text = "".join(str(data["text"]) for name, data in streamed if name == "content_block_delta")
        assert messages[1]["content"][0]["text"] == text
        metadata = messages[1]["metadata"]
        assert metadata["tokenUsage"]["outputTokens"] > 0
        assert metadata["cost"] > 0

        for name in ("app", "inference"):
            assert f"http://127.0.0.1:{run.ports[name]}/docs" in printed
            assert httpx.get(f"http://127.0.0.1:{run.ports[name]}/docs", trust_env=False).status_code == 200

        with httpx.Client(base_url=f"http://127.0.0.1:{run.ports['app']}", trust_env=False, timeout=30) as app:
            document = uploaded(app, pdf("The library is open until nine."))
        assert document["chunkCount"] == 1

        inference = f"http://127.0.0.1:{run.ports['inference']}"
        published = httpx.get(f"{inference}/openapi.json", trust_env=False).json()
        (example,) = published["components"]["schemas"]["InvocationRequest"]["examples"]
        asked = {**example, "assistant_id": document["assistantId"]}
        tried = httpx.post(f"{inference}/invocations", json=asked, trust_env=False, timeout=200)
        streamed = events(tried.text)
        names = [name for name, _ in streamed]
        assert [data["text"] for name, data in streamed if name == "citation"] == ["The library is open until nine."]
        assert "content_block_delta" in names
        assert "stream_error" not in names


def test_models_of_bedrock_are_answered_by_the_model_of_the_stack(tmp_path: Path) -> None:
    scripted = ModelServer(listings={OPENAI_MODELS: lambda _: {"status": 200, "body": {"data": [{"id": "m"}]}}})
    with scripted.running_in_a_thread(), devstack(tmp_path, "--model-url", f"{scripted.url}/v1") as run:
        run.wait_for("/messages\n")
        with httpx.Client(base_url=f"http://127.0.0.1:{run.ports['app']}", trust_env=False, timeout=30) as app:
            document = uploaded(app, pdf("The library is open until nine."))
            scripted.script(answer("Until nine."), answer("Hi."), answer("Opening Hours"))

            tried = app.post(f"/assistants/{document['assistantId']}/test-chat", json={"message": "How long?"})
            streamed = app.post("/chat/stream", json={"session_id": "s1", "message": "hi"})
            named = app.post("/chat/generate-title", json={"session_id": "s1", "input": "hi"})
            listed = app.get("/admin/bedrock/models")

    assert '"text": "Until nine."' in tried.text
    assert '"text": "Hi."' in streamed.text
    assert named.json()["title"] == "Opening Hours"
    assert [model["modelName"] for model in listed.json()["models"]] == ["m on this machine"]
    assert "The library is open until nine." in scripted.calls[0]["messages"][-1]["content"]
    assert {call["model"] for call in scripted.calls} == {"m"}


def uploaded(app: httpx.Client, data: bytes) -> dict[str, object]:
    """The document of a new assistant once it can be searched, uploaded as the web client does."""
    assistant = app.post("/assistants/draft", json={}).json()["assistantId"]
    documents = f"/assistants/{assistant}/documents"
    described = {"filename": "My Notes (v1).PDF", "contentType": "application/pdf", "sizeBytes": len(data)}
    upload = app.post(f"{documents}/upload-url", json=described).json()
    kind = {"Content-Type": "application/pdf"}
    put = httpx.put(upload["uploadUrl"], content=data, headers=kind, trust_env=False)
    assert put.status_code == 200, put.text
    deadline = time.monotonic() + 60
    while True:
        document: dict[str, object] = app.get(f"{documents}/{upload['documentId']}").json()
        if document["status"] == "complete":
            return document
        assert document["status"] != "failed", document
        assert time.monotonic() < deadline, document
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url) as run:
        run.wait_for(READY)
        assert run.listening() == {"app", "inference", "aws"} | ({"objects"} if objects.is_installed() else set())
        run.process.send_signal(number)
        status, text = run.ended()
        assert status == 0
        assert "Traceback" not in text
        assert run.listening() == set()


def test_an_api_that_dies_is_named_and_ends_the_others(tmp_path: Path) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url) as run:
        run.wait_for(READY)
        os.kill(child_pid(run, "apis.app_api.main:app"), signal.SIGKILL)
        status, text = run.ended()
        assert status == 1
        assert "devstack: app api ended unexpectedly (signal 9). Its last lines" in text
        assert "Uvicorn running on" in text
        assert "Traceback" not in text
        assert run.listening() == set()


def test_an_endpoint_that_dies_is_an_outage_that_the_apis_report(tmp_path: Path) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url) as run:
        run.wait_for("/messages\n")
        sessions = f"http://127.0.0.1:{run.ports['app']}/sessions"
        assert httpx.get(sessions, trust_env=False).status_code == 200
        os.kill(child_pid(run, "devstack.aws_server"), signal.SIGKILL)
        run.wait_for("devstack: aws ended unexpectedly (signal 9).")
        answer = httpx.get(sessions, trust_env=False, timeout=30)
        assert answer.status_code == 503
        assert answer.json()["code"] == "service_unavailable"
        run.process.terminate()
        assert run.ended()[0] == 0
        assert run.listening() == set()


def test_the_parts_end_when_the_stack_itself_is_killed(tmp_path: Path) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url) as run:
        run.wait_for(READY)
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + 10
        while run.listening() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert run.listening() == set()


def child_pid(run: Run, command: str) -> int:
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    return next(int(pid) for pid in children if command in Path(f"/proc/{pid}/cmdline").read_text())


def test_another_model_server_is_used_by_the_name_of_its_first_model(tmp_path: Path) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url) as run:
        run.wait_for("/messages\n")
        assert f"some-model at {url}" in run.text()
        assert '"model_id": "some-model"' in run.text()


def test_the_printed_commands_sign_in(tmp_path: Path) -> None:
    """As a person follows them: the address, the page, the commands that the page shows."""
    with model_listing() as url, devstack(tmp_path, "--model-url", url, "--sign-in") as run:
        run.wait_for("/messages -H")
        (login,) = re.findall(r"^  (curl \S+/auth/login)$", run.text(), re.MULTILINE)
        assert f"http://127.0.0.1:{run.ports['identity']}" in run.text()
        assert httpx.get(f"http://127.0.0.1:{run.ports['app']}/sessions", trust_env=False).status_code == 401
        page = json.loads(shell(login))["authorization_url"]
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            assert "Stella Staff" in browser.get(page).text
            signed_in = browser.post(page, data={"person": "100000002"}).text
        (commands,) = map(html.unescape, re.findall(r"<pre>(.*)</pre>", signed_in, re.DOTALL))
        (use_it,) = re.findall(r"^  (curl -N .+)$", run.text(), re.MULTILINE)
        get_token, _, use_token = commands.partition("\n\n")
        (connect,) = re.findall(r"^  (curl \S+/oauth/connect/local .+)$", run.text(), re.MULTILINE)
        sessions, begun = shell(f"{get_token}\n{use_token}; echo; {connect}").splitlines()
        assert sessions == '{"sessions":[],"nextToken":null}'
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            connected = browser.post(json.loads(begun)["authorization_url"], data={"person": "100000002"}).text
        assert "Connected" in connected
        assert use_it.endswith('-H "Authorization: Bearer $TOKEN"')
        run.process.terminate()
        assert run.ended()[0] == 0
        assert run.listening() == set()


def shell(command: str) -> str:
    return subprocess.run(
        ["bash", "-c", command], env=plumbing(), capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_verbose_shows_what_the_parts_write(tmp_path: Path) -> None:
    with model_listing() as url, devstack(tmp_path, "--model-url", url, "--verbose") as run:
        run.wait_for(READY)
        run.wait_for("app api | INFO:     Uvicorn running on")


def test_a_taken_port_is_named_with_the_option_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with devstack(tmp_path, "--model-url", "http://127.0.0.1:1/v1", f"--inference-port={port}") as run:
            status, text = run.ended()
    assert status == 1
    assert f"Port {port} is taken by another program. Choose another one with --inference-port." in text
    assert "Traceback" not in text


def test_without_credentials_the_aws_option_says_so(tmp_path: Path) -> None:
    nobody = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    with model_listing() as url, devstack(tmp_path, "--aws", "--model-url", url, env=nobody) as run:
        status, text = run.ended()
    assert status == 1
    assert "No AWS credentials were found." in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "answered with status 401. Set OPENAI_API_KEY to a valid key."), (500, "answered with status 500.")],
)
def test_a_model_server_that_refuses_is_reported(tmp_path: Path, status: int, sentence: str) -> None:
    with model_listing(status) as url, devstack(tmp_path, "--model-url", url) as run:
        assert run.ended()[0] == 1
    assert sentence in run.text()
    assert "Traceback" not in run.text()


def test_a_model_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with devstack(tmp_path, "--model-url", url) as run:
        assert run.ended()[0] == 1
    assert f"The model server at {url} cannot be reached." in run.text()
    assert "Traceback" not in run.text()


def test_a_missing_model_is_reported_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = model.model_file().failure()
    assert "uv sync --all-packages --all-extras" in error.message
    assert "--model-url" in error.message


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model-name", "x"], "--model-name needs --model-url"),
        (["--app-port", "99999"], "99999 is not a port number"),
        (["--app-port", "8005", "--aws-port", "8005"], "every part needs a port of its own"),
    ],
)
def test_an_impossible_command_line_is_refused(arguments: list[str], sentence: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "devstack", *arguments], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert sentence in refused.stderr
