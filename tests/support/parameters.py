"""Parameters of Systems Manager, in place of the endpoint's: that one reads seconds of its own data first."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.fault_proxy import Call


class Parameters(dict[str, str]):
    """Values by name, for `FaultProxy.answer`."""

    def told(self, call: Call) -> Mapping[str, Any]:
        names = json.loads(call.text[call.text.index("{") :])["Names"]
        found = [{"Name": name, "Type": "String", "Value": self[name]} for name in names if name in self]
        return {"Parameters": found, "InvalidParameters": [name for name in names if name not in self]}
