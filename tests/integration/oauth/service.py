"""A service whose one route hands out what a tool would get: for tests that need several processes."""

from apis.shared.auth import CurrentUser
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, ResultRouter, create_service
from apis.shared.http.bounds import ShortText
from apis.shared.oauth.models import AccessToken
from apis.shared.oauth.service import get_oauth_token_service
from apis.shared.result import Result, Success

router = ResultRouter(errors=(*GUARDED, *STORE_ERRORS))
public = ResultRouter()


@router.get("/token")
async def token(user: CurrentUser, provider_id: ShortText) -> Result[str, ErrorDetail]:
    found = await get_oauth_token_service().access_token(user.user_id, provider_id)
    return found.map(lambda outcome: outcome.value if isinstance(outcome, AccessToken) else f"none: {outcome}")


@public.get("/health")
async def health() -> Result[str, ErrorDetail]:
    return Success("healthy")


app = create_service(
    title="Tool test",
    version="1",
    description="",
    tags=[],
    routers=[router, public],
    origins=[],
    max_body_bytes=100_000,
)
