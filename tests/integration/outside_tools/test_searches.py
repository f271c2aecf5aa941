"""`ddg_web_search` and `search_boise_state`."""

import json
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from agents.tools import institution_search, web_search
from agents.tools.institution_search import search_boise_state
from agents.tools.web_search import ddg_web_search
from apis.shared.http_client import HttpClient
from tests.integration.conftest import Configure
from tests.support.web_site import WebSite


def told(answer: dict[str, Any]) -> dict[str, Any]:
    (block,) = answer["content"]
    value: dict[str, Any] = json.loads(block["text"])
    assert answer["status"] == ("success" if value["success"] else "error")
    return value


def hits(count: int) -> Response:
    found = "".join(
        f'<div class="links_main body"><h2><a>Title {n}</a></h2><a href="https://h{n}.example/">Snippet {n}</a></div>'
        for n in range(1, count + 1)
    )
    return HTMLResponse(f"<html><body>{found}</body></html>")


async def test_a_search_of_the_web(site: WebSite) -> None:
    site.pages["/html/"] = hits(12)
    found = told(await ddg_web_search("cats"))
    assert (found["query"], found["result_count"]) == ("cats", 5)
    assert found["results"][0] == {
        "index": 1,
        "title": "Title 1",
        "snippet": "Snippet 1",
        "link": "https://h1.example/",
    }
    assert b"q=cats" in site.asked[0].body


@pytest.mark.parametrize(("asked", "given"), [(0, 5), (-1, 5), (3, 3), (99, 10)])
async def test_how_many_results(site: WebSite, asked: int, given: int) -> None:
    """W3"""
    site.pages["/html/"] = hits(12)
    assert told(await ddg_web_search("cats", asked))["result_count"] == given


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(hits(0), [], id="W3 nothing found"),
        pytest.param(
            HTMLResponse('<div class="body"><h2></h2><a></a></div>'),
            [{"index": 1, "title": "No title", "snippet": "No snippet", "link": "No link"}],
            id="W3 nothing in it",
        ),
    ],
)
async def test_odd_results(site: WebSite, page: Response, expected: list[Any]) -> None:
    site.pages["/html/"] = page
    assert told(await ddg_web_search("cats"))["results"] == expected


@pytest.mark.parametrize(
    ("page", "error"),
    [
        pytest.param(Response("anomaly", 202), "refuses more searches", id="W3 rate limit"),
        pytest.param(Response("no", 403), "refuses more searches", id="refused"),
        pytest.param(None, "cannot be reached", id="F-AGT-32"),
    ],
)
async def test_a_search_that_fails(site: WebSite, configure: Configure, page: Response | None, error: str) -> None:
    if page is None:
        configure(WEB_SEARCH_URL="http://127.0.0.1:9/")
    else:
        site.pages["/html/"] = page
    assert error in told(await ddg_web_search("cats"))["error"]
    assert len(site.asked) == (page is not None), "no storm"


async def test_a_search_that_takes_too_long(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """W3: the loop is not blocked."""
    import time

    monkeypatch.setattr(web_search, "SECONDS", -0.8)
    monkeypatch.setattr(web_search, "_search", lambda _: time.sleep(0.5))
    assert "in time" in told(await ddg_web_search("cats"))["error"]


@pytest.mark.parametrize("query", ["", "  ", "x" * 1001])
async def test_a_query_that_is_none(site: WebSite, query: str) -> None:
    """W3"""
    assert "characters" in told(await ddg_web_search(query))["error"]
    assert not site.asked


def document(number: int, **fields: Any) -> dict[str, Any]:
    usual = {
        "Title": {"Value": f"<b>Page</b> {number}"},
        "Url": {"Value": f"https://h.example/{number}"},
        "Description": {"Value": "d" * 400},
        "Content": {"Values": ["one <b>cat</b>", "two", "three", "four"]},
        "Domain": {"Value": "h.example"},
    }
    return {"Fields": {**usual, **fields}}


async def test_a_search_of_the_institution(site: WebSite) -> None:
    site.pages["/search"] = JSONResponse(
        {
            "TotalDocument": 42,
            "FixedQuery": "cats",
            "TypedDocuments": [document(number) for number in range(10)],
            "Facets": [{"Name": "Category", "Items": [{"Value": f"v{n}", "Count": n} for n in range(12)]}],
            "RelatedSearchDocuments": [{"Query": f"r{n}"} for n in range(7)],
        }
    )
    found = told(
        await search_boise_state("catz", "and", 2, 500, {"Date": "desc"}, {"A": ["b"]}, {"C": ["d"]}, True, True)
    )
    assert json.loads(site.asked[0].body) == {
        "query": "catz",
        "operator": "and",
        "page": 2,
        "perPage": 100,
        "enableFacetFiltering": True,
        "responseType": "JsonObject",
        "sort": {"Date": "desc"},
        "filters": {"A": ["b"]},
        "notFilters": {"C": ["d"]},
        "enableRelatedSearches": True,
    }
    assert site.asked[0].headers["authorization"] == "SiteKey site-key"
    assert found["pagination"] == {
        "current_page": 2,
        "total_pages": 1,
        "total_results": 42,
        "results_on_page": 8,
        "has_more": False,
    }
    assert found["results"][0] == {
        "index": 1,
        "title": "Page 0",
        "url": "https://h.example/0",
        "description": "d" * 300,
        "highlights": "one cat ... two ... three",
        "source": "h.example",
    }
    assert found["spelling_suggestion"] == "cats"
    assert len(found["facets"]["Category"]) == 10
    assert found["related_searches"] == ["r0", "r1", "r2", "r3", "r4"]
    assert {"source", "tip", "operator"} <= set(found)


async def test_what_is_asked_by_default(site: WebSite) -> None:
    site.pages["/search"] = JSONResponse({"TotalDocument": 0, "TypedDocuments": None, "FixedQuery": "cats"})
    assert told(await search_boise_state("catz")) == {
        "success": True,
        "query": "catz",
        "result_count": 0,
        "message": "Nothing was found for 'catz'.",
        "results": [],
        "spelling_suggestion": "cats",
    }
    assert set(json.loads(site.asked[0].body)) == {
        "query",
        "operator",
        "page",
        "perPage",
        "enableFacetFiltering",
        "responseType",
    }


@pytest.mark.parametrize(
    ("page", "status"),
    [
        pytest.param(Response("no", 401), 401, id="F-AGT-35 refused"),
        pytest.param(Response("no", 503), 503, id="F-AGT-35 outage"),
        pytest.param(Response("<html>", 200), 200, id="rubbish"),
    ],
)
async def test_a_search_of_the_institution_that_fails(site: WebSite, page: Response, status: int) -> None:
    site.pages["/search"] = page
    failed = told(await search_boise_state("cats"))
    assert (failed["query"], failed["status_code"]) == ("cats", status)


async def test_a_search_that_is_not_configured(site: WebSite, configure: Configure) -> None:
    configure(TOOL_CLUDO_SITE_KEY=None)
    assert "not configured" in told(await search_boise_state("cats"))["error"]
    assert not site.asked


async def test_a_search_that_does_not_answer(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(institution_search, "search_service", HttpClient("search", deadline_seconds=0.01))
    site.pages["/search"] = JSONResponse({})
    assert "status_code" not in told(await search_boise_state("cats"))
