"""Which hits count, whatever the index holds: a property, against a model of the rules in five lines."""

from collections.abc import Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from apis.shared.aws.dynamodb import Table
from apis.shared.aws.embeddings import Embedder
from apis.shared.aws.vectors import Hit, VectorIndex
from apis.shared.documents.models import Document
from apis.shared.documents.repository import DocumentRepository
from apis.shared.errors import ErrorDetail
from apis.shared.knowledge.service import KnowledgeBase
from apis.shared.result import Result, Success

OWN = "ast-1"


class _Embedder(Embedder):
    async def embed(self, text: str) -> Result[list[float], ErrorDetail]:
        return Success([1.0])


class _Index(VectorIndex):
    def __init__(self, hits: Sequence[Hit]) -> None:
        super().__init__("bucket", "index")
        self.hits = hits
        self.asked: list[int] = []

    async def nearest(
        self, vector: Sequence[float], *, where: Mapping[str, str], top_k: int
    ) -> Result[list[Hit], ErrorDetail]:
        assert where == {"assistant_id": OWN}
        self.asked.append(top_k)
        return Success(list(self.hits[:top_k]))


class _Rows(DocumentRepository):
    def __init__(self, documents: Mapping[str, Document]) -> None:
        super().__init__(Table("table"))
        self.documents = documents

    async def find_many(
        self, assistant_id: str, document_ids: Collection[str]
    ) -> Result[dict[str, Document], ErrorDetail]:
        assert assistant_id == OWN
        return Success({one: self.documents[one] for one in document_ids if one in self.documents})


def row(document_id: str, status: str, count: int | None) -> Document:
    return Document.model_validate(
        {
            "documentId": document_id, "assistantId": OWN, "filename": f"{document_id}.PDF", "contentType": "t",
            "sizeBytes": 1, "s3Key": "k", "status": status, "chunkCount": count, "createdAt": "", "updatedAt": "",
        }
    )  # fmt: skip


IDS = st.sampled_from(["DOC-a", "DOC-b", "DOC-c"])
ROWS = st.dictionaries(
    IDS, st.tuples(st.sampled_from(["complete", "chunking", "failed"]), st.none() | st.integers(0, 4)), max_size=3
)
HITS = st.lists(st.tuples(IDS, st.integers(0, 5), st.sampled_from([OWN, "ast-10", None]), st.booleans()), max_size=130)


@given(ROWS, HITS)
async def test_the_five_nearest_that_count(
    rows: dict[str, tuple[str, int | None]], found: list[tuple[str, int, str | None, bool]]
) -> None:
    documents = {document_id: row(document_id, *state) for document_id, state in rows.items()}
    hits = [
        Hit(
            key=f"{document_id}#{number}",
            distance=place / 100,
            metadata={
                **({} if owner is None else {"assistant_id": owner}),
                **({"document_id": document_id} if is_named else {}),
            },
        )
        for place, (document_id, number, owner, is_named) in enumerate(found)
    ]

    def counts(document_id: str, number: int, owner: str | None) -> bool:
        if owner == "ast-10" or document_id not in rows:
            return False
        status, count = rows[document_id]
        return status != "complete" or count is None or number < count

    index = _Index(hits)
    outcome = await KnowledgeBase(_Embedder(), index, _Rows(documents)).search(OWN, "question")
    wanted = [hit for hit, given in zip(hits[:100], found, strict=False) if counts(*given[:3])][:5]
    assert [(chunk.key, chunk.distance) for chunk in outcome.unwrap()] == [(hit.key, hit.distance) for hit in wanted]
    assert all(chunk.source == f"{chunk.document_id}.PDF" for chunk in outcome.unwrap())
    near = [hit for hit, given in zip(hits[:20], found, strict=False) if counts(*given[:3])]
    assert index.asked == ([20] if len(near) >= 5 or len(hits) < 20 else [20, 100])
