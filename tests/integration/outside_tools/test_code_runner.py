"""`generate_diagram_and_validate`, with a played code interpreter behind the AWS endpoint."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest

from agents.tools.code_runner import generate_diagram_and_validate
from apis.shared.aws import client as aws_client
from apis.shared.aws.client import Patience
from apis.shared.lifecycle import background
from tests.integration.conftest import Aws, Configure
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.interpreter import PlayedInterpreter, Result, file, listed, png, ran
from tests.support.platform import Surroundings

CODE = "draw()"


@pytest.fixture
def interpreter(aws: Aws, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedInterpreter]:
    configure(AGENTCORE_CODE_INTERPRETER_ID="interpreter-1")
    for client in (aws_client.agentcore, aws_client.code_runs, aws_client.ssm):
        monkeypatch.setattr(client, "_client", None)
    played = PlayedInterpreter()
    with aws.proxy.answering(played):
        yield played


async def drawn(name: str = "a.png") -> dict[str, Any]:
    answer = await generate_diagram_and_validate(CODE, name)
    await background.drain(10)
    return answer


async def failed(name: str = "a.png") -> str:
    answer = await drawn(name)
    assert answer["status"] == "error"
    assert "Traceback" not in answer["content"][0]["text"]
    return str(answer["content"][0]["text"])


async def test_a_diagram(interpreter: PlayedInterpreter) -> None:
    text, image = (await drawn())["content"]
    assert text == {"text": "Diagram `a.png` (0.1 KB)"}
    assert image == {"image": {"format": "png", "source": {"bytes": png()}}}
    assert interpreter.calls == ["start", "executeCode", "readFiles", "stop"]
    assert "session-1" in interpreter.stopped[0]


@pytest.mark.parametrize(
    "read",
    [
        pytest.param([{"content": [{"type": "text", "text": "here"}, *file(png())["content"]]}], id="I2 second"),
        pytest.param([{"content": []}, file(png())], id="I2 second result"),
        pytest.param(
            [
                {
                    "content": [
                        {"type": "resource", "resource": {"type": "blob", "blob": base64.b64encode(png()).decode()}}
                    ]
                }
            ],
            id="I2 blob",
        ),
        pytest.param(
            [
                {
                    "content": [
                        {"type": "resource", "resource": {"type": "text", "text": base64.b64encode(png()).decode()}}
                    ]
                }
            ],
            id="I2 text",
        ),
        pytest.param([file(base64.b64encode(png()))], id="I2 base64 in bytes"),
    ],
)
async def test_where_the_file_is(interpreter: PlayedInterpreter, read: list[Result | str]) -> None:
    interpreter.told["readFiles"] = read
    assert (await drawn())["content"][1]["image"]["source"]["bytes"] == png()


@pytest.mark.parametrize("name", ["../a.png", "a/b.png", "A.PNG", "a.jpg", ".png", "x" * 300 + ".png", "a.png\n", ""])
async def test_a_bad_name(interpreter: PlayedInterpreter, name: str) -> None:
    """I2: no session is started for it."""
    assert "Invalid file name" in await failed(name)
    assert not interpreter.calls


@pytest.mark.parametrize(
    ("tool", "told", "text"),
    [
        pytest.param(
            "executeCode",
            [ran("out"), {"isError": True, "content": [{"type": "text", "text": "ZeroDivisionError"}]}],
            "ZeroDivisionError",
            id="I1 second",
        ),
        pytest.param("executeCode", [ran(stderr="no module", code=1)], "no module", id="I1 exit code"),
        pytest.param("executeCode", ["throttlingException"], "not reachable", id="I1 throttled"),
        pytest.param("executeCode", [ran("x"), "internalServerException"], "not reachable", id="F-AGT-38 broken"),
        pytest.param("executeCode", [], "No result", id="I1 empty"),
        pytest.param("readFiles", [], "Available files: `b.txt`", id="no file"),
        pytest.param("readFiles", ["validationException"], "Available files: `b.txt`", id="refused file"),
        pytest.param("readFiles", [file(b"")], "Available files", id="I2 0 bytes"),
        pytest.param("readFiles", [file(b"<html>no</html>")], "Available files", id="I2 HTML"),
        pytest.param("readFiles", [file(png(9000, 9000))], "too large", id="I2 9,000 x 9,000"),
        pytest.param("readFiles", [file(png(filler=4 * 1024 * 1024))], "too large", id="I2 4 MB"),
    ],
)
async def test_what_fails(interpreter: PlayedInterpreter, tool: str, told: list[Result | str], text: str) -> None:
    interpreter.told[tool] = told
    assert text in await failed()
    assert interpreter.calls.count("executeCode") == 1, "code runs once"
    assert interpreter.calls[-1] == "stop"
    assert interpreter.calls.count("stop") == 1


async def test_what_is_told_of_code_that_fails(interpreter: PlayedInterpreter) -> None:
    interpreter.told["executeCode"] = [ran(stderr="e" * 900, code=1)]
    text = await failed()
    assert "e" * 500 in text
    assert "e" * 501 not in text
    assert CODE in text


async def test_a_file_among_others(interpreter: PlayedInterpreter) -> None:
    interpreter.told |= {"readFiles": [], "listFiles": [listed("b.png", "c/d.txt", "b.png")]}
    assert "`b.png`, `d.txt`" in await failed()


async def test_a_session_that_is_not_given(interpreter: PlayedInterpreter) -> None:
    """I1: there is nothing to stop then."""
    interpreter.refusal = "ServiceQuotaExceededException"
    assert "not reachable" in await failed()
    assert interpreter.calls == ["start"]


KINDS = [kind for kind in FaultKind if kind not in {FaultKind.TIMEOUT, FaultKind.CORRUPT_ITEM}]


@pytest.mark.parametrize(
    "operation", ["StartCodeInterpreterSession", "InvokeCodeInterpreter", "StopCodeInterpreterSession"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_call_failing(interpreter: PlayedInterpreter, aws: Aws, operation: str, kind: FaultKind) -> None:
    """F-AGT-38: only the one that nobody waits for may."""
    with aws.proxy.injecting(Fault(kind, operation=operation)) as injection:
        answer = await drawn()
    assert injection.hits
    is_stop = operation == "StopCodeInterpreterSession"
    assert answer["status"] == ("success" if is_stop else "error")
    assert interpreter.calls.count("executeCode") <= 1


@pytest.mark.parametrize("operation", ["StartCodeInterpreterSession", "InvokeCodeInterpreter"])
async def test_a_user_who_stops_in_the_middle(interpreter: PlayedInterpreter, aws: Aws, operation: str) -> None:
    """I1: the session is stopped, also one that was just being started."""
    place = "interpreter-1"
    with aws.proxy.recording() as recording, aws.proxy.holding(operation, containing=place):
        drawing = asyncio.create_task(generate_diagram_and_validate(CODE, "a.png"))
        while not any(call.target.operation == operation for call in recording.calls):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        drawing.cancel()
        await asyncio.wait((drawing,))
        assert drawing.cancelled()
    await background.drain(10)
    assert interpreter.calls[-1] == "stop"
    assert len(interpreter.stopped) == interpreter.started == 1


async def test_an_answer_that_does_not_come(
    interpreter: PlayedInterpreter, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: what takes too long is sent no second time."""
    brief = Patience(read_seconds=0.2, call_seconds=1.0, attempts=1, is_fixed=True)
    monkeypatch.setattr(aws_client.code_runs, "_patience", brief)
    with aws.proxy.recording() as recording, aws.proxy.holding("InvokeCodeInterpreter", containing="interpreter-1"):
        assert "not reachable" in await failed()
        assert [call.target.operation for call in recording.attempts].count("InvokeCodeInterpreter") == 1
    assert interpreter.calls[-1] == "stop"


async def test_the_interpreter_of_a_deployment(
    interpreter: PlayedInterpreter, around: Surroundings, aws: Aws, configure: Configure
) -> None:
    """F-AGT-37: by variable, else by parameter."""
    configure(AGENTCORE_CODE_INTERPRETER_ID=None)
    assert "No code interpreter" in await failed()
    parameters = around.parameters
    parameters["/strands-agent-chatbot/inference-api/code-interpreter-id"] = "by-parameter"
    with aws.proxy.recording() as recording:
        assert (await drawn())["status"] == "success"
    assert any("by-parameter" in call.text for call in recording.calls)
    configure(CODE_INTERPRETER_ID="by-variable")
    with aws.proxy.recording() as recording:
        await drawn()
    assert any("by-variable" in call.text for call in recording.calls)
    configure(CODE_INTERPRETER_ID=None)
    with aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="GetParameters")):
        assert "not reachable" in await failed()
    parameters.clear()
