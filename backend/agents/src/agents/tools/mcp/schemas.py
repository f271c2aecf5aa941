"""The input of a server's tool as a schema that every provider takes."""

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_LENGTH = 100_000
MAX_DEPTH = 30
_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_COMBINING = ("anyOf", "oneOf", "allOf")
_NOT_ON_TOP = frozenset({*_COMBINING, "not", "enum", "const", "if", "then", "else", "$schema", "$id"})

type Schema = dict[str, Any]
"""A JSON schema."""


def acceptable(schema: object) -> Schema | None:
    """The same input, described by one object; None for what no provider would take."""
    if schema is None or schema is True:
        return {"type": "object", "properties": {}}
    if not isinstance(schema, Mapping) or _depth(schema) > MAX_DEPTH:
        return None
    merged = _merged(schema)
    if merged is None or not all(_PROPERTY.fullmatch(name) for name in merged["properties"]):
        return None
    return merged if len(json.dumps(merged)) <= MAX_LENGTH else None


def _merged(schema: Mapping[str, Any]) -> Schema | None:
    """With what is combined on top, where providers take no combination, among its own properties."""
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return None
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return None
    properties, required = dict(properties), [name for name in required if isinstance(name, str)]
    for combination in _COMBINING:
        for part in _parts(schema, combination):
            other = _merged(part)
            if other is not None:
                properties = {**other["properties"], **properties}
                # Of alternatives none is needed for certain; which of them go together the server decides.
                required += other["required"] if combination == "allOf" else []
    kept = {name: value for name, value in schema.items() if name not in _NOT_ON_TOP}
    known = [name for name in dict.fromkeys(required) if name in properties]
    return {
        **kept,
        "type": "object",
        "properties": {n: _described(p) for n, p in properties.items()},
        "required": known,
    }


def _parts(schema: Mapping[str, Any], combination: str) -> list[Mapping[str, Any]]:
    parts = schema.get(combination)
    found = [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return [_resolved(schema, part) for part in found]


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference to one of the schema's own definitions stands for."""
    reference = part.get("$ref")
    group, _, name = reference.removeprefix("#/").partition("/") if isinstance(reference, str) else ("", "", "")
    definitions = schema.get(group) if group in {"$defs", "definitions"} else None
    found = definitions.get(name) if isinstance(definitions, Mapping) else None
    return found if isinstance(found, Mapping) else part


def _described(value: object) -> object:
    """`true` says that anything goes."""
    return value if isinstance(value, Mapping) else {}


def _depth(value: object, depth: int = 0) -> int:
    if depth > MAX_DEPTH:
        return depth
    match value:
        case Mapping():
            return max((_depth(member, depth + 1) for member in value.values()), default=depth)
        case list():
            return max((_depth(member, depth + 1) for member in value), default=depth)
        case _:
            return depth
