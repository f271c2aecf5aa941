"""What the services of `make run` are given."""

from devstack.stack import without_gateway


def test_the_gateway_is_switched_off_unless_the_caller_has_one() -> None:
    assert without_gateway({"PATH": "/bin", "GATEWAY_URL": ""}) == {"AGENTCORE_GATEWAY_MCP_ENABLED": "false"}
    assert without_gateway({"GATEWAY_URL": "https://gateway.example/mcp"}) == {}
