"""`fetch_url_content`, and the guard for what it is told to fetch."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response, StreamingResponse

from agents.outgoing import addresses, guard, pages
from agents.outgoing.addresses import AllowedHosts
from agents.outgoing.pages import PageFetcher, PageLimits
from agents.tools.web_pages import fetch_url_content
from tests.support.web_site import Told, WebSite


def html(body: str | bytes, **headers: str) -> Response:
    return Response(body, headers={"content-type": "text/html; charset=utf-8", **headers})


async def told(url: str, **options: Any) -> dict[str, Any]:
    """The JSON of the result, whose status agrees with it."""
    answer = await fetch_url_content(url, **options)
    (block,) = answer["content"]
    value: dict[str, Any] = block["json"]
    assert answer["status"] == ("success" if value["success"] else "error")
    return value


PAGE = """<html><head><title>A  Title</title><style>p {}</style><script>var x = "<p>no</p>";</script></head>
<body><header>Top</header><nav>Menu</nav><p>First   line</p>

<p>Second <b>line</b> &amp; more</p><footer>End</footer></body></html>"""


async def test_a_page(site: WebSite) -> None:
    site.pages["/page"] = html(PAGE)
    assert await told(f"{site.url}/page") == {
        "success": True,
        "url": f"{site.url}/page",
        "title": "A Title",
        "content_type": "text/html; charset=utf-8",
        "text_content": "First line\nSecond line & more",
        "text_length": 29,
        "status_code": 200,
    }
    assert (await told(f"{site.url}/page", include_html=True))["html_content"] == PAGE


@pytest.mark.parametrize(
    ("asked", "length"),
    [(10, 10), (0, 50_000), (-1, 50_000), (10**12, 200_000)],
    ids=["F7 short", "F7 none", "F7 negative", "F7 huge"],
)
async def test_the_length_of_the_text(site: WebSite, asked: int, length: int) -> None:
    site.pages["/page"] = html("<p>" + "x" * 300_000)
    text = (await told(f"{site.url}/page", max_length=asked))["text_content"]
    assert text == "x" * length + "\n\n[The content was truncated here.]"


PUBLIC = "93.184.216.34"
NOT_PUBLIC = [
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "0.0.0.0",
    "localhost.",
    "localhost",
    "[::1]",
    "[::]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[fd00:ec2::254]",
    "[fe80::1%25eth0]",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "198.18.0.1",
    "①②⑦.0.0.1",
    "10.0.0.1",
    "[2002:7f00:1::]",
    "168.63.129.16",
]


@pytest.mark.parametrize("host", NOT_PUBLIC)
async def test_what_is_not_public_is_not_fetched(site: WebSite, host: str) -> None:
    """F1, A18: no packet is sent."""
    port = site.url.rpartition(":")[2]
    assert "error" in await told(f"http://{host}:{8080}/latest")
    fetcher = PageFetcher(allowed=AllowedHosts())
    assert (await fetcher.fetch(f"http://{host}:{port}/")).map(lambda _: "fetched").value_or("refused") == "refused"
    assert not site.asked


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "file:///etc/passwd",
        "//10.0.0.1/",
        "http://user:pw@127.0.0.1/",
        "http://ok.example\\@10.0.0.1/",
        "http://10.0.0.1#@ok.example/",
        "http://example.com:22/",
        "http://example.com:6379/",
        "http://example.com/" + "x" * 100_000,
        "http://exa mple.com/",
        "http://exa\tmple.com/",
        "http://exa\nmple.com/",
        "http:///x",
        "https:x",
        "",
    ],
)
async def test_what_is_no_address_of_a_page(site: WebSite, url: str) -> None:
    """A18, F4"""
    answer = await told(url)
    assert set(answer) == {"success", "error", "url"}
    assert "pw" not in json.dumps(answer)
    assert not site.asked


class Resolver:
    """Says something else each time, and what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(["127.0.0.1"], id="private"),
        pytest.param([PUBLIC, "127.0.0.1"], id="F1 one of each"),
        pytest.param(["127.0.0.1", PUBLIC], id="F1 one of each, the other way round"),
        pytest.param([], id="none"),
    ],
)
async def test_a_name_is_what_it_resolves_to(site: WebSite, answers: list[str]) -> None:
    resolver = Resolver(answers)
    fetched = await PageFetcher(allowed=AllowedHosts(), resolve=resolver).fetch("HTTP://EXAMPLE.COM/")
    assert fetched.failure().code == "bad_request"
    assert resolver.asked == [("example.com", 80)]


