"""What a service publishes, read from its OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from typing import Any


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def admin_operations(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Method and path of what only administrators may do, with values in the place of the path's parameters."""
    return [
        (method, re.sub(r"\{[^}]*\}", "1", path))
        for method, path, _ in operations(document)
        if path == "/admin" or path.startswith("/admin/")
    ]
