"""One answer of a small model of Amazon Bedrock, in one piece: for what is no chat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apis.shared.aws.client import ServiceClient
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Result, require
from apis.shared.settings import TitleSettings, settings

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

bedrock_runtime: ServiceClient["BedrockRuntimeClient"] = ServiceClient(
    "bedrock-runtime", region=lambda: settings(TitleSettings).aws_region
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model. `temperature` and `top_p` as the model takes them."""

    model_id: str
    system: str
    text: str
    max_tokens: int
    temperature: float
    top_p: float


async def first_text(
    prompt: Prompt, client: "ServiceClient[BedrockRuntimeClient]" = bedrock_runtime
) -> Result[str, ErrorDetail]:
    """The first text of the answer. Fails as the AWS rows of the error vocabulary say, and with `service_unavailable`
    for an answer without a text."""
    answer = await client.call(
        lambda client: client.converse(
            modelId=prompt.model_id,
            system=[{"text": prompt.system}],
            messages=[{"role": "user", "content": [{"text": prompt.text}]}],
            inferenceConfig={
                "temperature": prompt.temperature,
                "maxTokens": prompt.max_tokens,
                "topP": prompt.top_p,
            },
        )
    )
    return answer.bind(lambda said: require(_first_text(said), _NO_TEXT))


_NO_TEXT = service_unavailable(None, reason="an answer without text")


def _first_text(answer: Mapping[str, Any]) -> str | None:
    content: Sequence[Mapping[str, Any]] = ((answer.get("output") or {}).get("message") or {}).get("content") or ()
    return next((block["text"] for block in content if isinstance(block.get("text"), str)), None)
