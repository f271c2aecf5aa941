"""`fetch_url_content`: the text of a page that the model names, fetched behind the guard for outgoing requests."""

import asyncio
import base64
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from agents.tools import processes
from agents.tools.processes import Limits, ToolProcesses
from agents.tools.results import Envelope, error_block, json_block
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import ToolSettings, settings
from apis.shared.wiring import once

if TYPE_CHECKING:
    from agents.outgoing.pages import Page, PageFetcher

DEFAULT_LENGTH = 50_000
MAX_LENGTH = 200_000
TRUNCATED = "\n\n[The content was truncated here.]"

# A page and what is read of it go through a pipe as one line each.
page_reader = ToolProcesses(
    "-m",
    "agents.tools.page_text",
    limits=Limits(workers=2, seconds=20.0, request_bytes=15 * 1024 * 1024, answer_bytes=5 * 1024 * 1024),
)

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = re.compile(r"text/.+|application/(.+\+)?(json|xml)|application/(x-)?(javascript|yaml|ndjson)|image/svg\+xml")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
# What some content begins with, whatever its label says.
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"\x1f\x8b", "application/gzip"),
)
_UNREAD = {
    processes.BUSY.message: "Too many pages are being read. Try again in a moment.",
    processes.TOO_LARGE.message: "The page is too large.",
}


async def fetch_url_content(url: str, include_html: bool = False, max_length: int = DEFAULT_LENGTH) -> Envelope:
    """Read the text of a public web page.

    Args:
        url: Address of the page, with http:// or https://.
        include_html: Give the HTML source too.
        max_length: Length of the text in characters, at most 200000.
    """
    match await _fetched(url):
        case Failure(error):
            return error_block(error.message, url=_shown(url))
        case Success(page) if page.status >= HTTPStatus.MULTIPLE_CHOICES:
            text = f"The server answered with status {page.status}."
            return error_block(text, url=_shown(url), status_code=page.status)
        case Success(page):
            return await _told(url, page, include_html, _length(max_length))


async def _fetched(url: str) -> "Result[Page, ErrorDetail]":
    fetcher = await asyncio.to_thread(get_page_fetcher)
    return await fetcher.fetch(url.strip())


async def _told(url: str, page: "Page", include_html: bool, max_length: int) -> Envelope:
    kind = _kind(page)
    match await _text(page, kind, include_html, max_length):
        case Success(read):
            text = read["text"] + (TRUNCATED if read["is_cut"] else "")
            told = {
                "success": True,
                "url": _shown(url),
                "title": read["title"] or "No title",
                "content_type": page.content_type or kind,
                "text_content": text,
                "text_length": len(text),
                "status_code": page.status,
            }
            return json_block(told | ({"html_content": read["html"]} if read["html"] is not None else {}))
        case Failure(error):
            return error_block(_UNREAD.get(error.message, error.message), url=_shown(url), status_code=page.status)


@railway
async def _text(page: "Page", kind: str, include_html: bool, max_length: int) -> Result[dict[str, Any], ErrorDetail]:
    if not _TEXT.fullmatch(kind) and kind not in _HTML:
        return Failure(bad_request(f"The address leads to a file of type {kind or 'unknown'}, not to text."))
    charset = _CHARSET.search(page.content_type)
    task = {
        "charset": charset.group(1) if charset else "",
        "is_html": kind in _HTML,
        "max_length": max_length,
        "include_html": include_html,
    }
    line = await asyncio.to_thread(lambda: json.dumps({"body": base64.b64encode(page.body).decode(), **task}))
    answer = (await page_reader.ask(line)).unwrap()
    read: dict[str, Any] = json.loads(answer)
    return Success(read)


def _kind(page: "Page") -> str:
    """What it is, which its label need not say."""
    found = next((kind for start, kind in _SIGNATURES if page.body.startswith(start)), None)
    said = page.content_type.partition(";")[0].strip().lower()
    if found or (said and "/" in said):
        return found or said
    start = page.body[:1024]
    if b"\x00" in start:
        return ""
    return "text/html" if start.lstrip()[:1] == b"<" else "text/plain"


def _length(asked: int) -> int:
    return min(asked, MAX_LENGTH) if asked > 0 else DEFAULT_LENGTH


def _shown(url: str) -> str:
    """Without a password that somebody put into it."""
    return re.sub(r"//[^/?#]*@", "//", url)[:2000]


@once
def get_page_fetcher() -> "PageFetcher":
    from agents.outgoing.addresses import AllowedHosts  # noqa: PLC0415 - lazy: as below
    from agents.outgoing.pages import PageFetcher  # noqa: PLC0415 - lazy: httpx stays out of the start

    return PageFetcher(allowed=AllowedHosts(settings(ToolSettings).outgoing_allowed_hosts))
