"""Which types hold a Result: the Result itself, and everything it can travel in."""

from collections.abc import Collection

from mypy.maptype import map_instance_to_supertype
from mypy.nodes import TypeInfo
from mypy.types import (
    Instance,
    TupleType,
    Type,
    TypedDictType,
    TypeVarType,
    UnionType,
    UnpackType,
    get_proper_type,
)

from returns_must_use.scopes import Path

# Supertype -> the type arguments that a value of this type delivers.
_CARRIERS = {
    "typing.Awaitable": (0,),
    "typing.Iterable": (0,),
    "typing.AsyncIterable": (0,),
    "typing.Mapping": (1,),
    "typing.Generator": (2,),
    "concurrent.futures._base.Future": (0,),
    "multiprocessing.pool.ApplyResult": (0,),
    "returns.io.IO": (0,),
    "returns.maybe.Maybe": (0,),
    "returns.future.Future": (0,),
    "returns.context.requires_context.RequiresContext": (0,),
    "returns.context.requires_context_future.RequiresContextFuture": (0,),
    "returns.context.requires_context_io.RequiresContextIO": (0,),
}


_HOLDERS = frozenset({Instance, TupleType, TypedDictType, TypeVarType, UnionType})


class Carriers:
    """Decides whether a value of a type is, holds or will deliver one of the configured result types."""

    def __init__(self, result_types: Collection[str]) -> None:
        self._result_types = frozenset(result_types)
        self._known: dict[Type, bool] = {}

    def is_result(self, typ: Type) -> bool:
        """Whether the type is a result type, a subclass of one, or a union or type variable that may be one."""
        proper = get_proper_type(typ)
        if isinstance(proper, UnionType):
            return any(self.is_result(item) for item in proper.items)
        if isinstance(proper, TypeVarType):
            return any(self.is_result(bound) for bound in (proper.upper_bound, *proper.values))
        return isinstance(proper, Instance) and self._is_result_class(proper.type)

    def _is_result_class(self, info: TypeInfo) -> bool:
        return any(base.fullname in self._result_types for base in info.mro)

    def holds_result(self, typ: Type) -> bool:
        proper = get_proper_type(typ)
        if type(proper) not in _HOLDERS:
            return False
        known = self._known.get(proper)
        if known is None:
            known = self._known[proper] = self._holds(proper, frozenset())
        return known

    def _holds(self, typ: Type, above: frozenset[Type]) -> bool:
        proper = get_proper_type(typ)
        if proper in above:  # a type that is defined through itself, such as str, an iterable of str
            return False
        if self.is_result(proper):
            return True
        return any(self._holds(part, above | {proper}) for part in _parts(proper))


def at(typ: Type, path: Path) -> list[Type]:
    """The types that an unpacking of a value of this type can give at this path."""
    found = [typ]
    for place in path:
        found = [part for whole in found for part in _unpacked(get_proper_type(whole), place)]
    return found


def returned_by_generator(typ: Type) -> list[Type]:
    proper = get_proper_type(typ)
    if not isinstance(proper, Instance) or not proper.type.has_base("typing.Generator"):
        return []
    bases = (base for base in proper.type.mro if base.fullname == "typing.Generator")
    return [map_instance_to_supertype(proper, base).args[2] for base in bases]


def _unpacked(typ: Type, place: int | slice) -> list[Type]:
    if isinstance(typ, UnionType):
        return [part for item in typ.items for part in _unpacked(get_proper_type(item), place)]
    if isinstance(typ, TupleType) and not any(isinstance(item, UnpackType) for item in typ.items):
        if isinstance(place, slice):
            return typ.items[place]
        return [typ.items[place]] if -len(typ.items) <= place < len(typ.items) else []
    if isinstance(typ, Instance) and typ.type.has_base("typing.Generator"):
        return _parts(typ)[:1]  # what it returns is no element
    return _parts(typ)


def _parts(typ: Type) -> list[Type]:
    if isinstance(typ, UnionType | TupleType):
        return list(typ.items)
    if isinstance(typ, UnpackType):
        return [typ.type]
    if isinstance(typ, TypedDictType):
        return list(typ.items.values())
    if isinstance(typ, TypeVarType):
        return [typ.upper_bound, *typ.values]
    if isinstance(typ, Instance):
        parts = []
        for base in typ.type.mro:
            if base.fullname in _CARRIERS:
                args = map_instance_to_supertype(typ, base).args
                parts += [args[index] for index in _CARRIERS[base.fullname] if index < len(args)]
        return parts
    return []
