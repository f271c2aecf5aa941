"""What a server's tools are called, and how their input is described."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.tools.mcp.endpoints import signed_for
from agents.tools.mcp.naming import legal_names
from agents.tools.mcp.schemas import acceptable
from agents.tools.registry import LOCAL_TOOLS

owned = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.text(max_size=80) | st.sampled_from(["x-y", "x_y", "calculator"]))
)


@given(owned)
def test_names(tools: list[tuple[str, str]]) -> None:
    """M4: legal, of one tool only, and the same in whatever order."""
    names = legal_names(tools)
    assert names == legal_names(random.sample(tools, len(tools)))
    keys = [name.replace("-", "_") for name in names.values()]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set(LOCAL_TOOLS)
    assert all(0 < len(name) <= 64 and name.isascii() for name in names.values())
    assert set(names) == set(tools)


def test_a_name_that_is_legal_stays() -> None:
    assert legal_names([("a", "wiki___search"), ("b", "x_amz_bedrock_agentcore_search")]) == {
        ("a", "wiki___search"): "wiki___search",
        ("b", "x_amz_bedrock_agentcore_search"): "x_amz_bedrock_agentcore_search",
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "properties", "required"),
    [
        (None, {}, None),
        (True, {}, None),
        ({}, {}, []),
        ({"type": ["object", "null"], "properties": None}, {}, []),
        ({"properties": {"a": TEXT, "b": True}, "required": ["a", "z"]}, {"a": TEXT, "b": {}}, ["a"]),
        (
            {"anyOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": TEXT}}]},
            {"a": TEXT, "b": TEXT},
            [],
        ),
        (
            {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"properties": {"a": TEXT}, "required": ["a"]}}},
            {"a": TEXT},
            ["a"],
        ),
        (
            {"properties": {"n": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}}}},
            {"n": {"$ref": "#/$defs/N"}},
            [],
        ),
    ],
)
def test_a_schema_that_is_made_acceptable(schema: Any, properties: Any, required: Any) -> None:
    """M3"""
    made = acceptable(schema)
    assert made is not None
    assert (made["type"], made["properties"], made.get("required")) == ("object", properties, required)
    assert not {"anyOf", "oneOf", "allOf"} & set(made)


def nested(depth: int) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": nested(depth - 1) if depth else {}}}


@pytest.mark.parametrize(
    "schema",
    [
        False,
        "object",
        {"type": "array"},
        {"properties": ["a"]},
        {"properties": {"$filter": TEXT}},
        {"properties": {"x" * 80: TEXT}},
        {"properties": {"a": {"description": "x" * 300_000}}},
        nested(40),
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"properties": {"a b": TEXT}}]}}},
    ],
)
def test_a_schema_that_no_provider_takes(schema: Any) -> None:
    """M3"""
    assert acceptable(schema) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("abc.lambda-url.eu-west-1.on.aws", ("lambda", "eu-west-1")),
        ("abc.execute-api.us-east-1.amazonaws.com", ("execute-api", "us-east-1")),
        ("g-1.gateway.bedrock-agentcore.us-west-2.amazonaws.com", ("bedrock-agentcore", "us-west-2")),
        ("bedrock-agentcore.us-west-2.amazonaws.com", ("bedrock-agentcore", "us-west-2")),
        ("abc.lambda-url.eu-west-1.on.aws.evil.example", ("lambda", None)),
        ("mcp.example.edu", ("lambda", None)),
    ],
)
def test_what_requests_are_signed_for(host: str, expected: tuple[str, str | None]) -> None:
    assert signed_for(host) == expected
