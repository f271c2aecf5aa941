"""The embedding model of this machine, and what it refuses as the real one does."""

import io
import json
import math
from typing import Any

import pytest

from apis.shared.aws import embeddings as edge
from devstack import embeddings
from devstack.embeddings import DIMENSION, EmbeddingModel, by_meaning, by_words


def likeness(embed: embeddings.Embed, one: str, other: str) -> float:
    return math.sumprod(embed(one), embed(other))


MODELS = [
    pytest.param(by_words, id="words"),
    pytest.param(
        by_meaning,
        id="meaning",
        marks=pytest.mark.skipif(embeddings.best() != "meaning", reason="the small model is not installed"),
    ),
]


@pytest.mark.parametrize("embed", MODELS)
def test_what_is_alike_is_near(embed: embeddings.Embed) -> None:
    question = "When are the fees due?"
    passage = "The fees of each term are due in May."
    other = "Cats sleep for most of the day."
    assert likeness(embed, question, passage) > likeness(embed, question, other) + 0.2
    assert likeness(embed, question, question) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["a", "\u6388\u696d\u6599", "\U0001f600", "???", "x" * 8_000])
@pytest.mark.parametrize("embed", MODELS)
def test_every_text_has_a_direction(embed: embeddings.Embed, text: str) -> None:
    numbers = embed(text)
    assert len(numbers) == DIMENSION == edge.DIMENSION
    assert all(map(math.isfinite, numbers))
    assert any(numbers)


def invoke(model_id: str, **given: Any) -> tuple[str, dict[str, Any]]:
    body = json.dumps(given).encode()
    answered: list[str] = []

    def start_response(status: str, headers: Any, info: Any = None) -> Any:
        answered.append(status)

    environ: dict[str, Any] = {
        "PATH_INFO": f"/model/{model_id}/invoke", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)
    }  # fmt: skip
    model = EmbeddingModel(by_words, lambda _, __: pytest.fail("handed on"))
    (content,) = model(environ, start_response)
    return answered[0], json.loads(content)


def test_the_call_of_bedrock() -> None:
    status, answer = invoke(edge.MODEL_ID, inputText="hello")
    assert status == "200 OK"
    assert answer == {"embedding": by_words("hello"), "inputTextTokenCount": 2}


@pytest.mark.parametrize(
    ("model_id", "given", "status", "said"),
    [
        ("amazon.other", {"inputText": "a"}, "404 Not Found", "Could not resolve"),
        (edge.MODEL_ID, {"inputText": " "}, "400 Bad Request", "minLength"),
        (edge.MODEL_ID, {}, "400 Bad Request", "Malformed"),
        (edge.MODEL_ID, {"inputText": "a", "texts": []}, "400 Bad Request", "Malformed"),
        (edge.MODEL_ID, {"inputText": "a" * 50_001}, "400 Bad Request", "expected maxLength: 50000"),
        (edge.MODEL_ID, {"inputText": "a " * 20_000}, "400 Bad Request", "Too many input tokens"),
    ],
    ids=["other model", "blank", "no text", "other member", "too many characters", "too many tokens"],
)
def test_refusals(model_id: str, given: dict[str, Any], status: str, said: str) -> None:
    answered, body = invoke(model_id, **given)
    assert answered == status
    assert said in body["message"]
