"""The catalogue of managed models, in the table and in local files."""

import json
from pathlib import Path
from typing import Any

import pytest

from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.models.dynamodb import DynamoManagedModels
from apis.shared.models.local import LocalManagedModels
from apis.shared.models.managed_models import get_managed_models
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.result import Failure, Success
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
STORED: dict[str, Any] = {
    "id": "5c7d",
    "modelId": HAIKU,
    "modelName": "Haiku",
    "provider": "bedrock",
    "providerName": "Anthropic",
    "inputModalities": ["TEXT"],
    "outputModalities": ["TEXT"],
    "maxInputTokens": 200000,
    "maxOutputTokens": 4096,
    "allowedAppRoles": ["basic"],
    "availableToRoles": ["Faculty"],
    "enabled": True,
    "inputPricePerMillionTokens": 1,
    "outputPricePerMillionTokens": 5.25,
    "cacheReadPricePerMillionTokens": 0.1,
    "isReasoningModel": False,
    "supportsCaching": False,
    "createdAt": "2025-01-15 10:30:00.123456+00:00",
    "updatedAt": "2025-01-15T10:30:00.123456+00:00",
}


class Store:
    """One catalogue to fill, whatever keeps it."""

    def __init__(self, repository: ManagedModelRepository, aws: Aws | None, folder: Path) -> None:
        self.repository = repository
        self._aws = aws
        self._folder = folder

    def put(self, body: dict[str, Any]) -> None:
        if self._aws is None:
            self._folder.mkdir(exist_ok=True)
            (self._folder / f"{body['id']}.json").write_text(json.dumps(body, indent=2), encoding="utf-8")
        else:
            present = {name: value for name, value in body.items() if value is not None}
            self._aws.put(stored.MODELS, {**stored.keys_of_model(body["modelId"], body["id"]), **present})

    def key(self, body: dict[str, Any]) -> str:
        return str(body["id"]) if self._aws is None else f"MODEL#{body['id']}"


@pytest.fixture
def dynamo(aws: Aws, tmp_path: Path) -> Store:
    aws.clear(stored.MODELS)
    return Store(DynamoManagedModels(Table(aws.environment[stored.MODELS])), aws, tmp_path)


