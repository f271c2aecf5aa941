"""The requests whose every AWS call is failed in turn: one module per feature, each with its `SCENARIOS`.

An operation that calls nothing stands in its feature's `CALLS_NOTHING` instead, with the reason.
"""

import importlib
import pkgutil

from tests.faults.scenario import Scenario

_FEATURES = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]

SCENARIOS: list[Scenario] = [scenario for feature in _FEATURES for scenario in getattr(feature, "SCENARIOS", [])]
CALLS_NOTHING: dict[str, str] = {
    operation: reason for feature in _FEATURES for operation, reason in getattr(feature, "CALLS_NOTHING", {}).items()
}
