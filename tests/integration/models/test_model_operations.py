"""The picker and the administration of managed models as their clients see them, in the table and in local files."""

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, Surroundings, User, running_platform

# Who may sign in at all; nothing is mapped from the first one.
MEMBER, ADMIN, SYSTEM_ADMIN = "PSSTUCURTERM", ("Staff", "Admin"), ("DotNetDevelopers",)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
_numbers = itertools.count(1)


class Models:
    """One catalogue, as administrators and users see it, and what is stored of it."""

    def __init__(self, platform: Platform, folder: Path | None = None) -> None:
        self.platform, self.folder = platform, folder
        self.admin = platform.sign_in("111111111", *ADMIN)
        self.system_admin = platform.sign_in("222222222", *SYSTEM_ADMIN)

    async def __call__(self, method: str, record_id: str = "", body: Any = None, **options: Any) -> httpx.Response:
        path = f"/admin/managed-models/{record_id}" if record_id else "/admin/managed-models"
        return await self.platform.ask(options.get("user", self.admin), method, path, body)

    async def create(self, **members: Any) -> dict[str, Any]:
        answer = await self("POST", body=body(**members))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def offered(self, *roles: str, user_id: str = "333333333") -> list[dict[str, Any]]:
        answer = await self.platform.ask(self.platform.sign_in(user_id, MEMBER, *roles), "GET", "/models")
        assert answer.status_code == 200, answer.text
        assert answer.json()["totalCount"] == len(answer.json()["models"])
        return list(answer.json()["models"])

    def stored(self, record_id: str) -> dict[str, Any]:
        """Empty when there is none."""
        if self.folder is None:
            return self.platform.item(stored.MODELS, f"MODEL#{record_id}", f"MODEL#{record_id}")
        path = self.folder / f"{record_id}.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


@pytest.fixture(scope="module")
async def files_of_models(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Models]:
    folder = tmp_path_factory.mktemp("models") / "made when it is needed"
    chosen = {"DYNAMODB_MANAGED_MODELS_TABLE_NAME": "", "MANAGED_MODELS_DIR": str(folder)}
    async with running_platform(
        replace(around, chosen=chosen), tmp_path_factory.mktemp("unused"), in_tables=True
    ) as running:
        yield Models(running, folder)


@pytest.fixture(params=["table", "files"])
def models(request: pytest.FixtureRequest) -> Models:
    if request.param == "files":
        in_files: Models = request.getfixturevalue("files_of_models")
        return in_files
    return Models(request.getfixturevalue("tables"))


@pytest.fixture
def in_table(tables: Platform) -> Models:
    return Models(tables)


def body(**members: Any) -> dict[str, Any]:
    return {
        "modelId": f"us.anthropic.claude-haiku-{next(_numbers)}",
        "modelName": "Haiku",
        "provider": "bedrock",
        "providerName": "Anthropic",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "maxInputTokens": 200000,
        "maxOutputTokens": 4096,
        "inputPricePerMillionTokens": 1,
        "outputPricePerMillionTokens": 5.25,
        "cacheReadPricePerMillionTokens": 0.1,
        "availableToRoles": [f"Faculty-{next(_numbers)}"],
        **members,
    }


def ids(models: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in models]


async def test_example_20_a_model_from_its_creation_on(models: Models) -> None:
    given = body()
    answer = await models("POST", body=given)
    assert answer.status_code == 201
    shown = answer.json()
    record_id, created = shown["id"], shown["createdAt"]
    assert MOMENT.fullmatch(created)
    assert shown == {
        **given,
        "id": record_id,
        "allowedAppRoles": [],
        "enabled": True,
        "cacheWritePricePerMillionTokens": None,
        "isReasoningModel": False,
        "knowledgeCutoffDate": None,
        "supportsCaching": True,
        "createdAt": created,
        "updatedAt": created,
    }
    again = await models("POST", body=body(modelId=given["modelId"]))
    assert (again.status_code, again.json()["code"]) == (400, "bad_request")
    assert given["modelId"] in again.json()["detail"]

    cleared = await models("PUT", record_id, {"cacheReadPricePerMillionTokens": None})
    assert cleared.json()["cacheReadPricePerMillionTokens"] is None
    assert cleared.json()["updatedAt"] > created
    assert (await models("GET", record_id)).json() == cleared.json()

    (role,) = given["availableToRoles"]
    assert await models.offered(role) == [cleared.json()]
    assert await models.offered("Nobody") == []
    assert (await models("PUT", record_id, {"enabled": False})).status_code == 200
    assert await models.offered(role) == []
    assert record_id in ids((await models("GET")).json()["models"])

    gone = await models("DELETE", record_id)
    assert (gone.status_code, gone.content) == (204, b"")
    assert models.stored(record_id) == {}
    assert (await models("GET", record_id)).status_code == 404


