"""The ranking of users as a file."""

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from apis.app_api.costs.schemas import TopUserCost

MOST_USERS = 1_000
HEADER = ("User ID", "Email", "Total Cost ($)", "Total Requests", "Tier", "Quota %", "Last Updated")
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
EXPORTS: Mapping[str, Any] = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/TopUserCost"}}},
    },
    "headers": {"Content-Disposition": {"description": "Names the file.", "schema": {"type": "string"}}},
}
"""How OpenAPI describes the answer."""

_USERS = TypeAdapter(list[TopUserCost])


class ExportedFile(Response):
    """A file for download. It is complete before its first byte is sent, so that a failure is always an HTTP error."""


def exported(users: Sequence[TopUserCost], file_format: str, period: str | None) -> ExportedFile:
    """`file_format` is one of `MEDIA_TYPES`. At most `MOST_USERS` users make a file of some hundred kilobytes."""
    content = as_csv(users) if file_format == "csv" else as_json(users)
    name = f"cost_report_{period or 'current'}.{file_format}"
    return ExportedFile(
        content,
        media_type=MEDIA_TYPES[file_format],
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


def as_json(users: Sequence[TopUserCost]) -> bytes:
    return _USERS.dump_json(list(users), by_alias=True, indent=2)


def as_csv(users: Sequence[TopUserCost]) -> bytes:
    """UTF-8 without a mark before it; a row is one line whatever its texts hold."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(HEADER)
    for user in users:
        rows.writerow(
            (
                harmless(user.user_id),
                harmless(user.email or ""),
                f"{user.total_cost:.2f}",
                user.total_requests,
                harmless(user.tier_name or ""),
                f"{user.quota_percentage:.1f}" if user.quota_percentage else "",
                harmless(user.last_updated),
            )
        )
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: one that could be begins with `'`."""
    return f"'{text}" if _may_be_a_formula(text) else text


def _may_be_a_formula(text: str) -> bool:
    for character in text:
        if character in "\t\r\n":
            return True
        if unicodedata.category(character)[0] not in "ZC":
            # Full-width and other forms of a sign count as the sign itself.
            return unicodedata.normalize("NFKC", character) in "=+-@"
    return False
