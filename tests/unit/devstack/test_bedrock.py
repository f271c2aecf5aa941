"""What the model of the stack is asked in the place of one of Bedrock, and how its failures are told."""

import base64
from typing import Any

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from starlette.responses import PlainTextResponse

from apis.shared.result import Success
from devstack.bedrock import ChatModels, asked
from devstack.model import Model
from tests.support.model_server import ModelServer, Reply, answer, refusal

HI = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
DOCUMENT = {"name": "rules", "format": "md", "source": {"bytes": base64.b64encode(b"Open until nine.").decode()}}
TOOL_USE = {"toolUse": {"toolUseId": "t1", "name": "clock", "input": {}}}
TOOL_RESULT = {"toolResult": {"toolUseId": "t1", "status": "success", "content": [{"text": "noon"}]}}


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        pytest.param({**HI, "system": [{"text": "Be kind."}]}, ["system: Be kind.", "user: hi"], id="system prompt"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"text": "a"}, {"cachePoint": {"type": "default"}}]}]},
            ["user: a"],
            id="cache mark",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"text": "a"}, {"document": DOCUMENT}]}]},
            ["user: a\n\nrules:\nOpen until nine."],
            id="document",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": [TOOL_USE]}, {"role": "user", "content": [TOOL_RESULT]}]},
            ["user: noon"],
            id="tool of another model",
        ),
    ],
)
def test_everything_is_said_as_text(given: dict[str, Any], messages: list[str]) -> None:
    question = asked(given).unwrap()
    assert [f"{message['role']}: {message['content']}" for message in question["messages"]] == messages


def test_limits_are_handed_on() -> None:
    given = {**HI, "inferenceConfig": {"maxTokens": 50, "topP": 0.9}, "toolConfig": {"tools": []}}
    assert asked(given).map(lambda question: question.keys()) == Success({"messages", "max_tokens", "top_p"})


IMAGE = {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": ""}}}]}]}


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@pytest.mark.parametrize(
    ("given", "reply", "status", "kind", "said"),
    [
        (IMAGE, answer("never asked"), 400, "ValidationException", "doesn't support the image content block"),
        (HI, refusal(400, message="too long"), 400, "ValidationException", "too long"),
        (HI, refusal(429), 503, "ServiceUnavailableException", "status 429"),
        (HI, {"steps": [{"reset": True}]}, 503, "ServiceUnavailableException", "cannot be reached"),
    ],
)
async def test_a_failure_is_told_as_bedrock_tells_it(
    operation: str, given: dict[str, Any], reply: Reply, status: int, kind: str, said: str
) -> None:
    async with ModelServer().running() as server:
        server.script(reply)
        refused = await _send(server, operation, given)
    assert (refused.status_code, refused.headers["x-amzn-ErrorType"]) == (status, kind)
    assert said in refused.json()["message"]


async def test_an_answer_that_breaks_off_ends_with_an_exception() -> None:
    async with ModelServer().running() as server:
        server.script({"steps": [{"text": "Hel"}, {"pause_ms": 50}, {"close": True}]})
        streamed = await _send(server, "converse-stream", HI)
    buffer: Any = EventStreamBuffer()  # Any: its types say nothing true of headers
    buffer.add_data(streamed.content)
    headers = [event.headers for event in buffer]
    assert [one.get(":event-type") or one[":exception-type"] for one in headers] == [
        *("messageStart", "contentBlockDelta", "modelStreamErrorException"),
    ]


async def test_every_other_request_goes_on() -> None:
    async with ModelServer().running() as server:
        assert (await _send(server, "invoke", {})).text == "somebody else"


async def _send(server: ModelServer, operation: str, given: dict[str, Any]) -> httpx.Response:
    models = ChatModels(Model("m", f"{server.url}/v1"), "key")
    application = httpx.ASGITransport(models.in_front_of(PlainTextResponse("somebody else")))
    async with httpx.AsyncClient(transport=application, base_url="http://aws") as client:
        return await client.post(f"/model/us.some%3A0/{operation}", json=given)
