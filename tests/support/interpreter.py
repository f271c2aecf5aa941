"""A played code interpreter behind the proxy for AWS: `with proxy.answering(interpreter): ...`."""

import base64
import json
import struct
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call
from tests.support.model_server import frame

type Result = dict[str, Any]

STREAM = "application/vnd.amazon.eventstream"


def png(width: int = 4, height: int = 3, *, filler: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"x" * filler) + chunk(b"IEND", b"")


def ran(stdout: str = "", *, stderr: str = "", code: int = 0, **members: Any) -> Result:
    told = {"stdout": stdout, "stderr": stderr, "exitCode": code}
    return {"content": [{"type": "text", "text": stdout or stderr}], "structuredContent": told, **members}


def file(content: bytes, **members: Any) -> Result:
    return {
        "content": [{"type": "image", "data": base64.b64encode(content).decode(), "mimeType": "image/png", **members}]
    }


def listed(*names: str) -> Result:
    return {"content": [{"type": "resource_link", "uri": f"file:///{name}", "name": name} for name in names]}


@dataclass
class PlayedInterpreter:
    """`told` are the results of each tool; an exception is its name. `blocked` holds a run until it is set."""

    told: dict[str, list[Result | str]] = field(
        default_factory=lambda: {
            "executeCode": [ran("done")],
            "readFiles": [file(png())],
            "listFiles": [listed("b.txt")],
        }
    )
    calls: list[str] = field(default_factory=list)
    started: int = 0
    stopped: list[str] = field(default_factory=list)
    refusal: str | None = None
    belongs: str = ""
    """Only calls that hold this are its business."""
    is_running: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Call) -> Answer | None:
        if call.target.service != "bedrock-agentcore":
            return None
        match call.target.operation:
            case "StartCodeInterpreterSession":
                self.calls.append("start")
                if self.refusal:
                    body = json.dumps({"message": "no"}).encode()
                    return Answer(402, "application/json", body, (("x-amzn-errortype", self.refusal),))
                self.started += 1
                return _json({"sessionId": f"session-{self.started}", "codeInterpreterIdentifier": "i", "createdAt": 0})
            case "InvokeCodeInterpreter":
                body = json.loads(call.text[call.text.index("{") :])
                self.calls.append(body["name"])
                self.is_running.set()
                return Answer(200, STREAM, b"".join(map(_framed, self.told[body["name"]])))
            case "StopCodeInterpreterSession":
                self.calls.append("stop")
                self.stopped.append(call.text)
                return _json({"sessionId": "session-1", "codeInterpreterIdentifier": "i", "lastUpdatedAt": 0})
            case _:
                return None


def _json(value: object) -> Answer:
    return Answer(200, "application/json", json.dumps(value).encode())


def _framed(told: Result | str) -> bytes:
    if isinstance(told, str):
        return frame({":message-type": "exception", ":exception-type": told}, {"message": "no"})
    return frame({":message-type": "event", ":event-type": "result"}, told)
