from tests.faults.scenario import Request, Scenario

ADMIN = ("DotNetDevelopers",)

SCENARIOS = [Scenario("models of Bedrock", Request("GET /admin/bedrock/models", roles=ADMIN))]

CALLS_NOTHING = {
    "GET /admin/gemini/models": "It calls a provider outside AWS.",
    "GET /admin/openai/models": "It calls a provider outside AWS.",
}
