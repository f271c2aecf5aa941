"""Results of servers' tools as a model is given them."""

import base64
from typing import Any

import pytest

from agents.tools.mcp.contents import envelope_of
from tests.support.interpreter import png

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20


def image(data: bytes | str, kind: str | None = "image/png") -> dict[str, Any]:
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return {"type": "image", "data": encoded, **({} if kind is None else {"mimeType": kind})}


@pytest.mark.parametrize(
    ("result", "texts"),
    [
        pytest.param({"content": []}, ["(The tool gave no output.)"], id="M6 empty"),
        pytest.param({}, ["(The tool gave no output.)"], id="nothing"),
        pytest.param({"content": "text"}, ["(The tool gave no output.)"], id="no list"),
        pytest.param({"structuredContent": {"a": 1}}, ['{"a": 1}'], id="M6 structured"),
        pytest.param(
            {"content": [{"type": "text", "text": '{"a":1}'}], "structuredContent": {"a": 1}}, ['{"a":1}'], id="M6 once"
        ),
        pytest.param(
            {"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}}, ["3"], id="M6 wrapped"
        ),
        pytest.param(
            {"content": [{"type": "text", "text": "say a number"}], "structuredContent": {"b": 2}},
            ["say a number", '{"b": 2}'],
            id="M8",
        ),
        pytest.param({"content": [{"type": "text", "text": "say a number"}]}, ["say a number"], id="M8 text"),
        pytest.param(
            {"content": [image("<svg/>", "image/svg+xml")]},
            ["[image, image/svg+xml, 0 KB, cannot be shown]"],
            id="M6 SVG",
        ),
        pytest.param(
            {"content": [image("no base64!")]}, ["[image, image/png, 0 KB, cannot be shown]"], id="M6 no base64"
        ),
        pytest.param(
            {"content": [image(png(12_000, 9_000))]}, ["[image, image/png, 0 KB, too large to be shown]"], id="M7 image"
        ),
        pytest.param(
            {"content": [{"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}]},
            ["[audio, audio/wav, 0 KB]"],
            id="M6 audio",
        ),
        pytest.param(
            {"content": [{"type": "resource_link", "uri": "https://h/", "name": "n"}]},
            ["[link, n, https://h/]"],
            id="M6 link",
        ),
        pytest.param(
            {"content": [{"type": "resource", "resource": {"uri": "u:1", "text": "inside"}}]},
            ["[resource, u:1]", "inside"],
            id="M6 text",
        ),
        pytest.param(
            {
                "content": [
                    {"type": "resource", "resource": {"uri": "u:1", "blob": "AAAA", "mimeType": "application/pdf"}}
                ]
            },
            ["[resource, application/pdf, 0 KB, u:1]"],
            id="M6 PDF",
        ),
        pytest.param(
            {"content": [{"type": "hologram"}, 5]},
            ["[content of kind hologram]", "[content without a kind]"],
            id="unknown",
        ),
    ],
)
def test_what_becomes_text(result: dict[str, Any], texts: list[str]) -> None:
    assert envelope_of(result) == {"status": "success", "content": [{"text": text} for text in texts]}


@pytest.mark.parametrize(
    ("data", "kind", "form"),
    [
        (png(), "image/png", "png"),
        (png(), "IMAGE/PNG", "png"),
        (png(), None, "png"),
        (JPEG, "image/png", "jpeg"),
        (JPEG, "image/jpg", "jpeg"),
        (b"GIF89a\1\0\1\0", "image/gif", "gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "x", "webp"),
    ],
)
def test_an_image_is_what_its_bytes_are(data: bytes, kind: str | None, form: str) -> None:
    """M6"""
    assert envelope_of({"content": [image(data, kind)]})["content"] == [
        {"image": {"format": form, "source": {"bytes": data}}}
    ]


def test_bounds() -> None:
    """M6, M7, P17"""
    many = envelope_of({"content": [image(png())] * 60})["content"]
    assert [len([block for block in many if "image" in block]), many[-1]["text"]] == [
        20,
        "[40 more images are left out]",
    ]
    texts = envelope_of({"content": [{"type": "text", "text": "x" * 150_000}] * 3})["content"]
    assert [len(block["text"]) for block in texts[:2]] == [150_000, 50_000]
    assert "250000 characters" in texts[2]["text"]


def test_a_failure_says_something() -> None:
    """M6"""
    assert envelope_of({"isError": True, "content": []})["status"] == "error"
    assert envelope_of({"isError": True, "content": []})["content"][0]["text"]
