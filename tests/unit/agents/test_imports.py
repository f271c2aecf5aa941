"""What does not run a model must not load one."""

import subprocess
import sys

import pytest

HEAVY = ("strands", "sympy", "openai", "google.genai", "boto3", "botocore", "aiohttp", "mcp")


@pytest.mark.parametrize(
    "module",
    [
        "agents",
        "agents.call_input",
        "agents.config",
        "agents.events",
        "agents.history",
        "agents.pipeline",
        "agents.prompt",
        "agents.providers",
        "agents.run",
        "agents.system_prompt",
        "agents.tools.calculator",
        "agents.tools.registry",
        "agents.tools.selection",
        "agents.turn",
        "apis.shared.tools.catalogue",
    ],
)
def test_importing_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_provider_loads_no_other_provider() -> None:
    code = (
        "import asyncio, os, sys\n"
        "os.environ['OPENAI_API_KEY'] = 'k'\n"
        "from agents.config import ModelConfig\n"
        "from agents.providers import build_model\n"
        "asyncio.run(build_model(ModelConfig(model_id='gpt', provider='openai')))\n"
        "print('google.genai' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "False"
