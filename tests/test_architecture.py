"""What the code base may not contain, whatever a linter's rule set says."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import AliasChoices

from apis.shared.settings import Settings
from tests.suppressions import SUPPRESSIONS_PAGE, render_suppressions, suppression_sites

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = sorted([*ROOT.glob("shared_lib/src/**/*.py"), *ROOT.glob("backend/*/src/**/*.py")])
TOOLS = sorted(ROOT.glob("tools/*/src/**/*.py"))
MAY_CATCH = ("shared_lib/src/apis/shared/result.py", "shared_lib/src/apis/shared/http/")


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*PRODUCT, *TOOLS], ids=name)
def test_exceptions_are_caught_only_in_the_pipeline_and_the_adapter(path: Path) -> None:
    if name(path).startswith(MAY_CATCH):
        return
    found = [
        node.lineno
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        or (isinstance(node, ast.Attribute) and node.attr == "suppress" and ast.unparse(node.value) == "contextlib")
        or (isinstance(node, ast.alias) and node.name == "suppress")
        or (isinstance(node, ast.keyword) and node.arg == "return_exceptions")
    ]
    assert found == []


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_no_http_exception_is_raised_by_hand(path: Path) -> None:
    raised = [ast.unparse(node.exc) for node in nodes(path) if isinstance(node, ast.Raise) and node.exc is not None]
    assert [text for text in raised if "HTTPException" in text] == []


def test_every_suppression_has_a_literal_reason() -> None:
    for site in suppression_sites(ROOT):
        assert site.reason, f"{site.function} in {site.file} has no literal reason"


def test_the_page_of_suppressions_equals_the_code() -> None:
    assert (ROOT / SUPPRESSIONS_PAGE).read_text(encoding="utf-8") == render_suppressions(ROOT), (
        "docs/suppressions.md is stale: uv run python -m tests.suppressions"
    )


def test_every_type_ignore_and_noqa_says_why() -> None:
    bare = re.compile(r"# (?:type: ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+)\s*$")
    found = [
        f"{name(path)}:{number}"
        for path in [*PRODUCT, *TOOLS]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("module", ["apis.app_api.main", "apis.inference_api.main"])
def test_heavy_libraries_stay_out_of_the_start(module: str) -> None:
    heavy = (
        "boto3",
        "botocore",
        "aiohttp",
        "aiodynamo.client",
        "strands",
        "openai",
        "google.genai",
        "mcp",
        "sympy",
        "cryptography",
    )
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    for kind in Settings.__subclasses__():
        for name, field in kind.model_fields.items():
            alias = field.validation_alias
            variables = alias.choices if isinstance(alias, AliasChoices) else [name.upper()]
            for variable in variables:
                assert f"`{variable}`" in page, f"{variable} is not in docs/configuration.md"
