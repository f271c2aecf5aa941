"""The tools that the platform's own code brings, in the order in which clients list them."""

from dataclasses import dataclass
from types import MappingProxyType

from apis.shared.settings import InstitutionSettings, settings
from apis.shared.tools.models import ToolCategory, ToolRecord

GATEWAY_PREFIX = "gateway_"


@dataclass(frozen=True, slots=True)
class CatalogueTool:
    """`category` is the name in the stored catalogue, `legacy_category` the one of the older listing."""

    tool_id: str
    name: str
    description: str
    legacy_category: str
    category: ToolCategory
    icon: str
    is_public: bool = False
    enabled_by_default: bool = False


_TOOLS = (
    CatalogueTool(
        "ddg_web_search", "Web Search", "Search the web.", "search", "search", "magnifying-glass", is_public=True
    ),
    CatalogueTool(
        "fetch_url_content",
        "URL Fetcher",
        "Read the text of a web page.",
        "search",
        "search",
        "link",
        enabled_by_default=True,
    ),
    CatalogueTool(
        "search_boise_state",
        "{institution} Search",
        "Search the institution's web sites.",
        "search",
        "search",
        "academic-cap",
        enabled_by_default=True,
    ),
    CatalogueTool(
        "get_current_weather", "Weather", "Current weather of a place.", "data", "data", "cloud", is_public=True
    ),
    CatalogueTool(
        "create_visualization", "Charts & Graphs", "Draw a bar, line or pie chart.", "data", "data", "chart-bar"
    ),
    CatalogueTool(
        "calculator",
        "Calculator",
        "Calculate, solve, derive and integrate.",
        "utilities",
        "utility",
        "calculator",
        is_public=True,
        enabled_by_default=True,
    ),
    CatalogueTool(
        "generate_diagram_and_validate",
        "Code Interpreter",
        "Draw a diagram with Python code.",
        "code",
        "code",
        "code-bracket",
    ),
    CatalogueTool("browser_navigate", "Browser Navigate", "Open a web page.", "browser", "browser", "globe-alt"),
    CatalogueTool(
        "browser_act", "Browser Action", "Do something on a web page.", "browser", "browser", "cursor-arrow-rays"
    ),
    CatalogueTool(
        "browser_extract",
        "Browser Extract",
        "Extract data from a web page.",
        "browser",
        "browser",
        "document-magnifying-glass",
    ),
    CatalogueTool(
        "browser_get_page_info",
        "Browser Page Info",
        "Describe the current web page.",
        "browser",
        "browser",
        "information-circle",
    ),
)

CODE_CATALOGUE = MappingProxyType({tool.tool_id: tool for tool in _TOOLS})


def display_name(tool: CatalogueTool) -> str:
    return tool.name.format(institution=settings(InstitutionSettings).institution_name)


def code_records() -> dict[str, ToolRecord]:
    """The tools of the code as they stand in for a catalogue that holds none, by id."""
    return {tool.tool_id: as_record(tool) for tool in CODE_CATALOGUE.values()}


def as_record(tool: CatalogueTool) -> ToolRecord:
    return ToolRecord(
        tool_id=tool.tool_id,
        display_name=display_name(tool),
        description=tool.description,
        category=tool.category,
        icon=tool.icon,
        is_public=tool.is_public,
        enabled_by_default=tool.enabled_by_default,
    )
