"""Assistants as their owners and those with whom they are shared see them, and what is stored of them."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.platform import Platform, User, until
from tests.support.service_log import FAILED, Record
from tests.support.stored import Item
from tests.support.stored.assistants import ASSISTANTS

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom no other test knows."""

    user: User
    email: str

    @property
    def user_id(self) -> str:
        return self.user.user_id


class Assistants:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.owner = self.person(name="Pat")
        self.number = next(_numbers)

    def person(self, **claims: Any) -> Person:
        number = next(_numbers)
        email = str(claims.get("email", f"person-{number}@example.edu"))
        return Person(self.platform.sign_in(f"6{number:08}", "Staff", **{"email": email, **claims}), email)

    def an_id(self, name: str = "ast") -> str:
        return f"{name}-{next(_numbers)}"

    async def __call__(self, method: str, path: str = "", body: Any = None, *, by: Person | None = None) -> Any:
        """The answer to the owner, or to somebody else."""
        return await self.platform.ask((by or self.owner).user, method, f"/assistants{path}", body)

    async def draft(self, **members: Any) -> dict[str, Any]:
        answer = await self("POST", "/draft", members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def change(self, assistant_id: str, **members: Any) -> dict[str, Any]:
        answer = await self("PUT", f"/{assistant_id}", members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def listed(self, query: str = "", *, by: Person | None = None) -> list[dict[str, Any]]:
        answer = await self("GET", query, by=by)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["assistants"])

    async def shares(self, assistant_id: str) -> list[str]:
        answer = await self("GET", f"/{assistant_id}/shares")
        assert answer.status_code == 200, answer.text
        assert answer.json()["assistantId"] == assistant_id
        return list(answer.json()["sharedWith"])

    def stored(self, assistant_id: str) -> Item:
        """Empty when there is none."""
        if self.platform.in_tables:
            return self.platform.item(ASSISTANTS, f"AST#{assistant_id}", "METADATA")
        path = self.platform.folder.assistant(assistant_id)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def rows(self, assistant_id: str) -> list[str]:
        """The sort keys of all that is stored of it."""
        return [str(item["SK"]) for item in self.platform.items(ASSISTANTS, f"AST#{assistant_id}")]

    async def assert_failed(self, answer: httpx.Response, status: int, code: str) -> Record:
        """Told to the client without internals, and to the operator once, by the record."""
        body: Mapping[str, Any] = answer.json()
        assert (answer.status_code, body.get("code")) == (status, code), answer.text
        assert not [word for word in self.platform.internals if word in answer.text]
        (record,) = await until(lambda: self._recorded(body["metadata"]["request_id"]))
        assert record["code"] == code
        return record

    async def _recorded(self, request_id: str) -> list[Record]:
        return self.platform.app_api.log.of(request_id, FAILED)


@pytest.fixture
def assistants(platform: Platform) -> Assistants:
    """In the table, and in local files."""
    return Assistants(platform)


@pytest.fixture
def in_table(tables: Platform) -> Assistants:
    return Assistants(tables)


@pytest.fixture
def in_files(files: Platform) -> Assistants:
    return Assistants(files)


def ids(listed: list[dict[str, Any]]) -> list[str]:
    return [one["assistantId"] for one in listed]
