"""Pieces of a text: nothing is lost, nothing is blank, nothing is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.ingestion.chunks import SIZE, chunks


def test_paragraphs_stay_together_as_long_as_they_fit() -> None:
    first, second, third = ("a" * 400, "b" * 400, "c" * 400)
    assert list(chunks(f"{first}\n\n  {second}\n{third}")) == [f"{first}\n{second}", third]


def test_a_long_paragraph_is_parted_between_sentences() -> None:
    sentence = "x" * 300 + "."
    assert list(chunks(" ".join([sentence] * 3))) == [f"{sentence} {sentence}", sentence]


@pytest.mark.parametrize("text", ["", " \n\n\t "])
def test_nothing_has_no_pieces(text: str) -> None:
    assert list(chunks(text)) == []


@given(st.text(alphabet=st.sampled_from("ab .!\n\u3002\u6388"), max_size=4_000))
def test_pieces(text: str) -> None:
    found = list(chunks(text))
    assert all(piece.strip() and len(piece) <= SIZE for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())
