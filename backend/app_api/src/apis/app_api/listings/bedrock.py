"""The foundation models of Amazon Bedrock."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apis.app_api.listings.models import FoundationModel
from apis.shared.aws.client import ServiceClient
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.records import parse_record
from apis.shared.result import Result, collect
from apis.shared.settings import ListingSettings, settings

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

FILTER_REFUSED = bad_request("The provider does not accept this filter.")

bedrock: ServiceClient["BedrockClient"] = ServiceClient("bedrock", region=lambda: settings(ListingSettings).aws_region)


async def list_foundation_models(filters: Mapping[str, str]) -> Result[list[FoundationModel], ErrorDetail]:
    """All of them: the service answers in one piece. `filters` are by the names of the service's parameters."""
    given: dict[str, Any] = dict(filters)  # Any: the service closes the lists of values, and says so itself
    answer = await bedrock.call(lambda client: client.list_foundation_models(**given))
    return answer.alt(lambda error: _refused_filter(error) if filters else error).bind(
        lambda found: collect(
            parse_record(FoundationModel, summary, key="ListFoundationModels")
            for summary in found.get("modelSummaries", ())
        )
    )


def _refused_filter(error: ErrorDetail) -> ErrorDetail:
    if error.context.get("aws_code") != "ValidationException":
        return error
    return FILTER_REFUSED.caused_by(error.cause, **error.context)