async def test_names_that_are_never_answered_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a name decides how long the system waits for it."""
    answered = threading.Event()

    def hanging(*_: object, **__: object) -> list[object]:
        answered.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    asking = [asyncio.create_task(guard.resolve(f"{number}.example", 80)) for number in range(40)]
    try:
        async with asyncio.timeout(2):
            await asyncio.sleep(0)
            assert await asyncio.to_thread(lambda: "served") == "served"
    finally:
        answered.set()
        await asyncio.gather(*asking)


async def test_the_connection_goes_to_the_address_that_was_checked(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F2: the name is asked for once, and the proxy of the environment not at all."""
    monkeypatch.setattr("agents.outgoing.guard.is_public", lambda _: True)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    port = site.url.rpartition(":")[2]
    site.pages["/page"] = html("here")
    resolver = Resolver(["127.0.0.1"])
    fetcher = PageFetcher(allowed=AllowedHosts(), resolve=resolver)
    monkeypatch.setattr(pages, "web_url", lambda url, **_: addresses.web_url(url, ports=None))
    page = (await fetcher.fetch(f"http://example.test:{port}/page")).unwrap()
    assert page.body == b"here"
    assert resolver.asked == [("example.test", int(port))]
    assert site.asked[0].headers["host"] == f"example.test:{port}"


async def test_redirects(site: WebSite) -> None:
    """F3"""
    site.pages |= {
        "/relative": RedirectResponse("end"),
        "/end": html("<title>The end</title>"),
        "/cookie": Response(status_code=302, headers={"location": "/end", "set-cookie": "a=b"}),
        "/loop": RedirectResponse("/loop"),
        "/nowhere": Response(status_code=302),
        **{f"/hop{number}": RedirectResponse(f"/hop{number + 1}") for number in range(6)},
        "/hop6": html("far"),
    }
    assert (await told(f"{site.url}/relative"))["url"] == f"{site.url}/relative"
    assert (await told(f"{site.url}/relative"))["title"] == "The end"
    site.asked.clear()
    assert (await told(f"{site.url}/cookie"))["success"]
    assert "cookie" not in site.asked[1].headers
    assert (await told(f"{site.url}/hop1"))["text_content"] == "far"
    assert "more than 5 times" in (await told(f"{site.url}/hop0"))["error"]
    assert "more than 5 times" in (await told(f"{site.url}/loop"))["error"]
    assert (await told(f"{site.url}/nowhere"))["status_code"] == 302


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "file:///etc/passwd", "//10.0.0.1/", "http://user:pw@127.0.0.1/", "http://["]
)
async def test_a_redirect_to_a_forbidden_place(site: WebSite, target: str) -> None:
    """F3"""
    site.pages["/go"] = Response(status_code=302, headers={"location": target})
    assert not (await told(f"{site.url}/go"))["success"]
    assert site.paths == ["/go"]


def drip(*parts: bytes, pause: float = 0.05) -> Told:
    async def body() -> Any:
        for part in parts * 100:
            yield part
            await asyncio.sleep(pause)

    return lambda: StreamingResponse(body(), media_type="text/html")


