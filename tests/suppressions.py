"""The table of every `best_effort` in the code: `uv run python -m tests.suppressions` writes it."""

import ast
from dataclasses import dataclass
from pathlib import Path

SUPPRESSIONS_PAGE = "docs/suppressions.md"

_HEADER = """# Suppressed failures

Every place where the system goes on after a failure, made from the code by `uv run python -m tests.suppressions`;
`make check` fails when this page and the code differ. Each such failure is logged at WARNING with its code and reason
and counted; the response header `X-Suppressed-Failures` of `GET /health` and `GET /ping` shows the sum.

| file | function | operation | reason |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Site:
    """The log record of a suppressed failure has `module:function` as its `site`."""

    file: str
    function: str
    operation: str
    reason: str | None

    @property
    def module(self) -> str:
        return ".".join(Path(self.file.partition("/src/")[2]).with_suffix("").parts).removesuffix(".__init__")


def suppression_sites(root: Path) -> list[Site]:
    """In the order of the code. The definition of `best_effort` itself is none."""
    sites: list[Site] = []
    for path in sorted([*root.glob("shared_lib/src/**/*.py"), *root.glob("backend/*/src/**/*.py")]):
        finder = _Finder(path.relative_to(root).as_posix())
        finder.visit(ast.parse(path.read_text(encoding="utf-8")))
        sites += finder.sites
    return sites


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str) -> None:
        self.sites: list[Site] = []
        self._file = file
        self._inside: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._descend(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._descend(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._descend(node)

    def _descend(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func).split(".")[-1] == "best_effort":
            reasons = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            literal = reasons[0].value if reasons and isinstance(reasons[0], ast.Constant) else None
            operation = ast.unparse(node.args[0]) if node.args else ""
            called = operation.split("(")[0].removeprefix("await ")
            reason = literal if isinstance(literal, str) else None
            self.sites.append(Site(self._file, ".".join(self._inside) or "module", called, reason))
        self.generic_visit(node)


def render_suppressions(root: Path) -> str:
    rows = [f"| `{s.file}` | `{s.function}` | `{s.operation}` | {s.reason} |" for s in suppression_sites(root)]
    return _HEADER + "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    (root / SUPPRESSIONS_PAGE).write_text(render_suppressions(root), encoding="utf-8")
