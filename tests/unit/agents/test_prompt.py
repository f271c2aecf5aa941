import base64

import pytest

from agents.files import attachment_marker
from agents.prompt import AttachedFile, build_prompt, decode_files
from agents.turn.request import InlineFile
from apis.shared.errors import ErrorCode


def inline(filename: str, content_type: str = "", data: str = base64.b64encode(b"data").decode()) -> InlineFile:
    return InlineFile(filename, content_type, data)


def test_without_files_the_prompt_is_the_text() -> None:
    assert build_prompt("look", []) == [{"text": "look"}]


def test_text_with_marker_then_one_block_per_file() -> None:
    files = decode_files([inline("My Report.v1@x.PDF", "application/pdf"), inline("pic.JPG", "image/jpeg")]).unwrap()
    assert build_prompt("look", files) == [
        {"text": "look\n\n[Attached files: My Report.v1@x.PDF, pic.JPG]"},
        {"document": {"format": "pdf", "name": "My Report_v1_x_PDF", "source": {"bytes": b"data"}}},
        {"image": {"format": "jpeg", "source": {"bytes": b"data"}}},
    ]


@pytest.mark.parametrize(
    ("filename", "content_type", "fmt"),
    [
        ("a.png", "", "png"),
        ("a.jpg", "", "jpeg"),
        ("a.jpeg", "", "jpeg"),
        ("a.GIF", "", "gif"),
        ("a", "image/webp", "webp"),
        ("a.png", "image/jpeg", "png"),
        ("a", "image/tiff", "png"),
        ("a.pdf", "IMAGE/GIF", "gif"),
    ],
)
def test_image_formats(filename: str, content_type: str, fmt: str) -> None:
    _, block = build_prompt("", [AttachedFile(filename, content_type, b"x")])
    assert block["image"]["format"] == fmt


def test_documents_of_one_message_have_different_names() -> None:
    files = [AttachedFile(name, "", b"x") for name in ("a.b.txt", "a@b.txt", "a_b_txt.txt", "a.b.txt", "???.txt")]
    names = [block["document"]["name"] for block in build_prompt("", files)[1:]]
    assert names == ["a_b_txt", "a_b_txt (2)", "a_b_txt_txt", "a_b_txt (3)", "____txt"]


@pytest.mark.parametrize("filename", ["a.exe", "noextension", "pdf", "a.pdf.zip"])
def test_a_file_that_is_neither_image_nor_document_is_refused_by_name(filename: str) -> None:
    error = decode_files([inline("ok.txt"), inline(filename, "application/octet-stream")]).failure()
    assert (error.code, error.field) == (ErrorCode.VALIDATION_ERROR, "body.files")
    assert filename in error.message


@pytest.mark.parametrize("data", ["no base64!", "YQ", "YQ=\n=", "YQ==YQ==", "ä", "YW-_"])
def test_base64_is_read_strictly(data: str) -> None:
    error = decode_files([inline("a.txt", data=data)]).failure()
    assert (error.code, error.field) == (ErrorCode.VALIDATION_ERROR, "body.files")
    assert "a.txt" in error.message


def test_a_name_cannot_break_the_marker() -> None:
    assert attachment_marker(["a [1].txt", "b, c.txt", "d,e.txt"]) == (
        "\n\n[Attached files: a [1_.txt, b_c.txt, d,e.txt]"
    )
