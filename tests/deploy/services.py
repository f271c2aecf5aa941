"""What is deployed, and how each part is recognised."""

from dataclasses import dataclass
from pathlib import Path

from tests.deploy.dockerfile import Dockerfile

ROOT = Path(__file__).resolve().parents[2]
UV = str(ROOT / "scripts" / "uv")


@dataclass(frozen=True)
class Distribution:
    name: str
    folder: str
    package: str
    """The path inside a wheel below which all of its code is."""

    @property
    def wheel_stem(self) -> str:
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Deployable:
    distribution: Distribution
    module: str
    health_path: str
    port: int
    dockerfile_name: str

    @property
    def dockerfile(self) -> Dockerfile:
        return Dockerfile.read(ROOT / self.dockerfile_name)

    def __str__(self) -> str:
        return self.distribution.name


SHARED = Distribution("agentcore-shared", "shared_lib", "apis/shared/")
AGENTS = Distribution("agentcore-agents", "backend/agents", "agents/")
APP = Distribution("agentcore-app-api", "backend/app_api", "apis/app_api/")
INFERENCE = Distribution("agentcore-inference-api", "backend/inference_api", "apis/inference_api/")
DISTRIBUTIONS = (SHARED, AGENTS, APP, INFERENCE)

APP_API = Deployable(APP, "apis.app_api", "/health", 8000, "Dockerfile.app")
INFERENCE_API = Deployable(INFERENCE, "apis.inference_api", "/ping", 8080, "Dockerfile.inference")
OTHER = {APP_API: INFERENCE_API, INFERENCE_API: APP_API}
