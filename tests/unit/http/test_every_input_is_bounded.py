"""No part of a request is without a bound: each route's body and parameters refuse what no real client sends."""

import importlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

# Bounded by the size of the body, and by a rule of the service.
BOUNDED_ELSEWHERE = {
    "FileContent.bytes",
    "InvocationRequest.session_id",
    "ChatRequest.session_id",
    "GenerateTitleRequest.session_id",
    "AssistantTestChatRequest.session_id",
}
HUGE: Mapping[Any, Sequence[Any]] = {
    str: ["x" * 1_000_001],
    int: [10**101],
    float: [1e101],
    list: [[str(number) for number in range(100_001)], ["x" * 1_000_001]],
}


def inputs(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """Each text, number and list of a request: its name, and its annotated type."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route if hasattr(context, "original_route") else context
        if not isinstance(route, APIRoute):
            continue
        if route.body_field is not None:
            yield from _members(route.body_field.field_info.annotation)
        for parameter in route.dependant.query_params:
            yield f"{route.path}?{parameter.name}", _annotated(parameter.field_info)


def _members(model: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, member in model.model_fields.items():
            yield f"{model.__name__}.{name}", _annotated(member)
            for part in _parts(member.annotation):
                yield from _members(part)


def _annotated(member: FieldInfo) -> Any:
    return Annotated[member.annotation, *member.metadata] if member.metadata else member.annotation


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _kind(annotation: Any) -> Any:
    """str, int, float or list; None for what is bounded by its nature."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return next((kind for part in get_args(annotation) if (kind := _kind(part)) is not None), None)
    if origin is not None and origin is not list:
        return _kind(get_args(annotation)[0])
    kind = origin or annotation
    return kind if kind in {str, int, float, list} else None


def _accepts(annotated: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotated).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("module", ["apis.app_api.main", "apis.inference_api.main"])
def test_every_input_has_a_bound(module: str) -> None:
    known = {
        name: (annotated, kind)
        for name, annotated in inputs(importlib.import_module(module).app)
        if (kind := _kind(annotated))
    }
    assert known
    unbounded = {
        name for name, (annotated, kind) in known.items() if any(_accepts(annotated, value) for value in HUGE[kind])
    }
    assert unbounded <= BOUNDED_ELSEWHERE
