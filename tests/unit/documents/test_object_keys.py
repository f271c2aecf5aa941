"""Where the object of a document is, whatever it is called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.documents.models import Document, object_key, objects_of, vector_keys

SEGMENT = re.compile(r"[a-z0-9_.\-()]+")
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)


@given(names)
def test_a_name_never_leaves_its_segment(name: str) -> None:
    """Nor does a browser or a server change it on the way."""
    key = object_key("ast-1", "DOC-1", name)
    *folders, segment = key.split("/")
    assert folders == ["assistants", "ast-1", "documents", "DOC-1"]
    assert SEGMENT.fullmatch(segment)
    assert segment.strip(".")
    assert len(key.encode()) <= 1024
    assert key.startswith(objects_of("ast-1"))


@given(names)
def test_the_key_of_a_name_that_is_a_segment_is_that_name(name: str) -> None:
    segment = object_key("a", "d", name).rpartition("/")[2]
    assert object_key("a", "d", segment).rpartition("/")[2] == segment


@pytest.mark.parametrize("stored", ["assistants/a/documents/d/My Notes (v1).PDF", "anything"])
def test_an_old_row_is_read_by_its_name(stored: str) -> None:
    row = {"documentId": "d", "assistantId": "a", "filename": "My Notes (v1).PDF", "contentType": "", "sizeBytes": 1}
    moments = {"status": "complete", "createdAt": "2025-01-15T10:30:00Z", "updatedAt": "2025-01-15T10:30:00Z"}
    document = Document.model_validate({**row, **moments, "s3Key": stored})
    assert document.object_key == "assistants/a/documents/d/my_notes_(v1).pdf"


def test_every_vector_that_a_document_can_have() -> None:
    keys = list(vector_keys("DOC-a"))
    assert (keys[0], keys[-1], len(keys)) == ("DOC-a#0", "DOC-a#499", 500)
