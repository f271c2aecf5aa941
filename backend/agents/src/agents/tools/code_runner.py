"""`generate_diagram_and_validate`: runs Python code in a session of its own; the diagram that it drew."""

import asyncio
import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agents.tools.images import MAX_BYTES, image_format, is_too_large
from agents.tools.results import Envelope, error_text
from apis.shared.aws.code_interpreter import CodeInterpreter, RunResult
from apis.shared.aws.parameters import first_parameter
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.lifecycle import background
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, best_effort, error_of, fold, railway
from apis.shared.settings import ToolSettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

SHOWN = 500
MAX_CODE = 100_000
MAX_FILES_TOLD = 20
IDENTIFIER_TTL_SECONDS = 300.0

_FILENAME = re.compile(r"(?!\.)[\w .-]{1,96}\.png", re.ASCII)
_UNREACHABLE = "The code interpreter is not reachable. Try again in a moment."
_NOT_BASE64 = ErrorTable.of((ValueError, lambda _: bad_request("not base64")))

NOT_CONFIGURED = bad_request("**No code interpreter** is configured in this deployment.")
BAD_NAME = bad_request(
    "**Invalid file name.** `diagram_filename` must be a plain name of at most 100 characters that ends with `.png`."
)
TOO_MUCH_CODE = bad_request(f"**The code is too long.** At most {MAX_CODE} characters can be run.")
NO_RESULT = bad_request("**No result.** The code interpreter ran the code and told nothing about it.")


async def generate_diagram_and_validate(python_code: str, diagram_filename: str) -> Envelope:
    """Draw a diagram with Python code, for example with matplotlib, and see the picture.

    Args:
        python_code: The code. It must save the picture under the name `diagram_filename` in its working directory.
        diagram_filename: Name of the picture, which ends with .png.
    """
    return fold(
        await _draw(python_code, diagram_filename),
        success=lambda picture: _picture(diagram_filename, picture),
        failure=lambda error: error_text(error.message),
    )


def _picture(name: str, data: bytes) -> Envelope:
    text = f"Diagram `{name}` ({len(data) / 1024:.1f} KB)"
    image = {"image": {"format": "png", "source": {"bytes": data}}}
    return {"status": "success", "content": [{"text": text}, image]}


@railway
async def _draw(code: str, name: str) -> Result[bytes, ErrorDetail]:
    if not _FILENAME.fullmatch(name):
        return Failure(BAD_NAME)
    if len(code) > MAX_CODE:
        return Failure(TOO_MUCH_CODE)
    identifier = (await get_interpreter_id()()).alt(_unreachable).unwrap()
    if identifier is None:
        return Failure(NOT_CONFIGURED)
    interpreter = CodeInterpreter(identifier)
    # Not part of this task: whether a session was started must be known also when this is cancelled meanwhile.
    starting = background.start(interpreter.start(), name="start of a code interpreter")
    try:
        session = (await asyncio.shield(starting)).alt(_unreachable).unwrap()
        return await _run(interpreter, session, code, name)
    finally:
        background.spawn(_stop(interpreter, starting), name="stop of a code interpreter")


async def _stop(interpreter: CodeInterpreter, starting: "asyncio.Task[Result[str, ErrorDetail]]") -> None:
    match await starting:
        case Success(session):
            await best_effort(
                interpreter.stop(session),
                reason="The session is not used any more, and the service ends it by itself after its time.",
                default=None,
            )


@railway
async def _run(interpreter: CodeInterpreter, session: str, code: str, name: str) -> Result[bytes, ErrorDetail]:
    executed = await interpreter.run(
        session, "executeCode", {"code": code, "language": "python", "clearContext": False}
    )
    results = executed.alt(_unreachable).unwrap()
    if any(map(_has_failed, results)):
        return Failure(_failed(results, code))
    if not results:
        return Failure(NO_RESULT)
    # A file that is not there is told as a failure of this call, or as a result without it.
    read = await interpreter.run(session, "readFiles", {"paths": [name]})
    found = next((data for data in _files(read.value_or(())) if image_format(data) == "png"), None)
    if found is None:
        return Failure(await _missing(interpreter, session, name, error_of(read)))
    if is_too_large(found):
        text = (
            f"**The diagram is too large** ({len(found) / 1024:.0f} KB). At most {MAX_BYTES // 1024} KB and 8000 pixels"
        )
        return Failure(bad_request(f"{text} on each side can be shown: draw it smaller."))
    return Success(found)


def _unreachable(error: ErrorDetail) -> ErrorDetail:
    return error.model_copy(update={"message": _UNREACHABLE})


async def _missing(interpreter: CodeInterpreter, session: str, name: str, error: ErrorDetail | None) -> ErrorDetail:
    if error is not None and error.context.get("aws_code") is None:
        return _unreachable(error)
    listed = await interpreter.run(session, "listFiles", {"directoryPath": ""})
    names = list(dict.fromkeys(_names(listed.value_or(()))))[:MAX_FILES_TOLD]
    there = ", ".join(f"`{one}`" for one in names) or "none"
    return bad_request(f"**File not found.** The code did not save `{name}` as a PNG. Available files: {there}.")


def _has_failed(result: RunResult) -> bool:
    return bool(result.get("isError")) or bool((result.get("structuredContent") or {}).get("exitCode"))


def _failed(results: Sequence[RunResult], code: str) -> ErrorDetail:
    said = [(result.get("structuredContent") or {}).get("stderr") for result in results]
    texts = [block.get("text") for result in results if _has_failed(result) for block in result.get("content") or ()]
    told = "\n".join(str(text) for text in (list(filter(None, said)) or list(filter(None, texts))))[:SHOWN]
    return bad_request(f"**The code failed.**\n\n```\n{told}\n```\n\nCode:\n\n```python\n{code[:SHOWN]}\n```")


def _blocks(results: Iterable[RunResult]) -> Iterator[Mapping[str, Any]]:  # Any: as in RunResult
    for result in results:
        yield from result.get("content") or ()


def _files(results: Iterable[RunResult]) -> Iterator[bytes]:
    """Whatever may be a file, wherever the service has put it: as bytes, or once more as base64."""
    for block in _blocks(results):
        resource = block.get("resource") or {}
        for held in (block.get("data"), resource.get("blob"), resource.get("text")):
            data = held.encode() if isinstance(held, str) else held
            if data:
                yield data
                yield attempt(base64.b64decode, data, validate=True, errors=_NOT_BASE64).value_or(b"")


def _names(results: Iterable[RunResult]) -> Iterator[str]:
    for block in _blocks(results):
        named = block.get("name") or block.get("uri") or (block.get("resource") or {}).get("uri")
        if named:
            yield str(named).rpartition("/")[2][:100]


class _InterpreterId:
    """Which interpreter the deployment has: by variable, else by the parameters that deployments write."""

    def __init__(self) -> None:
        self._kept: TtlCache[None, str | None] = TtlCache(IDENTIFIER_TTL_SECONDS)

    async def __call__(self) -> Result[str | None, ErrorDetail]:
        chosen = settings(ToolSettings)
        if chosen.agentcore_code_interpreter_id is not None:
            return Success(chosen.agentcore_code_interpreter_id)
        names = (
            f"/{chosen.project_name}/{chosen.environment}/agentcore/code-interpreter-id",
            f"/{chosen.project_name}/inference-api/code-interpreter-id",
        )
        return await self._kept.get_or_read(None, lambda: first_parameter(names))


@once
def get_interpreter_id() -> _InterpreterId:
    return _InterpreterId()
