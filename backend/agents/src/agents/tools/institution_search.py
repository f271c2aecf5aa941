"""`search_boise_state`: the search of the institution's web sites."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from agents.tools.results import Envelope, error_json, json_result
from apis.shared.errors import ErrorCode
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.result import Failure, Success
from apis.shared.settings import InstitutionSettings, ToolSettings, settings

SECONDS = 30.0
MAX_RESULTS = 8
MAX_HIGHLIGHTS = 3
MAX_FACET_VALUES = 10
MAX_RELATED = 5
DESCRIPTION_LENGTH = 300
MAX_PAGE_SIZE = 100

_MARKUP = re.compile(r"</?b>", re.IGNORECASE)
_TEXTS = {
    ErrorCode.TIMEOUT: "The search did not answer in time.",
    ErrorCode.SERVICE_UNAVAILABLE: "The search cannot be reached.",
}

search_service = HttpClient("institution search", deadline_seconds=SECONDS)


async def search_boise_state(
    query: str,
    operator: Literal["or", "and"] = "or",
    page: int = 1,
    page_size: int = 10,
    sort: dict[str, Any] | None = None,
    filters: dict[str, Any] | None = None,
    not_filters: dict[str, Any] | None = None,
    include_facets: bool = False,
    include_related_searches: bool = False,
) -> Envelope:
    """Search the web sites of the institution.

    Args:
        query: What to search for.
        operator: `or` finds pages with any of the words, `and` those with all of them.
        page: Page of the results, from 1.
        page_size: Results of a page, 1 to 100.
        sort: Order of the results, by names of fields.
        filters: Values that results must have, by names of fields.
        not_filters: Values that results must not have, by names of fields.
        include_facets: Tell how many results there are for each value of some fields.
        include_related_searches: Suggest related searches.
    """
    tools = settings(ToolSettings)
    if tools.tool_cludo_site_key is None:
        return error_json("The search is not configured in this deployment.", query=query)
    if not query.strip():
        return error_json("The query is empty.", query=query)
    page, page_size = max(1, page), min(max(1, page_size), MAX_PAGE_SIZE)
    asked = {
        "query": query,
        "operator": operator,
        "page": page,
        "perPage": page_size,
        "enableFacetFiltering": include_facets,
        "responseType": "JsonObject",
        **({"sort": sort} if sort else {}),
        **({"filters": filters} if filters else {}),
        **({"notFilters": not_filters} if not_filters else {}),
        **({"enableRelatedSearches": True} if include_related_searches else {}),
    }
    headers = {"Authorization": f"SiteKey {tools.tool_cludo_site_key.get_secret_value()}"}
    match await search_service.post_json(tools.institution_search_url, asked, headers=headers):
        case Failure(error):
            status = error.context.get("http_status")
            return _failed(query, _TEXTS.get(error.code, "The search failed."), int(status) if status else None)
        case Success(answer) if answer.status != 200:
            return _failed(query, f"The search answered with status {answer.status}.", answer.status)
        case Success(answer):
            return _told(query, operator, page, page_size, answer, include_facets=include_facets)


def _failed(query: str, text: str, status: int | None) -> Envelope:
    return error_json(text, query=query, **({} if status is None else {"status_code": status}))


def _told(
    query: str, operator: str, page: int, per_page: int, answer: HttpResponse, *, include_facets: bool
) -> Envelope:
    match answer.parse(_Answer):
        case Failure(_):
            return _failed(query, "The answer of the search cannot be read.", answer.status)
        case Success(found):
            return json_result(_described(query, operator, page, per_page, found, include_facets=include_facets))


def _described(
    query: str, operator: str, page: int, per_page: int, found: "_Answer", *, include_facets: bool
) -> dict[str, Any]:
    spelling = {"spelling_suggestion": found.fixed_query} if found.fixed_query else {}
    if not found.typed_documents:
        text = f"Nothing was found for '{query}'."
        return {"success": True, "query": query, "result_count": 0, "message": text, "results": [], **spelling}
    pages = -(-found.total_document // per_page)
    results = [_result(number, one.fields) for number, one in enumerate(found.typed_documents[:MAX_RESULTS], 1)]
    told: dict[str, Any] = {
        "success": True,
        "query": query,
        "operator": operator,
        "pagination": {
            "current_page": page,
            "total_pages": pages,
            "total_results": found.total_document,
            "results_on_page": len(results),
            "has_more": page < pages,
        },
        "results": results,
        "source": f"{settings(InstitutionSettings).institution_name} web sites",
        "tip": "Read a page with fetch_url_content, or ask for the next page.",
        **spelling,
    }
    if include_facets:
        told["facets"] = {facet.name: facet.told() for facet in found.facets}
    if found.related_search_documents:
        told["related_searches"] = [_related(one) for one in found.related_search_documents[:MAX_RELATED]]
    return told


def _result(index: int, fields: "_Fields") -> dict[str, Any]:
    description = _MARKUP.sub("", fields.description.first or "")
    highlights = [_MARKUP.sub("", text).strip() for text in fields.content.texts[:MAX_HIGHLIGHTS]]
    return {
        "index": index,
        "title": _MARKUP.sub("", fields.title.first or "") or "No title",
        "url": fields.url.first or "",
        "description": description[:DESCRIPTION_LENGTH],
        "highlights": " ... ".join(text for text in highlights if text),
        "source": fields.domain.first or "",
    }


def _related(document: object) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, dict):
        named = (document.get(name) for name in ("Query", "SearchQuery", "Text", "Title", "Value"))
        return str(next((one for one in named if one), json.dumps(document)))
    return str(document)


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True)


class _Field(_Told):
    """`Value` and, where a text has several passages, `Values`."""

    value: str | None = None
    values: list[str] = Field(default_factory=list)

    @property
    def first(self) -> str | None:
        return self.value or next(iter(self.values), None)

    @property
    def texts(self) -> list[str]:
        return self.values or ([self.value] if self.value else [])


def _as_field(value: object) -> object:
    match value:
        case None:
            return {}
        case list():
            return {"Values": [str(one) for one in value]}
        case dict():
            given = value.get("Values", value.get("Highlights"))
            values = [str(one) for one in given] if isinstance(given, list) else []
            said = value.get("Value")
            if isinstance(said, list):
                return {"Values": [str(one) for one in said]}
            return {"Value": None if said is None else str(said), "Values": values}
        case _:
            return {"Value": str(value)}


_AnyField = Annotated[_Field, BeforeValidator(_as_field)]


class _Fields(_Told):
    title: _AnyField = Field(default_factory=_Field)
    url: _AnyField = Field(default_factory=_Field)
    description: _AnyField = Field(default_factory=_Field)
    content: _AnyField = Field(default_factory=_Field)
    domain: _AnyField = Field(default_factory=_Field)


class _Document(_Told):
    fields: _Fields


class _FacetItem(_Told):
    value: str
    count: int = 0


class _Facet(_Told):
    name: str
    items: list[_FacetItem] = Field(default_factory=list)

    def told(self) -> list[dict[str, Any]]:
        return [{"value": item.value, "count": item.count} for item in self.items[:MAX_FACET_VALUES]]


def _nothing_for_null(value: object) -> object:
    return [] if value is None else value


class _Answer(_Told):
    total_document: int = 0
    fixed_query: str | None = None
    typed_documents: Annotated[list[_Document], BeforeValidator(_nothing_for_null)] = Field(default_factory=list)
    facets: Annotated[list[_Facet], BeforeValidator(_nothing_for_null)] = Field(default_factory=list)
    related_search_documents: Annotated[list[Any], BeforeValidator(_nothing_for_null)] = Field(default_factory=list)
