"""The bases of wire models: what clients see, in camelCase; requests take both spellings."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema


class Wire(BaseModel):
    """A model of requests or responses. A member that is null is sent as null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, protected_namespaces=())

    @classmethod
    def of(cls, record: object) -> Self:
        """The members that `record` has under the same names; where a member is a wire model itself, or a list or map
        of them, it is made in the same way. What the record lacks takes its default.

        Nothing is validated: a record was when it was read, and a value that does not fit the wire model is found when
        the response is written.
        """
        plan = _plan(cls)
        try:
            values = plan.values(record.__dict__)
        except (AttributeError, KeyError):
            values = plan.values(plan.attributes(record))
        extra = cls._further(getattr(record, "__pydantic_extra__", None) or {}) if plan.keeps_further else None
        # What `model_construct` does, but for its search for aliases and defaults, which takes several times as long.
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        object.__setattr__(made, "__pydantic_fields_set__", plan.names)
        object.__setattr__(made, "__pydantic_extra__", extra)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

    @classmethod
    def _further(cls, members: Mapping[str, Any]) -> dict[str, Any]:
        return dict(members)


class SnakeCaseWire(Wire):
    """A model whose members clients see in snake case."""

    model_config = ConfigDict(alias_generator=None)


class WireWithoutNulls(Wire):
    """A member that is null is left out. Free-form members (maps, lists) are sent as they are, nulls included."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        for field in cls.__pydantic_fields__.values():
            if type(None) in get_args(field.annotation):
                field.exclude_if = _is_none
        return handler(source)

    @classmethod
    def _further(cls, members: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not None}


# No function of Python's own: it is called for every member of every object that is sent.
_is_none = functools.partial(operator.is_, None)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a wire model is made, worked out once per model."""

    names: set[str]
    plain: tuple[str, ...]
    nested: tuple[tuple[str, type[Wire]], ...]
    defaults: Mapping[str, Any]
    keeps_further: bool

    def values(self, known: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: known[name] for name in self.plain}
        for name, model in self.nested:
            values[name] = _nested(model, known[name])
        return values

    def attributes(self, record: object) -> dict[str, Any]:
        """The members of a record that is no model, computes some, or lacks some."""
        known = {name: getattr(record, name, self.defaults.get(name, _ABSENT)) for name in self.names}
        missing = sorted(name for name, value in known.items() if value is _ABSENT)
        if missing:
            msg = f"{type(record).__name__} has no {', '.join(missing)}"
            raise TypeError(msg)
        return known


_ABSENT = object()


@functools.cache
def _plan(model: type[Wire]) -> _Plan:
    fields = model.model_fields
    nested = {name: kind for name, field in fields.items() if (kind := _wire_model(field.annotation)) is not None}
    return _Plan(
        names=set(fields),
        plain=tuple(name for name in fields if name not in nested),
        nested=tuple(nested.items()),
        defaults={
            name: field.get_default(call_default_factory=True, validated_data={})
            for name, field in fields.items()
            if not field.is_required()
        },
        keeps_further=model.model_config.get("extra") == "allow",
    )


def _wire_model(annotation: Any) -> type[Wire] | None:
    """The wire model in `Model`, `Model | None`, `list[Model]` or `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return annotation
    return next((model for part in get_args(annotation) if (model := _wire_model(part)) is not None), None)


def _nested(model: type[Wire], value: Any) -> Any:
    match value:
        case None:
            return None
        case list() | tuple():
            return [_nested(model, one) for one in value]
        case dict():
            return {name: _nested(model, one) for name, one in value.items()}
        case _:
            return value if isinstance(value, model) else model.of(value)
