"""The text of a web page, in a process of its own: `python -m agents.tools.page_text`.

Whatever a page holds, what it costs is bounded: this process ends itself after `SECONDS` of processor time for one page
and cannot take more than `MEMORY` bytes.

Protocol: one JSON line when it is ready; then per line one JSON object, `{"body" (base64), "charset", "is_html",
"max_length", "include_html"}`, and one JSON line back, `{"title", "text", "is_cut", "html"}`.
"""

import base64
import codecs
import importlib
import json
import re
import resource
import signal
import sys
from dataclasses import dataclass
from typing import Any

from apis.shared.errors import bad_request
from apis.shared.result import ErrorTable, attempt

SECONDS = 8
MEMORY = 1 << 30

_LEFT_OUT = frozenset({"script", "style", "nav", "footer", "header", "noscript", "template"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "button", "caption", "dd", "details", "dialog", "div"}
    | {"dl", "dt", "fieldset", "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "main"}
    | {"ol", "option", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_BLANKS = re.compile(r"[^\S\n]+")
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
# Those of pages; some other codecs of the library take time that grows with the square of what they read.
_KNOWN = re.compile(
    r"utf[-_]?(8|16|32)([-_]?(le|be))?|us-?ascii|latin[-_]?1|iso[-_]?8859[-_]?\d{1,2}|(windows|cp)[-_]?\d{3,4}|"
    r"(x-)?s(hift)?[-_]?jis|euc[-_]?(jp|kr)|iso[-_]?2022[-_]?jp|gb2312|gbk|gb18030|big5(-hkscs)?|koi8[-_]?[ru]|"
    r"(x-)?mac(intosh|[-_]?roman)?|tis[-_]?620",
    re.IGNORECASE,
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_THAT = ErrorTable.of(
    (LookupError, lambda _: bad_request("unknown charset")), (UnicodeError, lambda _: bad_request("another charset"))
)


@dataclass(frozen=True, slots=True)
class PageText:
    """`title` is blank where there is none."""

    title: str
    text: str
    is_cut: bool
    html: str | None = None


def text_of(body: bytes, *, charset: str, is_html: bool, max_length: int, include_html: bool) -> PageText:
    """`charset` is what the server says, which may be blank or wrong."""
    source = decoded(body, charset)
    title, text = _read(source) if is_html else ("", source)
    text = "\n".join(line for part in text.split("\n") if (line := _BLANKS.sub(" ", part).strip()))
    html = source[:max_length] if include_html and is_html else None
    return PageText(_BLANKS.sub(" ", title).strip()[:1000], text[:max_length], len(text) > max_length, html)


def decoded(body: bytes, charset: str) -> str:
    """What is valid UTF-8 is UTF-8, whatever the label: text in another encoding hardly ever is."""
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    declared = _META_CHARSET.search(body[:4096])
    said = declared.group(1).decode("ascii") if declared else ""
    for name in (marked, "utf-8", charset, said):
        if name and (name == marked or _KNOWN.fullmatch(name)):
            text = attempt(body.decode, name, errors=_NOT_THAT).value_or(None)
            if text is not None:
                return _clean(text)
    named = next((name for name in (charset, said) if _is_usable(name)), "utf-8" if _is_nearly_utf8(body) else "cp1252")
    return _clean(body.decode(named, "replace"))


def _is_usable(name: str) -> bool:
    return bool(_KNOWN.fullmatch(name)) and attempt(codecs.lookup, name, errors=_NOT_THAT).value_or(None) is not None


def _is_nearly_utf8(body: bytes) -> bool:
    text = body.decode("utf-8", "replace")
    return text.count("\ufffd") * 20 < sum(not char.isascii() for char in text)


def _clean(text: str) -> str:
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def _read(source: str) -> tuple[str, str]:
    from lxml import etree  # noqa: PLC0415 - only this process needs it

    if not source.strip():
        return "", ""
    reader = _Reader()
    parser = etree.HTMLParser(target=reader, huge_tree=True, encoding="utf-8")
    # With an element in any case: of a page without one the parser says that it is empty.
    etree.fromstring(f"<html>{source}</html>".encode("utf-8", "replace"), parser)
    return "".join(reader.title), "".join(reader.text)


class _Reader:
    """Takes what the parser finds, in order, without building a tree of it."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.text: list[str] = []
        self._hidden = 0
        self._in_title = False

    def start(self, tag: str | bytes, attrib: Any) -> None:  # noqa: ARG002 - the parser's interface; Any: nobody reads them
        if tag in _LEFT_OUT:
            self._hidden += 1
        self._in_title = tag == "title" and not self.title
        if tag in _BLOCKS:
            self.text.append("\n")

    def end(self, tag: str | bytes) -> None:
        if tag in _LEFT_OUT:
            self._hidden = max(0, self._hidden - 1)
        self._in_title = False
        if tag in _BLOCKS:
            self.text.append("\n")

    def data(self, data: str | bytes) -> None:
        if self._in_title:
            self.title.append(str(data))
        elif not self._hidden:
            self.text.append(str(data))

    def comment(self, text: str | bytes) -> None:
        """Is no text of the page."""

    def close(self) -> None:
        pass


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    importlib.import_module("lxml.etree")  # before a clock runs
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say({"ready": True})
    for line in sys.stdin:
        # Without a handler it ends the process.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        task = json.loads(line)
        page = text_of(base64.b64decode(task.pop("body")), **task)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say({"title": page.title, "text": page.text, "is_cut": page.is_cut, "html": page.html})


def _say(reply: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
