"""Notebooks that were turned into Python files: the last expression of a cell is shown, not dropped."""

import re
from pathlib import Path

from mypy.nodes import MypyFile, Statement

# The percent format, what nbqa makes of a notebook, and what nbconvert does.
_CELL = re.compile(rb"^# ?(?:%%|In ?\[[ 0-9]*\]:)", re.MULTILINE)


class Cells:
    """The cells of one file; a file without a mark between cells has none."""

    def __init__(self, file: MypyFile) -> None:
        self._path = file.path
        self._lines: list[bytes] | None = None
        self._starts: list[int] = []

    def displays(self, body: list[Statement], index: int) -> bool:
        """Whether this statement of the module ends a cell without a semicolon."""
        if self._lines is None:
            self._lines = self._read()
        if not self._starts:
            return False
        last = body[index].end_line or body[index].line
        ends_cell = index + 1 == len(body) or any(last < start <= body[index + 1].line for start in self._starts)
        line = self._lines[last - 1] if last <= len(self._lines) else b""
        return ends_cell and not line.rstrip().endswith(b";")

    def _read(self) -> list[bytes]:
        path = Path(self._path)
        # Not on the disk where mypy was given its text.
        source = path.read_bytes() if path.is_file() else b""
        if not _CELL.search(source):
            return []
        lines = source.splitlines()
        self._starts = [number for number, line in enumerate(lines, start=1) if _CELL.match(line)]
        return lines
