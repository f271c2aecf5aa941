"""The table of every `best_effort` in the code: `uv run python -m tests.suppressions` writes it."""

import ast
from dataclasses import dataclass
from pathlib import Path

SUPPRESSIONS_PAGE = "docs/suppressions.md"

_HEADER = """# Suppressed failures

Every place where the system goes on after a failure, made from the code by `uv run python -m tests.suppressions`;
`make check` fails when this page and the code differ. Each such failure is logged at WARNING with its code and reason
and counted; the response header `X-Suppressed-Failures` of `GET /health` and `GET /ping` shows the sum.

| file | line | operation | reason |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Site:
    file: str
    line: int
    operation: str
    reason: str | None


def suppression_sites(root: Path) -> list[Site]:
    sites = []
    for path in sorted([*root.glob("shared_lib/src/**/*.py"), *root.glob("backend/*/src/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "best_effort":
                reasons = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
                literal = reasons[0].value if reasons and isinstance(reasons[0], ast.Constant) else None
                operation = ast.unparse(node.args[0]) if node.args else ""
                called = operation.split("(")[0].removeprefix("await ")
                sites.append(
                    Site(
                        path.relative_to(root).as_posix(),
                        node.lineno,
                        called,
                        literal if isinstance(literal, str) else None,
                    )
                )
    return sorted(sites, key=lambda site: (site.file, site.line))


def render_suppressions(root: Path) -> str:
    rows = [f"| `{s.file}` | {s.line} | `{s.operation}` | {s.reason} |" for s in suppression_sites(root)]
    return _HEADER + "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    (root / SUPPRESSIONS_PAGE).write_text(render_suppressions(root), encoding="utf-8")
