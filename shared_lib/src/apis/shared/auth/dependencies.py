"""The user of a request, as endpoints ask for it."""

from typing import Annotated

from apis.shared.auth.models import User
from apis.shared.auth.service import authenticate, authenticate_trusted
from apis.shared.errors import ErrorDetail
from apis.shared.http import Bearer, BearerDependency, Depends, note_user
from apis.shared.result import Result
from apis.shared.settings import AuthSettings, settings
from apis.shared.users.sync import get_user_mirror


@BearerDependency
async def get_current_user(bearer: Bearer) -> Result[User, ErrorDetail]:
    """The signed-in user. Every guard builds on this object, so overriding it in a test overrides them all."""
    return (await authenticate(bearer)).map(_known)


@BearerDependency
async def get_current_user_trusted(bearer: Bearer) -> Result[User, ErrorDetail]:
    """The user as the hosting runtime has verified it: only for the Inference API."""
    return (await authenticate_trusted(bearer)).map(_known)


CurrentUser = Annotated[User, Depends(get_current_user)]
TrustedUser = Annotated[User, Depends(get_current_user_trusted)]


async def get_current_user_id(user: CurrentUser) -> str:
    return user.user_id


CurrentUserId = Annotated[str, Depends(get_current_user_id)]


def _known(user: User) -> User:
    note_user(user.user_id)
    # The development user is nobody.
    if settings(AuthSettings).enable_authentication:
        get_user_mirror().note(user)
    return user
