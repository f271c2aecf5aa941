"""A client's upload: an address from the API, the bytes to S3, and word of it."""

from typing import Any

import httpx

from tests.support.platform import Platform, User


class Uploads:
    """Of one user, in one session. Nothing but the content type is sent to S3, as a browser does."""

    def __init__(self, platform: Platform, user: User, session_id: str) -> None:
        self._platform, self._user, self._session_id = platform, user, session_id

    async def presign(self, filename: str, mime_type: str, size: int, **members: Any) -> httpx.Response:
        body = {"sessionId": self._session_id, "filename": filename, "mimeType": mime_type, "sizeBytes": size}
        return await self._platform.ask(self._user, "POST", "/files/presign", {**body, **members})

    async def put(self, url: str, content: bytes, content_type: str | None, **headers: str) -> int:
        """The status that S3 answers."""
        sent = headers if content_type is None else {"Content-Type": content_type, **headers}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            return (await browser.put(url, content=content, headers=sent)).status_code

    async def complete(self, upload_id: str) -> httpx.Response:
        return await self._platform.ask(self._user, "POST", f"/files/{upload_id}/complete", {})

    async def upload(self, filename: str, mime_type: str, content: bytes) -> str:
        """The id of a file that is ready."""
        signed = (await self.presign(filename, mime_type, max(len(content), 1))).json()
        assert await self.put(signed["presignedUrl"], content, mime_type) == 200
        done = await self.complete(signed["uploadId"])
        assert done.status_code == 200, done.text
        return str(signed["uploadId"])

    async def delete(self, upload_id: str) -> int:
        return (await self._platform.ask(self._user, "DELETE", f"/files/{upload_id}")).status_code

    async def listed(self, **query: Any) -> dict[str, Any]:
        answer = await self._platform.ask(self._user, "GET", f"/files?{httpx.QueryParams(query)}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def usage(self) -> tuple[int, int]:
        """Bytes and files."""
        answer = (await self._platform.ask(self._user, "GET", "/files/quota")).json()
        return answer["usedBytes"], answer["fileCount"]

    def row(self, upload_id: str) -> dict[str, Any]:
        return self._platform.item("DYNAMODB_USER_FILES_TABLE_NAME", f"USER#{self._user.user_id}", f"FILE#{upload_id}")
