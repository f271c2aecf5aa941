"""What a search in the documents of an assistant finds."""

from dataclasses import dataclass
from typing import Final

from apis.shared.costs.models import StoredCitation

UNKNOWN_SOURCE: Final = "Unknown Source"
QUOTED_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document. `distance` is 0 to 2, low is near, None where the index gave no number.

    `key` and `document_id` are empty, and `source` is None, where nothing names them. `source` is the document's name
    as its owner uploaded it.
    """

    text: str
    distance: float | None
    key: str
    document_id: str
    source: str | None

    def citation(self, assistant_id: str) -> StoredCitation:
        """As it is shown and stored beside the answer: four texts, whatever was found."""
        return StoredCitation(
            assistant_id=assistant_id,
            document_id=self.document_id,
            file_name=self.source or UNKNOWN_SOURCE,
            text=self.text[:QUOTED_CHARACTERS],
        )
