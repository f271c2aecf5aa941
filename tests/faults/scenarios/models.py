from collections.abc import Iterator
from typing import Any

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("DotNetDevelopers",)


def record_id(case: Case) -> str:
    return f"record-{case.marker}"


RECORD = {"model_id": record_id}


def a_model(_: Platform, case: Case) -> Iterator[Thing]:
    """Which a role of the user grants."""
    yield stored.managed_model(case.model_id, record_id=record_id(case))
    yield from stored.whole_role(f"role_{case.marker}", jwtRoleMappings=[case.role], grantedModels=[case.model_id])


def new(case: Case) -> dict[str, Any]:
    return {
        "modelId": case.model_id,
        "modelName": "New",
        "provider": "openai",
        "providerName": "OpenAI",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "maxInputTokens": 1000,
        "maxOutputTokens": 1000,
        "inputPricePerMillionTokens": 1,
        "outputPricePerMillionTokens": 1,
    }


def renamed(case: Case) -> dict[str, Any]:
    return {"modelId": f"new-{case.model_id}"}


async def is_whole(platform: Platform, case: Case, _: bool) -> None:
    """Or not there at all."""
    record = f"MODEL#{record_id(case)}"
    item = platform.item(stored.MODELS, record, record)
    assert not item or item["GSI1PK"] == f"MODEL#{item['modelId']}"


SCENARIOS = [
    Scenario("offered models", Request("GET /models"), a_model),
    Scenario("list models", Request("GET /admin/managed-models", roles=ADMIN), a_model),
    Scenario("get model", Request("GET /admin/managed-models/{model_id}", fill=RECORD, roles=ADMIN), a_model),
    Scenario("create model", Request("POST /admin/managed-models", new, roles=ADMIN), repeats=False),
    Scenario(
        "change model", Request("PUT /admin/managed-models/{model_id}", renamed, RECORD, roles=ADMIN), a_model, is_whole
    ),
    Scenario(
        "delete model",
        Request("DELETE /admin/managed-models/{model_id}", None, RECORD, roles=ADMIN),
        a_model,
        is_whole,
        repeats=False,
        harmless={
            (
                f"dynamodb.DeleteItem {stored.MODELS}",
                FaultKind.CORRUPT_ITEM,
            ): "A model that cannot be read can be removed."
        },
    ),
    Scenario(
        "sync roles of model",
        Request("POST /admin/managed-models/{model_id}/sync-roles", None, RECORD, roles=ADMIN),
        a_model,
        is_whole,
    ),
]
