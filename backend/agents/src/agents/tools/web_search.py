"""`ddg_web_search`: searches the web with the engine of a library, which looks to the engine like a browser."""

import logging
from typing import TYPE_CHECKING

from agents.tools import threads
from agents.tools.results import Envelope, error_json, json_result
from agents.tools.threads import ToolThreads
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.result import ErrorTable, Result, attempt, fold
from apis.shared.settings import ToolSettings, settings

if TYPE_CHECKING:
    from ddgs.results import TextResult

logger = logging.getLogger(__name__)

DEFAULT_RESULTS = 5
MAX_RESULTS = 10
MAX_QUERY_LENGTH = 1_000
SECONDS = 15

_RATE_LIMITED = "The search engine refuses more searches right now. Try again later."
_UNREACHABLE = "The search engine cannot be reached."
_TEXTS = {
    threads.BUSY.message: "Too many searches are running. Try again in a moment.",
    threads.TOO_SLOW.message: "The search engine did not answer in time.",
}

searches = ToolThreads("search")


async def ddg_web_search(query: str, max_results: int = DEFAULT_RESULTS) -> Envelope:
    """Search the web.

    Args:
        query: What to search for.
        max_results: How many results to give, at most 10.
    """
    asked = query.strip()
    if not asked or len(asked) > MAX_QUERY_LENGTH:
        text = f"The query must have between 1 and {MAX_QUERY_LENGTH} characters."
        return error_json(text, query=query[:MAX_QUERY_LENGTH])
    most = min(max_results, MAX_RESULTS) if max_results > 0 else DEFAULT_RESULTS
    found = await searches.run(lambda: _search(asked), seconds=SECONDS + 1)
    return fold(
        found,
        success=lambda hits: json_result(_told(query, hits[:most])),
        failure=lambda error: error_json(_TEXTS.get(error.message, error.message), query=query),
    )


def _told(query: str, hits: "list[TextResult]") -> dict[str, object]:
    results = [
        {
            "index": number,
            "title": hit.title or "No title",
            "snippet": hit.body or "No snippet",
            "link": hit.href or "No link",
        }
        for number, hit in enumerate(hits, 1)
    ]
    return {"success": True, "query": query, "result_count": len(results), "results": results}


def _search(query: str) -> "Result[list[TextResult], ErrorDetail]":
    from ddgs.engines.duckduckgo import Duckduckgo  # noqa: PLC0415 - lazy: the library brings its own HTTP client
    from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException  # noqa: PLC0415 - lazy: as above
    from lxml.etree import LxmlError  # noqa: PLC0415 - lazy: as above

    class Engine(Duckduckgo):
        """The library's own answers a refusal like a search without results."""

        search_url = settings(ToolSettings).web_search_url

        def request(self, *args: object, **kwargs: object) -> str:
            response = self.http_client.request(*args, **kwargs)
            if response.status_code != 200:
                logger.info("the search engine refuses", extra={"status": response.status_code})
                raise RatelimitException
            return str(response.text)

    def run() -> "list[TextResult]":
        return Engine(timeout=SECONDS).search(query) or []

    errors = ErrorTable.of(
        (RatelimitException, lambda _: bad_request(_RATE_LIMITED)),
        (TimeoutException, lambda _: threads.TOO_SLOW),
        (DDGSException, _unreachable),
        (LxmlError, _unreachable),
    )
    return attempt(run, errors=errors)


def _unreachable(error: Exception) -> ErrorDetail:
    return service_unavailable(error).model_copy(update={"message": _UNREACHABLE})
