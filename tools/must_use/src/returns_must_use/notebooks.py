"""Notebooks that were turned into Python files: the last expression of a cell is shown, not dropped."""

import re
from pathlib import Path

from mypy.nodes import MypyFile, Statement

# The percent format, what nbqa makes of a notebook, and what nbconvert does.
_CELL = re.compile(r"^# ?%%|^# In ?\[[ 0-9]*\]:")


class Cells:
    """The cells of one file; a file without a mark between cells has none."""

    def __init__(self, file: MypyFile) -> None:
        self._path = file.path
        self._lines: list[str] | None = None
        self._starts: list[int] = []

    def displays(self, body: list[Statement], index: int) -> bool:
        """Whether this statement of the module ends a cell without a semicolon."""
        if self._lines is None:
            self._read()
        if not self._starts:
            return False
        last = body[index].end_line or body[index].line
        following = body[index + 1].line if index + 1 < len(body) else last + len(self._lines or ())
        ends_cell = index + 1 == len(body) or any(last < start <= following for start in self._starts)
        return ends_cell and not self._line(last).rstrip().endswith(";")

    def _read(self) -> None:
        try:
            self._lines = Path(self._path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # the file is not on the disk: mypy was given its text
            self._lines = []
        self._starts = [number for number, line in enumerate(self._lines, start=1) if _CELL.match(line)]

    def _line(self, number: int) -> str:
        lines = self._lines or []
        return lines[number - 1] if number <= len(lines) else ""
