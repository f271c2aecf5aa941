"""Small documents, made when they are needed."""

import datetime
import io
import zipfile
from collections.abc import Sequence

import docx
import openpyxl
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def pdf(*pages: str, user_password: str | None = None, owner_password: str | None = None) -> bytes:
    """A page for each text; an empty text is an empty page. Without any password it is not encrypted."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(width=612, height=792)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode() if text else b"")
        page[NameObject("/Contents")] = writer._add_object(content)
    if user_password is not None or owner_password is not None:
        writer.encrypt(user_password or "", owner_password, algorithm="AES-256")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def word(*paragraphs: str, table: Sequence[Sequence[str]] = (), merged: bool = False) -> bytes:
    """Paragraphs, and behind them a table; `merged` makes its first row one cell."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, texts in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        if merged:
            grid.cell(0, 0).merge(grid.cell(0, len(table[0]) - 1))
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def macro_word() -> bytes:
    """A document with macros under the name of one without."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word("text"))) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            plain, macro = b"wordprocessingml.document.main+xml", b"ms-word.document.macroEnabled.main+xml"
            content = source.read(name)
            target.writestr(name, content.replace(b"vnd.openxmlformats-officedocument." + plain, b"vnd." + macro))
    return changed.getvalue()


def workbook(*rows: Sequence[str | int | float | datetime.datetime | datetime.date | None]) -> bytes:
    """A text that begins with `=` is a formula, whose value nobody has computed."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Fees"
    for row in rows:
        sheet.append(list(row))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def with_value(book: bytes, formula: str, value: str) -> bytes:
    """The workbook as a spreadsheet program saves it: with what `formula` came to."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name).decode()
            # `<f>..</f><v></v>` is how the library leaves room for it.
            for empty in ("<v></v>", "<v/>", "<v />"):
                content = content.replace(f"<f>{formula}</f>{empty}", f"<f>{formula}</f><v>{value}</v>")
            target.writestr(name, content)
    return changed.getvalue()
