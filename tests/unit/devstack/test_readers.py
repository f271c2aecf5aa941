"""What is read from a document, and what its owner is told when nothing can be."""

import datetime

import pytest

from apis.shared.result import Failure, Success
from devstack.ingestion.readers import EMPTY, LOCKED, NO_TEXT, text_of
from tests.support.documents import macro_word, pdf, with_value, word, workbook

PAGE = b"""<html><head><title>Tab</title><style>p { color: red }</style></head><body>
<h1>Fees</h1><p>Each <b>term</b>
costs money.</p><script>alert("no")</script><p hidden>secret</p><div style="display:none">secret</div>
<table><tr><td>Term</td><td>100</td></tr></table><noscript>no</noscript><ul><li>one</li><li>two</li></ul></body></html>"""

READ = {
    "text": ("a.txt", b"hello", "hello"),
    "upper case": ("A.TXT", b"hello", "hello"),
    "Markdown": ("notes.markdown", b"# Fees\n\n100", "# Fees\n\n100"),
    "UTF-8": ("a.txt", "授業 é".encode(), "授業 é"),
    "UTF-8 with a mark": ("a.txt", "\ufeffé".encode(), "é"),
    "UTF-16": ("a.txt", "授業".encode("utf-16"), "授業"),
    "UTF-16, big end first": ("a.txt", b"\xfe\xff" + "é".encode("utf-16-be"), "é"),
    "Windows-1252": ("a.txt", "naïve “quote” €5".encode("cp1252"), "naïve “quote” €5"),
    "page": ("a.html", PAGE, "Fees\nEach term costs money.\nTerm\n100\none\ntwo"),
    "page without body": ("a.htm", b"just text", "just text"),
    "CSV": ("a.csv", b"term,fee\nfall,100\n\nspring,\n", "term: fall; fee: 100\nterm: spring"),
    "CSV with semicolons": ("a.csv", b"term;fee\nfall;1,5", "term: fall; fee: 1,5"),
    "CSV with quoted lines": ("a.csv", b'term,note\nfall,"a, ""b""\nc"', 'term: fall; note: a, "b"\nc'),
    "CSV in UTF-16": ("a.csv", "term\tfee\nfall\t100".encode("utf-16"), "term: fall; fee: 100"),
    "CSV in UTF-8 with a mark": ("a.csv", "\ufeffterm,fee\nfall,100".encode(), "term: fall; fee: 100"),
    "CSV in Windows-1252": ("a.csv", "prix,é\n5 €,x".encode("cp1252"), "prix: 5 €; é: x"),
    "CSV of one line": ("a.csv", b"term,fee", "term; fee"),
    "PDF": ("a.pdf", pdf("Hello", "World"), "Hello\n\nWorld"),
    "PDF that only its owner may change": ("a.pdf", pdf("Hello", owner_password="owner"), "Hello"),
    "Word": ("a.docx", word("One", table=[["Term", "Fee"], ["fall", "100"]]), "One\nTerm; Fee\nfall; 100"),
    "Word with a cell over two columns": (
        "a.docx", word(table=[["Fees", ""], ["fall", "100"]], merged=True), "Fees\nfall; 100",
    ),
    "workbook": (
        "a.xlsx",
        workbook(
            ["day", "at", "fee"],
            [datetime.date(2026, 9, 1), datetime.datetime(2026, 9, 1, 8, 30), 100],
            [datetime.datetime(2026, 9, 2), None, 1.5],
        ),
        "Fees\nday: 2026-09-01; at: 2026-09-01T08:30:00; fee: 100\nday: 2026-09-02; fee: 1.5",
    ),
    "formula without a value": ("a.xlsx", workbook(["sum"], ["=1+2"]), "Fees\nsum: =1+2"),
    "formula with its value": ("a.xlsx", with_value(workbook(["sum"], ["=1+2"]), "1+2", "3"), "Fees\nsum: 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_read(case: str) -> None:
    name, data, text = READ[case]
    assert text_of(name, data) == Success(text)


REFUSED = {
    "no bytes": ("a.pdf", b"", EMPTY.message),
    "blank text": ("a.txt", b" \n\t", NO_TEXT.message),
    "blank PDF": ("a.pdf", pdf("", ""), NO_TEXT.message),
    "PDF with a password": ("a.pdf", pdf("Hello", user_password="x", owner_password="y"), LOCKED.message),
    "text named PDF": ("a.pdf", b"Dear reader, this is no PDF.", "cannot be read as a PDF"),
    "cut PDF": ("a.pdf", pdf("Hello")[:200], "cannot be read as a PDF"),
    "text named Word": ("a.docx", b"Dear reader", "cannot be read as a Word document"),
    "text named workbook": ("a.xlsx", b"Dear reader", "cannot be read as an Excel workbook"),
    "Word with macros": ("a.docm", macro_word(), "type '.docm'"),
    "Word with macros under another name": ("a.docx", macro_word(), "cannot be read as a Word document"),
    "slides": ("a.pptx", b"PK", "type '.pptx'"),
    "no ending": ("README", b"hello", "type 'README'"),
    "bytes named text": ("a.txt", b"\x00\x01\x02", "no text"),
    "empty workbook": ("a.xlsx", workbook(), NO_TEXT.message),
    "page with nothing to see": ("a.html", b"<script>x</script>", NO_TEXT.message),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence_for_the_user(case: str) -> None:
    name, data, told = REFUSED[case]
    match text_of(name, data):
        case Failure(error):
            assert error.code.value == "bad_request"
            assert told in error.message
        case other:
            pytest.fail(f"read {other}")