@pytest.fixture(params=["table", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "files":
        return Store(LocalManagedModels(tmp_path / "managed_models"), None, tmp_path / "managed_models")
    in_table: Store = request.getfixturevalue("dynamo")
    return in_table


def failure(outcome: Any) -> ErrorDetail:
    assert isinstance(outcome, Failure), outcome
    error: ErrorDetail = outcome.failure()
    return error


async def test_a_model_is_read_as_it_was_stored(store: Store) -> None:
    store.put({**STORED, "knowledgeCutoffDate": None, "cacheWritePricePerMillionTokens": None})
    found = (await store.repository.find(HAIKU)).unwrap()
    assert found is not None
    assert found.model_dump(by_alias=True, exclude_none=True) == STORED


async def test_what_older_entries_do_not_say(store: Store) -> None:
    absent = {"allowedAppRoles", "availableToRoles", "supportsCaching", "cacheReadPricePerMillionTokens"}
    store.put({name: value for name, value in STORED.items() if name not in absent})
    found = (await store.repository.find(HAIKU)).unwrap()
    assert found is not None
    assert (found.allowed_app_roles, found.available_to_roles, found.supports_caching) == ([], [], True)
    assert (found.cache_read_price_per_million_tokens, found.knowledge_cutoff_date) == (None, None)


async def test_an_id_that_nobody_manages(store: Store) -> None:
    assert await store.repository.find(HAIKU) == Success(None)
    store.put(STORED)
    assert await store.repository.find("5c7d") == Success(None), "our own id is not the provider's"


async def test_a_disabled_model_is_found(store: Store) -> None:
    """It has a price, and the refusal of it needs to know it."""
    store.put({**STORED, "enabled": False})
    found = (await store.repository.find(HAIKU)).unwrap()
    assert found is not None
    assert found.enabled is False


async def test_the_first_of_two_wins(store: Store) -> None:
    store.put({**STORED, "id": "b", "modelName": "Second"})
    store.put({**STORED, "id": "a", "modelName": "First"})
    found = (await store.repository.find(HAIKU)).unwrap()
    assert found is not None
    assert found.model_name == "First"


async def test_m10_of_two_with_one_id_the_older_one_counts(store: Store) -> None:
    """A blank sorts before a `T`, and the younger one has the smaller id."""
    store.put({**STORED, "id": "b", "createdAt": "2025-01-15T10:30:00+00:00", "inputPricePerMillionTokens": 2})
    store.put({**STORED, "id": "a", "createdAt": "2025-01-15 10:30:01+00:00"})
    found = (await store.repository.find(HAIKU)).unwrap()
    assert found is not None
    assert (found.id, found.input_price_per_million_tokens) == ("b", 2)


@pytest.mark.parametrize("model_id", ["vendor.m-v1:0", "VENDOR.m", "us.vendor.m-v1:0 ", "x" * 2100])
async def test_m09_no_price_of_a_cousin(store: Store, model_id: str) -> None:
    store.put({**STORED, "modelId": "us.vendor.m-v1:0"})
    assert await store.repository.find(model_id) == Success(None)


async def test_all_models(store: Store) -> None:
    assert await store.repository.list_all() == Success([])
    for number in range(3):
        store.put({**STORED, "id": f"m{number}", "modelId": f"model-{number}"})
    models = (await store.repository.list_all()).unwrap()
    assert sorted(model.model_id for model in models) == ["model-0", "model-1", "model-2"]


CORRUPT = [
    {"inputPricePerMillionTokens": "free"},
    {"modelName": None},
    {"enabled": "perhaps"},
    {"availableToRoles": "Faculty"},
    {"maxInputTokens": [1]},
    {"createdAt": "yesterday"},
    {"updatedAt": "0001-01-01T00:00:00+14:00"},
]


@pytest.mark.parametrize("change", CORRUPT, ids=lambda change: next(iter(change)))
async def test_f_qtm_61_a_corrupt_model_is_named(store: Store, change: dict[str, Any]) -> None:
    body = {**STORED, **change}
    store.put(body)
    for outcome in (await store.repository.find(HAIKU), await store.repository.list_all()):
        error = failure(outcome)
        assert (error.code, error.metadata) == (ErrorCode.INTERNAL_ERROR, {"key": store.key(body)})
        assert error.context["entity"] == "ManagedModel"
        assert error.cause is None, "its text quotes the content"


@pytest.mark.parametrize("content", ["{", "[]", "5", json.dumps({**STORED, "modelId": "other", "enabled": "perhaps"})])
async def test_a_corrupt_file_does_not_hide_another_model(tmp_path: Path, content: str) -> None:
    """Every turn looks for its model: one file that is not readable must not end them all."""
    (tmp_path / "a.json").write_text(content)
    (tmp_path / "b.json").write_text(json.dumps(STORED))
    repository = LocalManagedModels(tmp_path)
    assert (await repository.find(HAIKU)).unwrap() is not None
    assert failure(await repository.find("other")).metadata == {"key": "a"}
    assert failure(await repository.list_all()).metadata == {"key": "a"}


async def test_one_call_finds_a_model(dynamo: Store, aws: Aws) -> None:
    dynamo.put(STORED)
    with aws.proxy.recording() as recording:
        assert (await dynamo.repository.find(HAIKU)).unwrap() is not None
    assert [(call.target.operation, call.target.table) for call in recording.calls] == [
        ("Query", aws.environment[stored.MODELS])
    ]


async def test_a_full_catalogue_is_read_to_the_end(dynamo: Store) -> None:
    """The service answers at most one megabyte at a time."""
    for number in range(4):
        dynamo.put({**STORED, "id": f"m{number}", "modelName": "x" * 390_000})
    assert len((await dynamo.repository.list_all()).unwrap()) == 4


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.THROTTLED, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.SERVER_ERROR, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.RESET, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.GARBAGE, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.ACCESS_DENIED, ErrorCode.INTERNAL_ERROR),
        (FaultKind.CORRUPT_ITEM, ErrorCode.INTERNAL_ERROR),
    ],
)
async def test_a_catalogue_that_cannot_be_read_is_not_empty(
    dynamo: Store, aws: Aws, kind: FaultKind, code: ErrorCode
) -> None:
    dynamo.put(STORED)
    with aws.proxy.injecting(Fault(kind, table=aws.environment[stored.MODELS])):
        found, listed = await dynamo.repository.find(HAIKU), await dynamo.repository.list_all()
    assert [failure(outcome).code for outcome in (found, listed)] == [code, code]


@pytest.mark.parametrize(
    ("content", "key"), [("{", "bad"), ("null", "bad"), ("[]", "bad"), ('"x"', "bad"), ("\xff", "bad")]
)
async def test_a_file_that_is_no_model(tmp_path: Path, content: str, key: str) -> None:
    (tmp_path / "bad.json").write_bytes(content.encode("latin-1"))
    (tmp_path / "good.json").write_text(json.dumps(STORED), encoding="utf-8")
    error = failure(await LocalManagedModels(tmp_path).find("may be the one"))
    assert (error.code, error.metadata) == (ErrorCode.INTERNAL_ERROR, {"key": key})


async def test_an_infinite_price_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**STORED, "inputPricePerMillionTokens": float("inf")}))
    assert failure(await LocalManagedModels(tmp_path).list_all()).code is ErrorCode.INTERNAL_ERROR


async def test_other_files_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(STORED), encoding="utf-8")
    (tmp_path / "README.md").write_text("models", encoding="utf-8")
    assert len((await LocalManagedModels(tmp_path).list_all()).unwrap()) == 1


async def test_a_model_that_is_deleted_while_the_folder_is_read_is_absent(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(STORED), encoding="utf-8")
    (tmp_path / "b.json").symlink_to(tmp_path / "gone")
    assert len((await LocalManagedModels(tmp_path).list_all()).unwrap()) == 1


async def test_f_qtm_60_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    folder = tmp_path / "managed_models"
    assert await LocalManagedModels(folder).list_all() == Success([])
    folder.write_text("a file in its place", encoding="utf-8")
    assert failure(await LocalManagedModels(folder).list_all()).code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("variable", [None, ""])
async def test_without_a_table_models_are_local(configure: Configure, tmp_path: Path, variable: str | None) -> None:
    """The deployed Inference API runs so: an empty catalogue is no failure."""
    configure(**{stored.MODELS: variable, "MANAGED_MODELS_DIR": str(tmp_path / "none")})
    repository = get_managed_models()
    assert isinstance(repository, LocalManagedModels)
    assert await repository.find(HAIKU) == Success(None)
