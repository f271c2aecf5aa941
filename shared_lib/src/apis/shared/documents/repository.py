"""Documents in the table of the assistants.

Ingestion writes to the same rows without asking whether they are there: a document that is deleted meanwhile comes back
as a row without its `documentId`. Such a row is no document.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    SORT_KEY_BYTES,
    HashKey,
    Item,
    Key,
    Query,
    RangeKey,
    Table,
    delete_many,
    get_many,
    is_key,
    parse_as,
)
from apis.shared.documents.models import Document, DocumentPage
from apis.shared.errors import ErrorDetail
from apis.shared.page_tokens import decode_key_token, encode_key_token
from apis.shared.result import Result, Success, collect, railway

_DOCUMENT = "DOC#"
_LARGEST_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Remains:
    """A row of whatever kind: what of a document has to be removed. `is_ingested`: it says that it has chunks."""

    document_id: str
    is_ingested: bool


class DocumentRepository:
    """A row that names a document and cannot be read is `internal_error`, never left out."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def find(self, assistant_id: str, document_id: str) -> Result[Document | None, ErrorDetail]:
        key = _key(assistant_id, document_id)
        if not (is_key(key["PK"]) and is_key(key["SK"], SORT_KEY_BYTES)):
            return Success(None)
        item = (await self._table.get(key, consistent=True)).unwrap()
        return parse_as(Document, item) if item is not None and _is_document(item) else Success(None)

    @railway
    async def find_many(
        self, assistant_id: str, document_ids: Collection[str]
    ) -> Result[dict[str, Document], ErrorDetail]:
        """Those that there are, by id, in one round trip for a hundred."""
        keys = [_key(assistant_id, one) for one in document_ids]
        legal = [key for key in keys if is_key(key["PK"]) and is_key(key["SK"], SORT_KEY_BYTES)]
        items = (await get_many(self._table, legal, consistent=True)).unwrap()
        found = collect(parse_as(Document, item) for item in items if _is_document(item)).unwrap()
        return Success({document.document_id: document for document in found})

    @railway
    async def page(
        self, assistant_id: str, *, limit: int | None, token: str | None
    ) -> Result[DocumentPage, ErrorDetail]:
        """By id, or all of them without `limit`. Fails with `bad_request` for a token of another assistant."""
        partition = _partition(assistant_id)
        start = None if token is None else decode_key_token(token, partition=partition, prefix=_DOCUMENT).unwrap()
        if not is_key(partition):
            return Success(DocumentPage([]))
        items = (await self._documents(_all_of(assistant_id), start, limit)).unwrap()
        shown = items if limit is None else items[:limit]
        documents = collect(parse_as(Document, item) for item in shown).unwrap()
        is_last = len(shown) == len(items)
        return Success(DocumentPage(documents, None if is_last else encode_key_token(_place(shown[-1]))))

    async def add(self, document: Document) -> Result[None, ErrorDetail]:
        item = {name: value for name, value in document.model_dump(by_alias=True).items() if value is not None}
        return await self._table.put({**item, **_key(document.assistant_id, document.document_id)}, condition=PK_ABSENT)

    async def remove(self, assistant_id: str, document_ids: Sequence[str]) -> Result[None, ErrorDetail]:
        """The rows alone; absent ones count as removed."""
        return await delete_many(self._table, [_key(assistant_id, one) for one in document_ids])

    async def remains(self, assistant_id: str) -> Result[list[Remains], ErrorDetail]:
        """Of every row, also of those that are no document or cannot be read."""
        query = replace(_all_of(assistant_id), attributes=("PK", "SK", "chunkCount"))
        rows = await self._table.query_all(query)
        return rows.map(
            lambda items: [
                Remains(str(item["SK"]).removeprefix(_DOCUMENT), is_ingested=bool(item.get("chunkCount")))
                for item in items
            ]
        )

    @railway
    async def _documents(self, query: Query, start: Key | None, limit: int | None) -> Result[list[Item], ErrorDetail]:
        """All that there are, or one more than `limit`, which tells that there are more."""
        items: list[Item] = []
        while True:
            some = query if limit is None else replace(query, limit=min(limit + 1 - len(items), _LARGEST_PAGE))
            page = (await self._table.query_page(some, start)).unwrap()
            items += filter(_is_document, page.items)
            start = page.next_key
            if start is None or (limit is not None and len(items) > limit):
                return Success(items)


def _partition(assistant_id: str) -> str:
    return f"AST#{assistant_id}"


def _key(assistant_id: str, document_id: str) -> dict[str, str]:
    return {"PK": _partition(assistant_id), "SK": f"{_DOCUMENT}{document_id}"}


def _all_of(assistant_id: str) -> Query:
    return Query(HashKey("PK", _partition(assistant_id)) & RangeKey("SK").begins_with(_DOCUMENT), consistent=True)


def _place(item: Item) -> dict[str, str]:
    return {"PK": str(item["PK"]), "SK": str(item["SK"])}


def _is_document(item: Item) -> bool:
    return item.get("documentId") is not None
