"""The tools of the code, and how stored ones are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from apis.shared.tools.catalogue import CODE_CATALOGUE, display_name
from apis.shared.tools.models import ToolRecord

CATALOGUE = """
ddg_web_search                | Web Search          | search    | search  | magnifying-glass         | yes | no
fetch_url_content             | URL Fetcher         | search    | search  | link                     | no  | yes
search_boise_state            | * Search            | search    | search  | academic-cap             | no  | yes
get_current_weather           | Weather             | data      | data    | cloud                    | yes | no
create_visualization          | Charts & Graphs     | data      | data    | chart-bar                | no  | no
calculator                    | Calculator          | utilities | utility | calculator               | yes | yes
generate_diagram_and_validate | Code Interpreter    | code      | code    | code-bracket             | no  | no
browser_navigate              | Browser Navigate    | browser   | browser | globe-alt                | no  | no
browser_act                   | Browser Action      | browser   | browser | cursor-arrow-rays        | no  | no
browser_extract               | Browser Extract     | browser   | browser | document-magnifying-glass | no | no
browser_get_page_info         | Browser Page Info   | browser   | browser | information-circle       | no  | no
"""


def test_the_catalogue_of_the_code() -> None:
    """In the order in which clients list it."""
    rows = [[cell.strip() for cell in line.split("|")] for line in CATALOGUE.strip().splitlines()]
    for row in rows:
        row[1] = row[1].replace("*", "Boise State University")
    assert [
        [
            tool.tool_id,
            display_name(tool),
            tool.legacy_category,
            tool.category,
            tool.icon,
            "yes" if tool.is_public else "no",
            "yes" if tool.enabled_by_default else "no",
        ]
        for tool in CODE_CATALOGUE.values()
    ] == rows


def record(**attributes: Any) -> ToolRecord:
    return ToolRecord.model_validate({"toolId": "t", **attributes})


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("local", "local"),
        ("aws_sdk", "aws_sdk"),
        ("mcp", "mcp"),
        ("mcp_external", "mcp_external"),
        ("a2a", "a2a"),
        ("mcp_http", "mcp_external"),
        ("http", "mcp_external"),
        ("carrier-pigeon", "local"),
    ],
)
def test_protocols_of_older_records(stored: str, read: str) -> None:
    assert record(protocol=stored).protocol == read


@pytest.mark.parametrize("corrupt", [["local"], {"name": "local"}, 1, None])
def test_a_protocol_that_is_no_text_is_corrupt(corrupt: Any) -> None:
    with pytest.raises(ValidationError):
        record(protocol=corrupt)


@pytest.mark.parametrize(
    ("status", "loadable"), [("active", True), ("deprecated", True), ("disabled", False), ("coming_soon", False)]
)
def test_what_a_run_may_load(status: str, loadable: bool) -> None:
    assert record(status=status).is_loadable is loadable