def bomb() -> bytes:
    return gzip.compress(b"\0" * 40 * 1024 * 1024)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        pytest.param(html(b"x" * (11 * 1024 * 1024)), "larger than 10 MB", id="F5 large"),
        pytest.param(html(bomb(), **{"content-encoding": "gzip"}), "larger than 10 MB", id="F5 bomb"),
        pytest.param(
            html(gzip.compress(bomb()), **{"content-encoding": "gzip, gzip"}), "larger than 10 MB", id="F5 twice"
        ),
        pytest.param(html(b"x", **{"content-encoding": "br"}), "cannot be read", id="F5 unknown encoding"),
        pytest.param(html(b"x", **{"content-encoding": "gzip"}), "cannot be read", id="F5 not encoded"),
        pytest.param(drip(b"x"), "in time", id="F5 drip"),
    ],
)
async def test_what_a_page_may_cost(site: WebSite, monkeypatch: pytest.MonkeyPatch, page: Told, error: str) -> None:
    slow = PageFetcher(
        allowed=AllowedHosts(["127.0.0.1"]),
        limits=PageLimits(seconds=10 if isinstance(page, Response) else 0.5),
    )
    monkeypatch.setattr("agents.tools.web_pages.get_page_fetcher", lambda: slow)
    site.pages["/page"] = page
    assert error in (await told(f"{site.url}/page"))["error"]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_encoded_page(site: WebSite, encoding: str) -> None:
    body = gzip.compress(b"<p>here") if encoding == "gzip" else b"<p>here"
    site.pages["/page"] = html(body, **{"content-encoding": encoding})
    assert (await told(f"{site.url}/page"))["text_content"] == "here"


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html", '<meta charset="shift_jis"><p>日本語'.encode("shift_jis"), "日本語"),
        ("text/html; charset=utf8mb4", "<p>größe".encode(), "größe"),
        ("text/html", "<p>größe".encode("utf-16"), "größe"),
        ("text/html; charset=iso-8859-1", "<p>größe €".encode(), "größe €"),
        ("text/html; charset=iso-8859-1", "<p>größe".encode("latin-1"), "größe"),
        ("text/html", b"<p>a\x00b", "ab"),
        ("text/html", b"<div>" * 200_000 + b"deep", "deep"),
        ("text/html; charset=zip", b"<p>\xff\xfe\xfd", None),
        ("application/json", b'{"a": 1}', '{"a": 1}'),
        ("application/ld+json", b"{}", "{}"),
        ("application/xml", b"<a>1</a>", "<a>1</a>"),
        ("text/csv", b"a,b\n\n1,2", "a,b\n1,2"),
        ("", b"  <html><p>seen", "seen"),
        ("", b"plain", "plain"),
        ("text/html", b"", ""),
    ],
)
async def test_the_text_of_a_page(site: WebSite, content_type: str, body: bytes, expected: str | None) -> None:
    """F6, F7"""
    site.pages["/page"] = Response(body, headers={"content-type": content_type} if content_type else {})
    answer = await told(f"{site.url}/page")
    assert answer["success"]
    assert expected is None or answer["text_content"] == expected


@pytest.mark.parametrize(
    ("content_type", "body", "named"),
    [
        ("application/pdf", b"%PDF-1.7", "application/pdf"),
        ("text/html", b"%PDF-1.7", "application/pdf"),
        ("application/zip", b"PK\x03\x04", "application/zip"),
        ("image/png", b"\x89PNG\r\n", "image/png"),
        ("application/octet-stream", b"\x01", "application/octet-stream"),
        ("", b"\x00\x01", "unknown"),
    ],
)
async def test_what_is_no_text(site: WebSite, content_type: str, body: bytes, named: str) -> None:
    """F7"""
    site.pages["/file"] = Response(body, headers={"content-type": content_type} if content_type else {})
    assert named in (await told(f"{site.url}/file"))["error"]


@pytest.mark.parametrize("status", [304, 404, 429, 503])
async def test_a_status_that_is_an_error(site: WebSite, status: int) -> None:
    """F7"""
    site.pages["/page"] = Response(status_code=status)
    assert (await told(f"{site.url}/page"))["status_code"] == status


@pytest.mark.parametrize("status", [204, 206])
async def test_a_status_that_is_none(site: WebSite, status: int) -> None:
    site.pages["/page"] = Response(b"" if status == 204 else b"part", status, {"content-type": "text/plain"})
    assert (await told(f"{site.url}/page"))["success"]


async def test_a_place_that_cannot_be_reached(site: WebSite) -> None:
    assert "cannot be reached" in (await told("http://127.0.0.1:9/"))["error"]
