"""Files of a message, as the chat operations of both APIs take them."""

from typing import Annotated

from pydantic import BaseModel, FailFast, Field

from apis.shared.http.bounds import INLINE_FILES, UPLOADED_FILES, KeyId, ShortText, count_at_most


class FileContent(BaseModel):
    """A file sent with the message."""

    filename: Annotated[ShortText, Field(description="Its ending says what kind of file it is.")]
    content_type: Annotated[ShortText, Field(description="The MIME type.")]
    bytes: Annotated[str, Field(description="Standard base64.")]


Files = Annotated[list[FileContent], FailFast(), count_at_most(INLINE_FILES)]
UploadIds = Annotated[list[KeyId], FailFast(), count_at_most(UPLOADED_FILES)]
