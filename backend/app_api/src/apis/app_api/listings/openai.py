"""The models of OpenAI, or of any server that speaks its interface (`OPENAI_BASE_URL`)."""

from typing import Any

import httpx
import openai

from agents.failures import described
from apis.app_api.listings.models import OpenAIModel
from apis.app_api.listings.refusals import refusal, retry_after
from apis.shared.errors import service_unavailable, timed_out
from apis.shared.lifecycle import at_close
from apis.shared.result import ErrorTable
from apis.shared.settings import ModelSettings, settings
from apis.shared.wiring import once

ERRORS = ErrorTable.of(
    (openai.APITimeoutError, lambda error: described(error, timed_out())),
    (openai.APIConnectionError, lambda error: described(error, service_unavailable())),
    (openai.APIStatusError, lambda error: described(error, refusal(error.status_code, retry_after(error)))),
    (openai.APIError, lambda error: described(error, service_unavailable())),
    (httpx.TimeoutException, lambda error: described(error, timed_out())),
    (httpx.TransportError, lambda error: described(error, service_unavailable())),
)


async def list_models(key: str) -> list[OpenAIModel]:
    """Each once. The library takes what comes as it is: servers leave out what the interface promises."""
    page: Any = await client(key).models.list()
    said: list[dict[str, Any]] = [one.to_dict() for one in page.data]  # Any: whatever the server says
    listed = [OpenAIModel.model_validate(one) for one in said if one.get("id")]
    return list({model.id: model for model in sorted(listed, key=lambda model: model.order, reverse=True)}.values())


@once
def client(key: str) -> openai.AsyncOpenAI:
    made = openai.AsyncOpenAI(api_key=key, base_url=settings(ModelSettings).openai_base_url, max_retries=0)
    at_close(made.close)
    return made
