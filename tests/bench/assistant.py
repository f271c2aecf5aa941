"""What an assistant with documents costs a turn: the time to its first delta, with it and without.

Sessions and costs are in local files, as in the benchmark of the gate. The assistant, the embedding model and the
index, which has five passages for it, cost almost nothing: what is left is our own work.
"""

from dataclasses import dataclass

from tests.bench import gate
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
    with gate.surroundings() as (around, aws_url):
        environment = {
            **around,
            "ASSISTANTS_TABLE_NAME": "rag-assistants",
            "ASSISTANTS_VECTOR_STORE_BUCKET_NAME": "bench",
            "ASSISTANTS_VECTOR_STORE_INDEX_NAME": "bench",
        }
        plain_ms, before = gate.first_delta(environment, aws_url)
        assisted_ms, calls = gate.first_delta(environment, aws_url, assistant_id=ASSISTANT_ID)
        return AssistantResults(plain_ms, assisted_ms, calls - before)
