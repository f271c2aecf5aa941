"""Assistants: who may use one, what its owner may do with it, and with whom it is shared."""

import asyncio
import uuid
from collections.abc import Sequence

from apis.shared.assistants.dynamodb import DynamoAssistants
from apis.shared.assistants.local import LocalAssistants
from apis.shared.assistants.models import (
    DEFAULT_INDEX,
    NO_ACCESS,
    Assistant,
    AssistantChange,
    AssistantPage,
    AssistantStatus,
    ListedAssistant,
    NewAssistant,
    Share,
    assistant_not_found,
)
from apis.shared.assistants.repository import AssistantRepository
from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.emails import normal_email
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request
from apis.shared.moments import zulu_form
from apis.shared.result import Failure, Result, Success, best_effort, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

TOO_LARGE = bad_request("The assistant is too large to be stored. Please shorten it.", field="body.instructions")


class AssistantService:
    """`vector_index` is what new assistants note as theirs."""

    def __init__(self, assistants: AssistantRepository, vector_index: str) -> None:
        self._assistants = assistants
        self._vector_index = vector_index

    @railway
    async def visible_to(self, user: User, assistant_id: str) -> Result[Assistant, ErrorDetail]:
        """For reading and for chatting, whatever its status. Fails with `not_found` for an absent one, with `forbidden`
        for one that this user may not use."""
        known = (await self._assistants.find(assistant_id, normal_email(user.email))).unwrap()
        if known is None:
            return Failure(assistant_not_found(assistant_id))
        is_open = known.assistant.is_open_to(user.user_id, has_share=known.has_share)
        return Success(known.assistant) if is_open else Failure(NO_ACCESS)

    @railway
    async def owned(self, user_id: str, assistant_id: str) -> Result[Assistant, ErrorDetail]:
        """Fails with `not_found` for an absent one and for one of somebody else."""
        known = (await self._assistants.find(assistant_id)).unwrap()
        is_mine = known is not None and known.assistant.owner_id == user_id
        return require(known.assistant if known is not None and is_mine else None, assistant_not_found(assistant_id))

    @railway
    async def list_for(
        self, user: User, statuses: Sequence[AssistantStatus], *, limit: int | None = None, token: str | None = None
    ) -> Result[AssistantPage, ErrorDetail]:
        """The user's own and those that are shared with the user, of these statuses, the newest first.

        Pages are counted in own ones; those that are shared all stand on the first page.
        """
        email = normal_email(user.email) if token is None else ""
        owned, shared = await asyncio.gather(
            self._assistants.own(user.user_id, statuses, limit=limit, token=token),
            self._assistants.shared_with(email) if email else _none(),
        )
        page = owned.unwrap()
        listed = [ListedAssistant(one) for one in page.assistants]
        listed += [
            ListedAssistant(one, first_interacted=share.first_interacted)
            for share, one in shared.unwrap()
            if one.status in statuses and one.owner_id != user.user_id and one.is_open_to(user.user_id, has_share=True)
        ]
        listed.sort(key=lambda entry: (entry.assistant.created_at, entry.assistant.assistant_id), reverse=True)
        return Success(AssistantPage(listed, page.next_token))

    @railway
    async def create(self, user: User, new: NewAssistant) -> Result[Assistant, ErrorDetail]:
        now = zulu_form()
        assistant = Assistant(
            assistant_id=f"ast-{uuid.uuid4().hex[:12]}",
            owner_id=user.user_id,
            owner_name=user.name,
            name=new.name,
            description=new.description,
            instructions=new.instructions,
            vector_index_id=self._vector_index,
            visibility=new.visibility,
            tags=new.tags,
            created_at=now,
            updated_at=now,
            status=new.status,
            image_url=new.image_url,
        )
        (await self._assistants.add(assistant)).alt(_naming_the_field).unwrap()
        return Success(assistant)

    async def change(self, user_id: str, assistant_id: str, change: AssistantChange) -> Result[Assistant, ErrorDetail]:
        """The assistant as it is then; without any change only its `updated_at` is new. Fails with `not_found` as
        `owned`."""
        changed = await self._assistants.change(user_id, assistant_id, {**change, "updated_at": zulu_form()})
        return changed.alt(_naming_the_field)

    async def remove(self, user_id: str, assistant_id: str) -> Result[None, ErrorDetail]:
        """The assistant alone, after all that belongs to it. Fails with `not_found`."""
        return await self._assistants.remove(user_id, assistant_id)

    @railway
    async def shares(self, user_id: str, assistant_id: str) -> Result[list[str], ErrorDetail]:
        """The e-mails that it is shared with, ascending. Fails with `not_found` as `owned`."""
        owned, shares = await asyncio.gather(self.owned(user_id, assistant_id), self._assistants.shares(assistant_id))
        owned.unwrap()
        return Success(_emails(shares.unwrap()))

    @railway
    async def share(self, user_id: str, assistant_id: str, emails: Sequence[str]) -> Result[list[str], ErrorDetail]:
        """Those that it is shared with then. `emails` are in their normal form. Fails with `not_found` as `owned`."""
        (await self.owned(user_id, assistant_id)).unwrap()
        (await self._assistants.share(assistant_id, emails)).unwrap()
        return (await self._assistants.shares(assistant_id)).map(_emails)

    @railway
    async def unshare(self, user_id: str, assistant_id: str, emails: Sequence[str]) -> Result[list[str], ErrorDetail]:
        """As `share`."""
        (await self.owned(user_id, assistant_id)).unwrap()
        (await self._assistants.unshare(assistant_id, emails)).unwrap()
        return (await self._assistants.shares(assistant_id)).map(_emails)

    async def unshare_all(self, assistant_id: str) -> Result[None, ErrorDetail]:
        """For an assistant that its owner deletes."""
        return await self._assistants.remove_shares(assistant_id)

    async def mark_opened(self, user: User, assistant_id: str) -> None:
        """Note that somebody with whom it is shared has used it."""
        await best_effort(
            self._assistants.mark_opened(assistant_id, normal_email(user.email)),
            reason="The mark only takes a dot off the list, and the next message sets it again.",
            default=None,
        )


async def _none() -> Result[list[tuple[Share, Assistant]], ErrorDetail]:
    return Success([])


def _emails(shares: Sequence[Share]) -> list[str]:
    return [share.email for share in shares]


def _naming_the_field(error: ErrorDetail) -> ErrorDetail:
    """What the store refuses for its size can hardly be anything but the instructions."""
    return TOO_LARGE.caused_by(error.cause, **error.context) if error.code is ErrorCode.BAD_REQUEST else error


@once
def get_assistant_service() -> AssistantService:
    storage = settings(StorageSettings)
    index = storage.assistants_vector_store_index_name or DEFAULT_INDEX
    table = storage.assistants_table_name
    folder = storage.assistants_dir
    return AssistantService(DynamoAssistants(Table(table), index) if table else LocalAssistants(folder, index), index)
