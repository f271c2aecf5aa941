"""The text of a document, by the ending of its name. Every failure is a sentence for whoever uploaded it."""

import codecs
import csv
import datetime
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt

if TYPE_CHECKING:
    from docx.blkcntnr import BlockItemContainer
    from docx.table import Table as WordTable

NO_TEXT: Final = bad_request("There is no text in this document. Pages that were scanned have to be recognised first.")
EMPTY: Final = bad_request("The file is empty.")
LOCKED: Final = bad_request("The document is protected by a password. Please upload it without one.")

_BYTE_ORDER_MARKS: Mapping[bytes, str] = {
    # Longer ones first: that of UTF-32 begins as that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BLOCKS = (
    "address,article,aside,blockquote,br,caption,dd,div,dl,dt,fieldset,figcaption,figure,footer,form,h1,h2,h3,h4,h5,h6,"
    "header,hr,li,main,nav,ol,option,p,pre,section,summary,table,td,th,tr,ul"
)
_INVISIBLE = "head,script,style,template,noscript,[hidden],[style*='display:none'],[style*='display: none']"
_BLOCK_END = "\x1e"

type Reader = Callable[[bytes], Result[str, ErrorDetail]]


def text_of(name: str, data: bytes) -> Result[str, ErrorDetail]:
    """Never blank. Fails with `bad_request` for what has no text, or cannot be read."""
    ending = PurePosixPath(name).suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        return Failure(bad_request(f"Files of the type '{ending or name}' cannot be read here."))
    if not data:
        return Failure(EMPTY)
    return reader(data).bind(lambda text: Success(text) if text.strip() else Failure(NO_TEXT))


def _unreadable(kind: str) -> ErrorTable:
    """Whatever a parser stumbles over in a file that somebody has sent."""
    return ErrorTable.of((Exception, lambda _: bad_request(f"The file cannot be read as {kind}. It may be damaged.")))


def _plain(data: bytes) -> Result[str, ErrorDetail]:
    text = _decoded(data)
    return Failure(bad_request("The file is no text.")) if "\0" in text else Success(text)


def _decoded(data: bytes) -> str:
    """In UTF-8, or what its first bytes say; else as Windows writes text in the west of Europe and America."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    text = data.decode("utf-8", errors="surrogateescape")
    is_utf8 = not re.search("[\ud800-\udfff]", text)
    return text if is_utf8 else data.decode("cp1252", errors="replace")


def _html(data: bytes) -> Result[str, ErrorDetail]:
    return attempt(_visible, data, errors=_unreadable("a web page"))


def _visible(data: bytes) -> str:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - lazy: only when there is a page to read

    tree = LexborHTMLParser(_decoded(data).replace(_BLOCK_END, " "))
    for node in tree.css(_INVISIBLE):
        node.decompose()
    for node in tree.css(_BLOCKS):
        node.insert_before(_BLOCK_END)
        node.insert_after(_BLOCK_END)
    text = tree.body.text(separator="") if tree.body is not None else ""
    return "\n".join(line for part in text.split(_BLOCK_END) if (line := " ".join(part.split())))


def _csv(data: bytes) -> Result[str, ErrorDetail]:
    return _plain(data).bind(lambda text: attempt(_table_of_csv, text, errors=_unreadable("a table")))


def _table_of_csv(text: str) -> str:
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first_line.count)
    return _rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _rows(rows: Iterable[list[str]]) -> str:
    """A line for each row, which says the heading of each value: a passage is read without the rest of its table."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if len(filled) < 2:
        return "\n".join("; ".join(cell.strip() for cell in row if cell.strip()) for row in filled)
    headings, *body = filled
    return "\n".join("; ".join(_cells(headings, row)) for row in body)


def _cells(headings: list[str], row: list[str]) -> Iterator[str]:
    for number, cell in enumerate(row):
        heading = headings[number].strip() if number < len(headings) else ""
        if cell.strip():
            yield f"{heading}: {cell.strip()}" if heading else cell.strip()


def _xlsx(data: bytes) -> Result[str, ErrorDetail]:
    return attempt(_sheets, data, errors=_unreadable("an Excel workbook"))


def _sheets(data: bytes) -> str:
    import openpyxl  # noqa: PLC0415 - lazy: only when there is a workbook to read

    values = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    formulas = openpyxl.load_workbook(io.BytesIO(data))
    parts = []
    for sheet, written in zip(values.worksheets, formulas.worksheets, strict=True):
        rows = zip(sheet.iter_rows(), written.iter_rows(), strict=True)
        text = _rows([_cell(value.value, formula.value) for value, formula in zip(*pair, strict=True)] for pair in rows)
        if text:
            parts.append(f"{sheet.title}\n{text}")
    return "\n\n".join(parts)


def _cell(value: Any, written: Any) -> str:  # Any: whatever a cell holds
    """What a formula came to when the workbook was saved; the formula itself only where nothing was."""
    shown = written if value is None else value
    match shown:
        case None:
            return ""
        case datetime.datetime() if shown.time() == datetime.time():
            return shown.date().isoformat()
        case datetime.datetime() | datetime.date() | datetime.time():
            return shown.isoformat()
        case _:
            return str(shown)


def _docx(data: bytes) -> Result[str, ErrorDetail]:
    return attempt(_word, data, errors=_unreadable("a Word document"))


def _word(data: bytes) -> str:
    import docx  # noqa: PLC0415 - lazy: only when there is a document to read

    return "\n".join(_paragraphs(docx.Document(io.BytesIO(data))))


def _paragraphs(container: "BlockItemContainer | Any") -> Iterator[str]:  # Any: a document has the same method
    from docx.text.paragraph import Paragraph  # noqa: PLC0415 - lazy, as above

    for item in container.iter_inner_content():
        if isinstance(item, Paragraph):
            yield item.text
        else:
            yield from _table(item)


def _table(table: "WordTable") -> Iterator[str]:
    for row in table.rows:
        # A cell that spans columns is listed once for each.
        cells = {id(cell._tc): cell for cell in row.cells}
        yield "; ".join(" ".join(" ".join(_paragraphs(cell)).split()) for cell in cells.values())


def _pdf(data: bytes) -> Result[str, ErrorDetail]:
    return attempt(_pages, data, errors=_LOCKED_PDF + _unreadable("a PDF"))


def _pages(data: bytes) -> str:
    import pypdf  # noqa: PLC0415 - lazy: only when there is a PDF to read

    reader = pypdf.PdfReader(io.BytesIO(data))
    # An owner's password alone keeps nobody from reading.
    if reader.is_encrypted and not reader.decrypt(""):
        raise _LockedError
    return "\n\n".join(page.extract_text() for page in reader.pages)


class _LockedError(Exception):
    """The document asks for a password."""


_LOCKED_PDF = ErrorTable.of((_LockedError, lambda _: LOCKED))

_READERS: Mapping[str, Reader] = {
    **dict.fromkeys((".txt", ".md", ".markdown", ".asciidoc", ".adoc", ".json", ".xml"), _plain),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _html),
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".docx": _docx,
    ".pdf": _pdf,
}
