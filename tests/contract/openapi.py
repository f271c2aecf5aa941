"""The published API of both services: `uv run python -m tests.contract.openapi` writes the snapshots."""

import importlib
import json
from pathlib import Path

SERVICES = {"app": "apis.app_api.main", "inference": "apis.inference_api.main"}
SNAPSHOTS = Path(__file__).parent / "snapshots"


def render(service: str) -> str:
    document = importlib.import_module(SERVICES[service]).app.openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def operations_of(service: str) -> list[str]:
    """Each as `GET /sessions/{session_id}/metadata`."""
    paths = importlib.import_module(SERVICES[service]).app.openapi()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def snapshot_of(service: str) -> Path:
    return SNAPSHOTS / f"openapi-{service}.json"


if __name__ == "__main__":
    for name in SERVICES:
        snapshot_of(name).write_text(render(name), encoding="utf-8")
