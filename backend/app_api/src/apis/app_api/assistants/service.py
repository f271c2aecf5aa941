"""What only this API does with assistants: deleting one with all that belongs to it."""

from apis.shared.assistants.service import AssistantService, get_assistant_service
from apis.shared.documents.service import DocumentService, get_document_service
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, railway
from apis.shared.wiring import once


class AssistantsApi:
    def __init__(self, assistants: AssistantService, documents: DocumentService) -> None:
        self._assistants = assistants
        self._documents = documents

    @railway
    async def delete(self, user_id: str, assistant_id: str) -> Result[None, ErrorDetail]:
        """The assistant itself last: after a failure its owner still has it, and a repeat deletes the rest. Fails with
        `not_found`."""
        (await self._assistants.owned(user_id, assistant_id)).unwrap()
        (await self._documents.delete_all(assistant_id)).unwrap()
        (await self._assistants.unshare_all(assistant_id)).unwrap()
        return await self._assistants.remove(user_id, assistant_id)


@once
def get_assistants_api() -> AssistantsApi:
    return AssistantsApi(get_assistant_service(), get_document_service())
