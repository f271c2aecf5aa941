"""What an assistant with documents costs a turn: the time to its first delta, with it and without.

Sessions and costs are in local files, as in the benchmark of the gate. The assistant, the embedding model and the
index, which has five passages for it, cost almost nothing: what is left is our own work.
"""

from dataclasses import dataclass

from devstack.aws import service_environment
from devstack.services import DEVELOPMENT
from tests.bench import children, gate
from tests.support.fast_aws import ASSISTANT_ID

TARGET_ADDED_MS = 25.0


@dataclass(frozen=True, slots=True)
class AssistantResults:
    plain_ms: float
    assisted_ms: float
    calls: float
    """Calls of AWS per turn: the assistant, the embedding, the index, the documents."""

    @property
    def added_ms(self) -> float:
        return self.assisted_ms - self.plain_ms


def measure() -> AssistantResults:
    with (
        children.server("tests.bench.model") as (_, model_url),
        children.server("tests.support.fast_aws") as (_, aws_url),
    ):
        surroundings = {
            **DEVELOPMENT,
            **service_environment(aws_url),
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_KEY": "bench",
            "LOG_LEVEL": "WARNING",
            "ASSISTANTS_TABLE_NAME": "rag-assistants",
            "ASSISTANTS_VECTOR_STORE_BUCKET_NAME": "bench",
            "ASSISTANTS_VECTOR_STORE_INDEX_NAME": "bench",
        }
        plain_ms, before = gate.first_delta(surroundings, aws_url)
        assisted_ms, calls = gate.first_delta(surroundings, aws_url, assistant_id=ASSISTANT_ID)
        return AssistantResults(plain_ms, assisted_ms, calls - before)