async def test_what_the_table_holds(in_table: Models) -> None:
    shown = await in_table.create(knowledgeCutoffDate="early 2025")
    record = f"MODEL#{shown['id']}"
    expected = {
        **shown,
        "PK": record,
        "SK": record,
        "GSI1PK": f"MODEL#{shown['modelId']}",
        "GSI1SK": record,
        "createdAt": shown["createdAt"].replace("Z", "+00:00"),
        "updatedAt": shown["updatedAt"].replace("Z", "+00:00"),
    }
    del expected["cacheWritePricePerMillionTokens"]
    assert {
        name: float(value) if "Price" in name else value for name, value in in_table.stored(shown["id"]).items()
    } == (expected)
    new_id = f"{shown['modelId']}-new"
    await in_table("PUT", shown["id"], {"modelId": new_id, "knowledgeCutoffDate": None})
    changed = in_table.stored(shown["id"])
    assert (changed["GSI1PK"], changed["modelId"]) == (f"MODEL#{new_id}", new_id)
    assert "knowledgeCutoffDate" not in changed


async def test_what_a_file_holds(files_of_models: Models) -> None:
    shown = await files_of_models.create()
    offsets = {name: shown[name].replace("Z", "+00:00") for name in ("createdAt", "updatedAt")}
    assert files_of_models.stored(shown["id"]) == {**shown, **offsets}
    assert files_of_models.folder is not None
    text = (files_of_models.folder / f"{shown['id']}.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "id"')


async def test_a_change_of_a_file_keeps_what_another_version_wrote(files_of_models: Models) -> None:
    record_id = (await files_of_models.create())["id"]
    assert files_of_models.folder is not None
    file = files_of_models.folder / f"{record_id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), "laterMember": 1}), encoding="utf-8")
    await files_of_models("PUT", record_id, {"modelName": "Other"})
    changed = files_of_models.stored(record_id)
    assert (changed["modelName"], changed["laterMember"]) == ("Other", 1)


@pytest.mark.parametrize(
    ("members", "caches"),
    [
        ({}, True),
        ({"provider": "BedRock"}, True),
        ({"provider": "openai"}, False),
        ({"provider": "openai", "supportsCaching": True}, True),
        ({"supportsCaching": False}, False),
        ({"provider": "gemini", "supportsCaching": None}, False),
    ],
    ids=str,
)
async def test_whether_it_caches(in_table: Models, members: dict[str, Any], caches: bool) -> None:
    assert (await in_table.create(**members))["supportsCaching"] is caches


async def test_members_may_be_in_snake_case_and_unknown_ones_are_ignored(in_table: Models) -> None:
    given = {re.sub("([A-Z])", lambda found: f"_{found[0].lower()}", name): value for name, value in body().items()}
    answer = await in_table("POST", body={**given, "something": "else"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["modelName"] == "Haiku"


REFUSED: list[tuple[str, Any]] = [
    ("modelId", ""),
    ("modelId", "ä" * 501),
    ("modelName", ""),
    ("provider", ""),
    ("providerName", ""),
    ("inputModalities", []),
    ("outputModalities", []),
    ("maxInputTokens", 0),
    ("maxInputTokens", 10**40 + 1),
    ("maxOutputTokens", -1),
    ("inputPricePerMillionTokens", -0.01),
    ("outputPricePerMillionTokens", "NaN"),
    ("cacheReadPricePerMillionTokens", "Infinity"),
    ("cacheWritePricePerMillionTokens", 1e101),
    ("modelName", "x" * 2001),
    ("availableToRoles", ["x"] * 1001),
]


@pytest.mark.parametrize(("member", "value"), REFUSED, ids=lambda value: str(value)[:20])
async def test_what_no_model_may_be(in_table: Models, member: str, value: Any) -> None:
    """When it is made, and when it is changed."""
    shown = await in_table.create()
    before = in_table.stored(shown["id"])
    for answer in (
        await in_table("POST", body=body(**{member: value})),
        await in_table("PUT", shown["id"], {member: value}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), answer.text
        assert answer.json()["field"].startswith(f"body.{member}")
    assert in_table.stored(shown["id"]) == before


async def test_null_changes_nothing_but_what_may_be_absent(models: Models) -> None:
    """M7: both prices of caching are cleared, as the client does when caching is switched off."""
    shown = await models.create(cacheWritePricePerMillionTokens=1.25, knowledgeCutoffDate="2025")
    everything: dict[str, Any] = dict.fromkeys(shown)
    del everything["id"], everything["createdAt"], everything["updatedAt"]
    answer = await models("PUT", shown["id"], everything)
    assert answer.status_code == 200, answer.text
    cleared = ("cacheReadPricePerMillionTokens", "cacheWritePricePerMillionTokens", "knowledgeCutoffDate")
    updated = answer.json()["updatedAt"]
    assert answer.json() == {**shown, **dict.fromkeys(cleared), "updatedAt": updated}


async def test_an_empty_change_writes_nothing(models: Models) -> None:
    shown = await models.create()
    before = models.stored(shown["id"])
    answer = await models("PUT", shown["id"], {})
    assert (answer.status_code, answer.json()) == (200, shown)
    assert models.stored(shown["id"]) == before


async def test_prices_of_zero_are_prices(models: Models) -> None:
    """M6: zero is not missing."""
    prices = {
        "inputPricePerMillionTokens": 0,
        "outputPricePerMillionTokens": 0,
        "cacheReadPricePerMillionTokens": 0,
    }
    shown = await models.create(**prices)
    read = (await models("GET", shown["id"])).json()
    assert {name: read[name] for name in prices} == prices


async def test_an_id_of_a_provider_is_used_once(models: Models) -> None:
    first, second = await models.create(), await models.create()
    taken = await models("PUT", second["id"], {"modelId": first["modelId"]})
    assert (taken.status_code, taken.json()["code"]) == (400, "bad_request")
    assert models.stored(second["id"])["modelId"] == second["modelId"]
    # What the client sends with every change is no new id.
    assert (await models("PUT", first["id"], {"modelId": first["modelId"], "modelName": "New"})).status_code == 200


async def test_l6_two_creations_at_one_moment(models: Models) -> None:
    given = body()
    answers = await asyncio.gather(*(models("POST", body=given) for _ in range(2)))
    statuses = sorted(answer.status_code for answer in answers)
    if models.folder is not None:
        assert statuses == [201, 400]
    assert statuses in ([201, 400], [201, 201])
    offered = await models.offered(*given["availableToRoles"])
    assert len(offered) == 1, "the picker shows what a turn goes by"
    # Neither one is stuck: both can still be changed and removed.
    for answer in answers:
        if answer.status_code == 201:
            assert (await models("PUT", answer.json()["id"], given)).status_code == 200


UNKNOWN_IDS = [UNKNOWN, "x" * 300, "%2e%2e%2fsecret", ".hidden", "a b", "%00", "%ed%a0%80", "MODEL%231"]


@pytest.mark.parametrize("record_id", UNKNOWN_IDS, ids=lambda text: text[:12])
async def test_an_unknown_model(models: Models, record_id: str) -> None:
    """F-QTM-67: what vanished is not made again by a change."""
    for answer in (
        await models("GET", record_id),
        await models("PUT", record_id, {"modelName": "x"}),
        await models("PUT", record_id, {}),
        await models("PUT", record_id, {"modelId": "x"}),
        await models("DELETE", record_id),
        await models("POST", f"{record_id}/sync-roles", user=models.system_admin),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.text
    assert models.stored(UNKNOWN) == {}


async def test_the_newest_comes_first(models: Models) -> None:
    role = f"Ordered-{next(_numbers)}"
    made = [await models.create(availableToRoles=[role]) for _ in range(3)]
    assert ids(await models.offered(role)) == ids(made)[::-1]
    listed = [record_id for record_id in ids((await models("GET")).json()["models"]) if record_id in ids(made)]
    assert listed == ids(made)[::-1]


async def test_the_order_of_old_entries(files_of_models: Models) -> None:
    """A blank sorts before a `T` as text, and not every moment has a fraction."""
    role = f"Old-{next(_numbers)}"
    moments = {
        "old-a": "2025-01-15 10:30:02+00:00",
        "old-b": "2025-01-15T10:30:01.000001+00:00",
        "old-c": "2025-01-15T10:30:01+00:00",
    }
    assert files_of_models.folder is not None
    files_of_models.folder.mkdir(exist_ok=True)
    for record_id, at in moments.items():
        document = {
            **body(modelId=record_id, availableToRoles=[role]),
            "id": record_id,
            "createdAt": at,
            "updatedAt": at,
        }
        (files_of_models.folder / f"{record_id}.json").write_text(json.dumps(document), encoding="utf-8")
    offered = await files_of_models.offered(role)
    assert ids(offered) == ["old-a", "old-b", "old-c"]
    assert [one["createdAt"] for one in offered] == [
        "2025-01-15T10:30:02.000000Z",
        "2025-01-15T10:30:01.000001Z",
        "2025-01-15T10:30:01.000000Z",
    ]


async def test_a_role_grants_by_the_providers_id(in_table: Models) -> None:
    shown = await in_table.create(availableToRoles=[], allowedAppRoles=["informs"])
    jwt_role = f"Granted-{next(_numbers)}"
    in_table.platform.store(
        *stored.whole_role(f"models_{jwt_role[8:]}", jwtRoleMappings=[jwt_role], grantedModels=[shown["modelId"]])
    )
    assert ids(await in_table.offered(jwt_role)) == [shown["id"]]
    assert await in_table.offered("informs") == []


async def test_sync_notes_who_grants_the_model(models: Models) -> None:
    shown = await models.create(allowedAppRoles=["stale"])
    model_id, number = shown["modelId"], next(_numbers)
    names = [f"sync_{name}_{number}" for name in ("low", "high", "off", "child", "all")]
    low, high, off, child, everything = names
    models.platform.store(
        *stored.whole_role(low, priority=1, grantedModels=[model_id]),
        *stored.whole_role(high, priority=900, grantedModels=[model_id]),
        *stored.whole_role(off, priority=1, grantedModels=[model_id], enabled=False),
        *stored.whole_role(child, priority=5, **stored.granting(models=[model_id])),
        *stored.whole_role(everything, priority=5, grantedModels=["*"]),
    )
    before = models.platform.items(stored.ROLES, f"ROLE#{low}")
    refused = await models("POST", f"{shown['id']}/sync-roles")
    assert (refused.status_code, refused.json()["detail"]) == (403, "System administrator access required")
    answer = await models("POST", f"{shown['id']}/sync-roles", user=models.system_admin)
    assert answer.status_code == 200, answer.text
    assert answer.json()["allowedAppRoles"] == [high, child, low, off]
    assert (await models("GET", shown["id"])).json() == answer.json()
    assert models.platform.items(stored.ROLES, f"ROLE#{low}") == before


async def test_f_qtm_83_a_model_that_goes_while_it_is_synced(in_table: Models) -> None:
    shown = await in_table.create()
    with in_table.platform.proxy.holding("GetItem", containing=shown["id"]) as read:
        syncing = asyncio.create_task(in_table("POST", f"{shown['id']}/sync-roles", user=in_table.system_admin))
        await read.has(1)
        assert (await in_table("DELETE", shown["id"])).status_code == 204
    answer = await syncing
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert in_table.stored(shown["id"]) == {}, "half an item"


async def test_the_other_spelling(in_table: Models) -> None:
    for path, registered in (("/models/", "/models"), ("/admin/managed-models/", "/admin/managed-models")):
        answer = await in_table.platform.ask(in_table.admin, "GET", path)
        assert (answer.status_code, answer.headers["location"]) == (307, registered)


@pytest.fixture
def round_trips(in_table: Models) -> Any:
    async def calls(user: User, method: str, path: str, body: Any = None) -> Counter[str]:
        with in_table.platform.proxy.recording() as recording:
            answer = await in_table.platform.ask(user, method, path, body)
        assert answer.is_success, answer.text
        return Counter(call.target.operation for call in recording.calls)

    return calls


async def test_round_trips(in_table: Models, round_trips: Any) -> None:
    shown = await in_table.create()
    path, admin = f"/admin/managed-models/{shown['id']}", in_table.admin
    reader = in_table.platform.sign_in("333333333", MEMBER)
    # Nothing of roles is kept in these tests: the role of the token, and the role for everybody.
    assert await round_trips(reader, "GET", "/models") == {"Scan": 1, "Query": 1, "GetItem": 1}
    assert await round_trips(admin, "GET", "/admin/managed-models") == {"Scan": 1}
    assert await round_trips(admin, "POST", "/admin/managed-models", body()) == {"Query": 1, "PutItem": 1}
    assert await round_trips(admin, "GET", path) == {"GetItem": 1}
    assert await round_trips(admin, "PUT", path, {"enabled": True}) == {"UpdateItem": 1}
    with_id = {"modelId": shown["modelId"]}
    assert await round_trips(admin, "PUT", path, with_id) == {"GetItem": 1, "Query": 1, "UpdateItem": 1}
    sync = await round_trips(in_table.system_admin, "POST", f"{path}/sync-roles")
    assert sync == {"GetItem": 1, "Scan": 1, "UpdateItem": 1}
    assert await round_trips(admin, "DELETE", path) == {"DeleteItem": 1}


FAULTS = [
    (FaultKind.THROTTLED, 503, "service_unavailable"),
    (FaultKind.ACCESS_DENIED, 500, "internal_error"),
]


@pytest.mark.parametrize(("kind", "status", "code"), FAULTS)
async def test_example_21_a_store_that_is_down_is_not_empty(
    in_table: Models, kind: FaultKind, status: int, code: str
) -> None:
    """F-QTM-59, 62, 64 to 67, 69 and 73: nothing is taken for absent, and no text of the store reaches the client."""
    shown = await in_table.create()
    reader = in_table.platform.sign_in("333333333", MEMBER)
    table = in_table.platform.variables[stored.MODELS]
    with in_table.platform.proxy.injecting(Fault(kind, table=table)):
        answers = [
            await in_table.platform.ask(reader, "GET", "/models"),
            await in_table("GET"),
            await in_table("GET", shown["id"]),
            await in_table("POST", body=body()),
            await in_table("PUT", shown["id"], {"enabled": True}),
            await in_table("PUT", shown["id"], {"modelId": "new"}),
            await in_table("DELETE", shown["id"]),
            await in_table("POST", f"{shown['id']}/sync-roles", user=in_table.system_admin),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not [word for word in in_table.platform.internals if word in answer.text]
        await in_table.platform.settled(answer.headers["x-request-id"])
        (record,) = in_table.platform.records(answer.headers["x-request-id"], "request failed")
        assert record["code"] == code


@pytest.mark.parametrize("held", ["JWT_ROLE#", "ROLE#default"])
async def test_f_qtm_72_permissions_that_cannot_be_read_do_not_shorten_the_list(in_table: Models, held: str) -> None:
    reader = in_table.platform.sign_in("333333333", MEMBER)
    with in_table.platform.proxy.injecting(Fault(FaultKind.THROTTLED, containing=held)):
        answer = await in_table.platform.ask(reader, "GET", "/models")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


async def test_f_qtm_82_roles_that_cannot_be_listed(in_table: Models) -> None:
    shown = await in_table.create(allowedAppRoles=["kept"])
    table = in_table.platform.variables[stored.ROLES]
    with in_table.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation="Scan", table=table)):
        answer = await in_table("POST", f"{shown['id']}/sync-roles", user=in_table.system_admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert in_table.stored(shown["id"])["allowedAppRoles"] == ["kept"]


async def test_f_qtm_61_and_68_a_corrupt_entry_is_named(models: Models) -> None:
    shown = await models.create()
    key = shown["id"] if models.folder else f"MODEL#{shown['id']}"
    damage(models, shown["id"], inputPricePerMillionTokens="free")
    reader = models.platform.sign_in("333333333", MEMBER)
    for answer in (
        await models("GET"),
        await models("GET", shown["id"]),
        await models.platform.ask(reader, "GET", "/models"),
        await models("PUT", shown["id"], {"enabled": True}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert answer.json()["metadata"]["key"] == key
        assert "free" not in answer.text
    assert (await models("DELETE", shown["id"])).status_code == 204, "there must be a way out"


async def test_f_qtm_63_and_70_a_file_that_is_none(files_of_models: Models) -> None:
    assert files_of_models.folder is not None
    path = files_of_models.folder / "broken.json"
    files_of_models.folder.mkdir(exist_ok=True)
    path.write_text("{", encoding="utf-8")
    answer = await files_of_models("GET", "broken")
    assert (answer.status_code, answer.json()["metadata"]["key"]) == (500, "broken")
    path.unlink()
    path.mkdir()
    try:
        for method, given in (("GET", None), ("PUT", {"enabled": True}), ("DELETE", None)):
            failed = await files_of_models(method, "broken", given)
            assert (failed.status_code, failed.json()["code"]) == (503, "service_unavailable"), failed.text
    finally:
        path.rmdir()


def damage(models: Models, record_id: str, **members: Any) -> None:
    document = {**models.stored(record_id), **members}
    if models.folder is None:
        models.platform.put(stored.MODELS, document)
    else:
        (models.folder / f"{record_id}.json").write_text(json.dumps(document), encoding="utf-8")
