import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from apis.shared.errors import ErrorDetail, conflict
from apis.shared.result import Failure, Result, Success
from apis.shared.storage.json_files import JsonObject, list_folder, read_json, replace_file, update_json
from apis.shared.storage.locks import exclusively, lock_for
from apis.shared.storage.session_folders import is_session_id


async def write_json(path: Path, document: Any) -> Result[None, ErrorDetail]:
    return await exclusively(lock_of(path), lambda: replace_file(path, document))


def lock_of(path: Path) -> Path:
    return lock_for(path.parent.parent / "locks", path.name)


async def update(path: Path, change: Any) -> Result[JsonObject, ErrorDetail]:
    return await update_json(path, change, lock=lock_of(path))


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


async def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "folders" / "a.json"
    assert await read_json(path) == Success(None)
    assert await write_json(path, {"text": "Zürich \u2603", "nothing": None}) == Success(None)
    assert await read_json(path) == Success({"text": "Zürich \u2603", "nothing": None})
    assert path.read_text(encoding="utf-8") == '{\n  "text": "Zürich \u2603",\n  "nothing": null\n}'


async def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    documents = [{"version": version, "padding": "x" * 200_000} for version in range(2)]
    assert await write_json(path, documents[0]) == Success(None)

    async def write() -> None:
        for version in range(20):
            assert await write_json(path, documents[version % 2]) == Success(None)

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await read_json(path)).unwrap() in documents
    await writing
    assert names_in(tmp_path) == ["a.json"], "temporary files are left"


async def test_a_failed_write_leaves_the_file_and_no_other_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert await write_json(path, {"kept": True}) == Success(None)
    with pytest.raises(TypeError):
        await write_json(path, {"kept": False, "not JSON": object()})
    assert await read_json(path) == Success({"kept": True})
    assert names_in(tmp_path) == ["a.json"]


async def test_concurrent_updates_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def adding(number: int) -> Any:
        return lambda document: Success({**(document or {}), str(number): number})

    outcomes = await asyncio.gather(*(update(path, adding(number)) for number in range(30)))
    assert all(isinstance(outcome, Success) for outcome in outcomes)
    assert await read_json(path) == Success({str(number): number for number in range(30)})


async def test_a_refused_change_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert await write_json(path, {"a": 1}) == Success(None)
    refused: Result[Any, ErrorDetail] = Failure(conflict("changed"))
    assert await update(path, lambda _: refused) == refused
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"<html>", b'{"secret": "x', b"\xff\xfe", b"[" * 100_000])
async def test_a_file_that_is_not_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    updated = await update(path, lambda _: pytest.fail("the change was asked for"))
    for error in ((await read_json(path)).failure(), updated.failure()):
        assert error.code == "internal_error"
        assert error.context == {"file": "a.json"}
        assert "secret" not in f"{error!r}{error.cause}"
    assert path.read_bytes() == content


async def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    path = tmp_path / "folder" / "a.json"
    outcomes: list[Result[Any, ErrorDetail]] = [
        await read_json(path),
        await write_json(path, {}),
        await update(path, lambda _: Success({})),
        list_folder(path.parent, "*.json"),
    ]
    assert [outcome.failure().code for outcome in outcomes] == ["service_unavailable"] * 4


async def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    outcomes: list[Result[Any, ErrorDetail]] = [
        await read_json(tmp_path / "a.json"),
        await write_json(tmp_path / "a.json", {}),
    ]
    assert [outcome.failure().code for outcome in outcomes] == ["service_unavailable"] * 2


async def test_a_folder_is_listed_by_name(tmp_path: Path) -> None:
    assert list_folder(tmp_path / "absent", "*.json") == Success([])
    for name in ("b.json", "a.json", ".a.json.tmp", "c.txt"):
        (tmp_path / name).write_text("{}")
    assert list_folder(tmp_path, "*.json") == Success([tmp_path / "a.json", tmp_path / "b.json"])


@pytest.mark.parametrize("value", ["a", "0", "a-b_C", "x" * 100])
def test_safe_ids(value: str) -> None:
    assert is_session_id(value)


@pytest.mark.parametrize(
    "value", ["", ".", "..", "../a", "a/b", "a\\b", "a.json", "-a", "_a", "a b", "a\n", "a\0", "\u00e4", "x" * 101]
)
def test_unsafe_ids(value: str) -> None:
    assert not is_session_id(value)
