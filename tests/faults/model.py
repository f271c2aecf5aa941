"""A scripted OpenAI-compatible server: what the user writes decides what the model does.

`[tool]` calls the calculator once, `[status 429]` refuses, `[reset]` and `[garbage]` break before the first token,
`[reset later]` and `[garbage later]` after it, `[hang]` and `[hang later]` never go on, `[slow]` writes a word every
50 ms for a minute, `[pause]` waits two seconds after the first. Anything else is answered `Hello world.`
"""

import asyncio
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

WORDS = ("Hello", " world", ".")
_STATUS = re.compile(r"\[status (\d+)\]")


class ScriptedModel:
    """Runs in a thread of its own. `prompts` is what the user's last message was, once per model call."""

    def __init__(self) -> None:
        self.url = ""
        self.prompts: list[str] = []
        self.hung_up = threading.Event()
        """Set when a client left before the answer was complete."""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._listening = threading.Event()

    @contextmanager
    def running(self) -> Iterator["ScriptedModel"]:
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        thread.start()
        assert self._listening.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            self._loop.close()

    async def _serve(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._handle(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            request = json.loads(await reader.readexactly(int(length.group(1)) if length else 0))
            await self._answer(request["messages"], reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            self.hung_up.set()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    @staticmethod
    async def _breaks(prompt: str, when: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if f"[reset{when}]" in prompt:
            await asyncio.sleep(0.05)
            _reset(writer)
        elif f"[hang{when}]" in prompt:
            await reader.read()
        elif f"[garbage{when}]" in prompt:
            head = b"" if when else b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            writer.write(head + b"data: {not json\n\n")
        else:
            return False
        return True

    async def _answer(
        self, messages: list[dict[str, Any]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        prompt = next(_text(message) for message in reversed(messages) if message["role"] == "user")
        self.prompts.append(prompt)
        if refusal := _STATUS.search(prompt):
            writer.write(_refusal(int(refusal.group(1))))
            return
        if await self._breaks(prompt, "", reader, writer):
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        if "[tool]" in prompt and messages[-1]["role"] != "tool":
            writer.write(_tool_call() + _end("tool_calls"))
            return
        writer.write(_delta({"role": "assistant", "content": WORDS[0]}))
        await writer.drain()
        if await self._breaks(prompt, " later", reader, writer):
            return
        if "[pause]" in prompt:
            await asyncio.sleep(2)
        for word in (" and",) * 1200 if "[slow]" in prompt else WORDS[1:]:
            if "[slow]" in prompt:
                await asyncio.sleep(0.05)
            writer.write(_delta({"content": word}))
            await writer.drain()
        writer.write(_end("stop"))


def _text(message: dict[str, Any]) -> str:
    """The last text: an unanswered message before it may have been joined to it."""
    content = message["content"]
    return content if isinstance(content, str) else next(b["text"] for b in reversed(content) if b["type"] == "text")


def _chunk(**members: Any) -> bytes:
    common = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return f"data: {json.dumps({**common, **members})}\n\n".encode()


def _delta(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def _tool_call() -> bytes:
    function = {"name": "calculator", "arguments": '{"expression": "6 * 7"}'}
    return _delta(
        {"role": "assistant", "tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": function}]}
    )


def _end(finish: str) -> bytes:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    return _delta({}, finish) + _chunk(choices=[], usage=usage) + b"data: [DONE]\n\n"


def _refusal(status: int) -> bytes:
    body = json.dumps({"error": {"message": "key sk-secret of arn:aws:leaked refused", "type": "x", "code": "x"}})
    return (
        f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nRetry-After: 7\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
