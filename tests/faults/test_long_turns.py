"""Turns with tools on servers and in a sandbox, and of long conversations: every call beyond those of other turns is
failed in every way, as in `test_matrix`. The requests to tool servers go through the fault proxy, too. The platform of
the other tests has no gateway and no summaries.

A failing tool never fails a turn, once the turn has it; a store that fails always does.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.faults.scenario import MESSAGE, Case, Request, Scenario
from tests.faults.scenarios.chat import a_priced_model, turn
from tests.faults.scenarios.oauth import EVERYBODYS, encrypted, keep_a_secret
from tests.faults.scenarios.sessions import a_session
from tests.faults.test_matrix import AT_ONCE, Place, places_of, problems_of, ways_to_fail
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.interpreter import PlayedInterpreter
from tests.support.long_term_memory import ALL_STRATEGIES
from tests.support.platform import Platform
from tests.support.stored import Thing
from tests.support.tool_server import behind_the_proxy

GATEWAY_PARAMETER = "/strands-agent-chatbot/dev/mcp/gateway-url"
ECHO = f"[echo {{marker}}] {MESSAGE}"
SWITCHED = {
    "COMPACTION_ENABLED": "true",
    # Fewer than any call of the scripted model counts.
    "COMPACTION_TOKEN_THRESHOLD": "5",
    "WARM_UP_AFTER_START": "false",
}


@pytest.fixture(scope="module")
async def platform(tables: Platform) -> AsyncIterator[Platform]:
    """One that compacts conversations, and has a gateway and a code interpreter."""
    parameters, memory = tables.surroundings.parameters, tables.memory
    parameters[GATEWAY_PARAMETER] = f"{tables.proxy.url}/mcp"
    memory.strategies = ALL_STRATEGIES
    with tables.proxy.answering(behind_the_proxy), tables.proxy.answering(PlayedInterpreter()):
        async with tables.fresh(**SWITCHED) as running:
            with running.leaving_as_found(stored.TOOLS, stored.OAUTH_PROVIDERS):
                running.store(*external_tools(running))
                yield running
    memory.reset()
    del parameters[GATEWAY_PARAMETER]


def all_tools(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_priced_model(platform, case)
    yield from stored.role(f"role_{case.marker}", case.role, enabled=True, **stored.granting("*"))


def external_tools(platform: Platform) -> Iterator[Thing]:
    """Not one for each case: a process keeps the catalogue for a while."""
    config = {"serverUrl": f"{platform.proxy.url}/mcp", "authType": "none"}
    yield stored.tool("served", protocol="mcp_external", mcpConfig=config)
    yield stored.tool("connected", protocol="mcp_external", mcpConfig=config, requiresOauthProvider=EVERYBODYS)
    yield stored.oauth_provider(EVERYBODYS, f"{platform.oauth.url}/{EVERYBODYS}")


def an_expired_token(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from all_tools(platform, case)
    keep_a_secret(platform, case)
    token = encrypted(platform)
    yield stored.oauth_connection(
        case.user_id, EVERYBODYS, accessTokenEncrypted=token, refreshTokenEncrypted=token, expiresAt=1
    )


def a_long_conversation(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_summary(platform, case)
    yield from stored.conversation(case.user_id, case.session_id, *(f"text {number}" for number in range(8)))


def a_fact(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from ()
    platform.memory.remember(f"/strategies/sem-1/actors/{case.user_id}", "Owns a cat.", score=0.9)


def a_summary(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_session(platform, case)
    namespace = f"/strategies/sum-1/actors/{case.user_id}/sessions/{case.session_id}"
    platform.memory.remember(namespace, "So far.", createdAt=4_000_000_000)


def harmless(reason: str, *calls: str, kinds: Any = FaultKind) -> dict[tuple[str, FaultKind], str]:
    return {(call, kind): reason for call in calls for kind in kinds}


def on_server(service: str) -> dict[str, Any]:
    """A session with a tool server: opened, told so, asked for its tools; the tool is called; the session is left."""
    posted, left = f"{service}.POST /mcp", f"{service}.DELETE /mcp"
    return {
        "calls": (posted, left),
        "of_tool": (f"{posted} #4",),
        "harmless": {
            **harmless("What has no answer is done with any 2xx.", f"{posted} #2", kinds=[FaultKind.GARBAGE]),
            **harmless("A server may refuse to end a session, and ends it by itself.", left),
        },
    }


GATEWAY = on_server("bedrock-agentcore")
REPEATED = harmless(
    "A renewal that could not be stored is stored once more before it is used.",
    f"dynamodb.UpdateItem {stored.OAUTH_TOKENS} #2",
)
SCENARIOS = [
    turn(
        "turn with a tool of the gateway",
        ECHO,
        arrange=all_tools,
        members=lambda _: {"enabled_tools": ["gateway_echo"]},
        **{**GATEWAY, "calls": (*GATEWAY["calls"], "ssm.GetParameters")},
    ),
    turn(
        "turn with a tool on a server",
        ECHO,
        arrange=all_tools,
        members=lambda _: {"enabled_tools": ["served"]},
        **on_server("unsigned"),
    ),
    turn(
        "turn with a tool that renews its token",
        ECHO,
        arrange=an_expired_token,
        members=lambda _: {"enabled_tools": ["connected"]},
        calls=(
            *(f"dynamodb.GetItem {table}" for table in (stored.OAUTH_TOKENS, stored.OAUTH_PROVIDERS)),
            f"dynamodb.UpdateItem {stored.OAUTH_TOKENS}",
            "secretsmanager.GetSecretValue",
            "kms.Decrypt",
            "kms.Encrypt",
        ),
        harmless=REPEATED,
    ),
    turn(
        "turn with the code interpreter",
        f"[draw {{marker}}] {MESSAGE}",
        arrange=all_tools,
        members=lambda _: {"enabled_tools": ["generate_diagram_and_validate"]},
        calls=tuple(
            f"bedrock-agentcore.{name}"
            for name in (
                "StartCodeInterpreterSession",
                "InvokeCodeInterpreter",
                "StopCodeInterpreterSession",
            )
        ),
        of_tool=(
            "bedrock-agentcore.StartCodeInterpreterSession #1",
            "bedrock-agentcore.InvokeCodeInterpreter #1",
            "bedrock-agentcore.InvokeCodeInterpreter #2",
        ),
    ),
    turn(
        "turn of a long conversation",
        MESSAGE,
        arrange=a_long_conversation,
        calls=(
            f"dynamodb.Query {stored.SESSIONS}",
            f"dynamodb.UpdateItem {stored.SESSIONS}",
            # The others are read at the same time.
            "bedrock-agentcore.ListMemoryRecords #1",
        ),
    ),
    Scenario("facts that are found", Request("GET /memory/facts"), a_fact),
    Scenario(
        "summaries of a conversation",
        Request("GET /memory/summaries/{session_id}"),
        a_summary,
    ),
]
KINDS: dict[str, list[FaultKind]] = {
    "turn with the code interpreter": [FaultKind.THROTTLED, FaultKind.GARBAGE, FaultKind.TIMEOUT],
    "turn with a tool of the gateway": [FaultKind.SERVER_ERROR, FaultKind.GARBAGE],
    # Like that, but for what a refusal means.
    "turn with a tool on a server": [FaultKind.ACCESS_DENIED, FaultKind.RESET],
}
CASES = [
    pytest.param(scenario, kind, id=f"{scenario.name}-{kind}")
    for scenario in SCENARIOS
    for kind in KINDS.get(scenario.name, [*ways_to_fail(scenario.name, 0), FaultKind.TIMEOUT])
]
HANGS_FOR_LONG = frozenset({"InvokeCodeInterpreter"})
"""Code may run for minutes."""
HANGS_ELSEWHERE = frozenset({"kms", "secretsmanager"})
"""These calls cannot hang side by side, and hang in the scenarios of connections."""


def _can_hang(place: Place) -> bool:
    hangs_elsewhere = place.is_alone and place.target.service in HANGS_ELSEWHERE
    return not hangs_elsewhere and place.target.operation not in HANGS_FOR_LONG


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scenario", "kind"), CASES)
async def test_no_failure_stays_unseen(platform: Platform, scenario: Scenario, kind: FaultKind) -> None:
    places = [
        place for place in await places_of(platform, scenario) if kind is not FaultKind.TIMEOUT or _can_hang(place)
    ]
    assert places
    together = asyncio.Semaphore(AT_ONCE)
    problems = await problems_of(platform, [(scenario, kind, place) for place in places], defaultdict(lambda: together))
    assert not problems, "\n" + "\n".join(problems)
