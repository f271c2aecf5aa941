"""Where an upload is stored: five segments that any browser and any server take as they are, whatever the names."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apis.shared.files.models import SEGMENT_BYTES, object_key

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)


@given(names, names)
@example("..", ".")
@example("../987654321/s9", "..\\..\\x.pdf")
@example("\0", "a\x7f\x85b")
@example("s" * 1000, "😀" * 255)
def test_a_name_stays_in_its_segment(session_id: str, filename: str) -> None:
    key = object_key("123456789", session_id, "1a2067ac070_f7406981bd3047d1", filename)
    segments = key.split("/")
    assert len(segments) == 5
    assert [segments[0], segments[1], segments[3]] == ["user-files", "123456789", "1a2067ac070_f7406981bd3047d1"]
    for segment in segments:
        assert 0 < len(segment.encode()) <= SEGMENT_BYTES
        assert segment.strip(".")
        assert "\\" not in segment
        assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in segment)
    assert len(key.encode()) <= 1024


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        ("My Report (1).pdf", "My Report (1).pdf"),
        ("e\u0301.txt", "e\u0301.txt"),
        ("..hidden", "..hidden"),
        ("...", "___"),
        ("x" * 300 + ".markdown", "x" * 246 + ".markdown"),
        ("é" * 200 + ".pdf", "é" * 125 + ".pdf"),
        ("." + "x" * 300, "." + "x" * 254),
        ("a." + "x" * 300, "a." + "x" * 253),
        ("😀" * 255, "😀" * 63),
    ],
)
def test_what_is_kept_of_a_name(filename: str, kept: str) -> None:
    assert object_key("1", "s", "u", filename).rpartition("/")[2] == kept
