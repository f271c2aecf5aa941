"""U4: what is the same for a reader is found."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.users.service import folded


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        (unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "josé")),
        (unicodedata.normalize("NFD", "José"), unicodedata.normalize("NFC", "JOSÉ")),
        ("İnci", "inci"),
        ("inci", "İNCİ"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ada Lovelace", "LOVE"),
    ],
)
def test_found(stored: str, query: str) -> None:
    assert folded(query) in folded(stored)


@pytest.mark.parametrize("query", [".*", "%", "(", "[a-z]", "_"])
def test_signs_are_plain_text(query: str) -> None:
    assert query not in folded("Ada Lovelace")
    assert query in folded(f"Ada {query} Lovelace")


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)
