"""The models of Gemini."""

import httpx
from google import genai
from google.genai import errors, types

from agents.failures import described
from apis.app_api.listings.models import GeminiModel
from apis.app_api.listings.refusals import DEADLINE_SECONDS, refusal, retry_after
from apis.shared.errors import service_unavailable, timed_out
from apis.shared.lifecycle import at_close
from apis.shared.result import ErrorTable
from apis.shared.wiring import once

PAGE_SIZE = 1000
MOST_PAGES = 100

ERRORS = ErrorTable.of(
    (errors.APIError, lambda error: described(error, refusal(error.code or 500, retry_after(error)))),
    (httpx.TimeoutException, lambda error: described(error, timed_out())),
    (httpx.TransportError, lambda error: described(error, service_unavailable())),
)


class _EndlessListing(ValueError):  # noqa: N818 - what the server does
    """Its pages do not end."""


async def list_models(key: str) -> list[GeminiModel]:
    """Of all pages. The library's own iteration stumbles over an empty page, and follows one token for ever."""
    pager = await client(key).aio.models.list(config={"page_size": PAGE_SIZE})
    models = [_listed(model) for model in pager.page if model.name]
    seen: set[str] = set()
    while token := pager.config.get("page_token"):
        if token in seen or len(seen) + 1 >= MOST_PAGES:
            raise _EndlessListing
        seen.add(token)
        models += [_listed(model) for model in await pager.next_page() if model.name]
    return models


def _listed(model: types.Model) -> GeminiModel:
    return GeminiModel.model_validate(
        {
            **model.model_dump(),
            "display_name": model.display_name or model.name,
            # What the interface calls methods, the library calls actions.
            "supported_generation_methods": model.supported_actions,
        }
    )


@once
def client(key: str) -> genai.Client:
    # Named, because the library would take another one, with other exceptions, where it finds it installed.
    http = httpx.AsyncClient(timeout=DEADLINE_SECONDS)
    at_close(http.aclose)
    return genai.Client(api_key=key, http_options=types.HttpOptions(httpx_async_client=http))
