"""Bedrock's embedding model on this machine, behind the call of the real one: `POST /model/{id}/invoke`."""

import functools
import importlib.util
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MODEL_ID: Final = "amazon.titan-embed-text-v2:0"
DIMENSION: Final = 1024
MOST_CHARACTERS: Final = 50_000
MOST_TOKENS: Final = 8_192
_BYTES_PER_TOKEN: Final = 4
_PATH = re.compile(r"/model/([^/]+)/invoke")
_WORD = re.compile(r"\w+")

type Embed = Callable[[str], list[float]]


def by_words(text: str) -> list[float]:
    """Texts are near each other when they share words. Needs no model, and says the same everywhere."""
    numbers = [0.0] * DIMENSION
    for word in _WORD.findall(text.lower()) or [""]:
        numbers[zlib.crc32(word.encode()) % DIMENSION] += 1.0
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def best() -> Literal["words", "meaning"]:
    """By what texts can be compared here; the small model is optional, as the language model is."""
    return "meaning" if importlib.util.find_spec("wordllama") is not None else "words"


def by_meaning(text: str) -> list[float]:
    """Texts are near each other when they mean the same, as far as a small model can tell."""
    (found,) = _model().embed([text], norm=True)
    numbers = [float(number) for number in found]
    if not all(map(math.isfinite, numbers)) or not any(numbers):
        return by_words(text)
    # Further dimensions of zeros change no distance.
    return numbers + [0.0] * (DIMENSION - len(numbers))


@functools.cache
def _model() -> Any:  # Any: wordllama has no types
    import wordllama  # noqa: PLC0415 - lazy: a second that only a question about documents takes

    # Its weights lie in the package; elsewhere it looks for others and downloads them.
    return wordllama.WordLlama.load(cache_dir=Path(str(wordllama.__file__)).parent, disable_download=True)


class EmbeddingModel:
    """Answers the call, and hands every other request to `otherwise`."""

    def __init__(self, embed: Embed, otherwise: "WSGIApplication") -> None:
        self._embed = embed
        self._otherwise = otherwise

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if path is None:
            return self._otherwise(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, kind, answer = self._invoke(unquote(path.group(1)), json.loads(body))
        content = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(status, [*headers, ("x-amzn-ErrorType", kind)] if kind else headers)
        return [content]

    def _invoke(self, model_id: str, given: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        text = given.get("inputText")
        if model_id != MODEL_ID:
            return _refused("404 Not Found", "ResourceNotFoundException", "Could not resolve the foundation model")
        if not isinstance(text, str) or not text.strip() or set(given) - {"inputText", "dimensions", "normalize"}:
            return _refused("400 Bad Request", "ValidationException", "Malformed input request: expected minLength: 1")
        if len(text) > MOST_CHARACTERS:
            said = f"Malformed input request: expected maxLength: {MOST_CHARACTERS}, actual: {len(text)}"
            return _refused("400 Bad Request", "ValidationException", said)
        tokens = -(-len(text.encode()) // _BYTES_PER_TOKEN)
        if tokens > MOST_TOKENS:
            said = f"Too many input tokens. Max input tokens: {MOST_TOKENS}, request input token count: {tokens}"
            return _refused("400 Bad Request", "ValidationException", said)
        return "200 OK", "", {"embedding": self._embed(text), "inputTextTokenCount": tokens}


def _refused(status: str, kind: str, message: str) -> tuple[str, str, dict[str, Any]]:
    return status, kind, {"message": message}
