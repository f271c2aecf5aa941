"""The order of a list of files, and its pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from apis.shared.aws.dynamodb import Key
from apis.shared.files.models import FilePage, FileRecord, SortBy, SortOrder
from apis.shared.page_tokens import encode_key_token

DEFAULT_PAGE = 20

_SORTED_BY: Mapping[SortBy, Callable[[FileRecord], str | int]] = {
    "date": lambda file: file.upload_id,
    "size": lambda file: file.size_bytes,
    "type": lambda file: file.mime_type,
}


@dataclass(frozen=True, slots=True)
class ListedBy:
    """`limit` None: the default page, or all files where `session_id` is given."""

    session_id: str | None = None
    limit: int | None = None
    cursor: str | None = None
    sort_by: SortBy = "date"
    sort_order: SortOrder = "desc"


def sorted_files(files: Sequence[FileRecord], by: ListedBy) -> list[FileRecord]:
    """Of equal ones the newer comes first, in either order."""
    newest_first = sorted(files, key=_SORTED_BY["date"], reverse=True)
    return sorted(newest_first, key=_SORTED_BY[by.sort_by], reverse=by.sort_order == "desc")


def page_of(
    files: Sequence[FileRecord],
    by: ListedBy,
    *,
    after: Key | None = None,
    limit: int | None,
    total: int | None = None,
) -> FilePage:
    """Those after the place `after`, and a cursor when more follow. `files` are in order."""
    rest = files[_start(files, by, after) :]
    shown = list(rest if limit is None else rest[:limit])
    cursor = None
    if len(shown) < len(rest):
        last = shown[-1]
        cursor = encode_key_token({"PK": f"USER#{last.user_id}", "SK": f"FILE#{last.upload_id}"})
    return FilePage(shown, cursor, total)


def _start(files: Sequence[FileRecord], by: ListedBy, after: Key | None) -> int:
    """Behind the file that `after` names. One that was deleted meanwhile still says when it was, but neither its size
    nor its type: those lists begin anew."""
    if after is None:
        return 0
    last = after["SK"].removeprefix("FILE#")
    for place, file in enumerate(files):
        if file.upload_id == last:
            return place + 1
    if by.sort_by != "date":
        return 0
    return sum(file.upload_id > last if by.sort_order == "desc" else file.upload_id < last for file in files)
