import pytest

from agents.tools.registry import LOCAL_TOOLS, load_tools
from agents.tools.selection import select_tools
from apis.shared.tools.catalogue import CODE_CATALOGUE


def test_each_id_is_sorted_by_how_it_is_reached() -> None:
    chosen = select_tools(["calculator", "nope", "gateway_a___b", "wiki", "ddg_web_search"], external={"wiki"})
    assert chosen.local == ("calculator", "ddg_web_search")
    assert chosen.gateway == ("gateway_a___b",)
    assert chosen.external == ("wiki",)
    assert chosen.unknown == ("nope",)
    assert chosen.statistics() == {
        "total_requested": 5,
        "local_tools": 2,
        "gateway_tools": 1,
        "external_mcp_tools": 1,
        "unknown_tools": 1,
    }


def test_nothing_requested_selects_nothing() -> None:
    assert set(select_tools([]).statistics().values()) == {0}


def test_order_is_kept_and_duplicates_count_once() -> None:
    chosen = select_tools(["create_visualization", "calculator", "create_visualization"])
    assert chosen.local == ("create_visualization", "calculator")
    assert chosen.statistics()["total_requested"] == 2


def test_a_registered_tool_wins_over_a_stored_one() -> None:
    assert select_tools(["calculator"], external={"calculator"}).local == ("calculator",)


def test_the_catalogue_has_the_eleven_tools() -> None:
    assert list(CODE_CATALOGUE) == [
        "ddg_web_search",
        "fetch_url_content",
        "search_boise_state",
        "get_current_weather",
        "create_visualization",
        "calculator",
        "generate_diagram_and_validate",
        "browser_navigate",
        "browser_act",
        "browser_extract",
        "browser_get_page_info",
    ]
    assert LOCAL_TOOLS.keys() <= CODE_CATALOGUE.keys()


@pytest.mark.parametrize("tool_id", LOCAL_TOOLS)
def test_a_model_is_told_every_parameter(tool_id: str) -> None:
    spec = load_tools([tool_id])[0].tool_spec
    assert spec["name"] == tool_id
    assert spec["description"]
    for name, schema in spec["inputSchema"]["json"].get("properties", {}).items():
        assert schema["description"] != f"Parameter {name}"
