"""Functions that call what they are given and ignore what it returns."""

import sys
from collections.abc import Callable, Iterable, Iterator

from mypy import nodes
from mypy.argmap import map_actuals_to_formals
from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import Expression
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    Overloaded,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

from returns_must_use.candidates import Callback, CallbackDecorator

# The full name of a function, or of a class that is called -> the position of the callback among its parameters,
# counted without `self`. Those of the standard library whose parameter is a `Callable[..., object]` need no entry.
_IGNORES = {
    "anyio.abc._tasks.TaskGroup.start_soon": 0,
    "atexit.register": 0,
    "builtins.filter": 0,
    "contextlib._BaseExitStack.callback": 0,
    "contextlib.ExitStack.callback": 0,
    "contextlib.AsyncExitStack.callback": 0,
    "contextlib.AsyncExitStack.push_async_callback": 0,
    "_pytest.fixtures.FixtureRequest.addfinalizer": 0,
    "itertools.filterfalse": 0,
    "returns.functions.tap": 0,
    "returns.functions.untap": 0,
    "sched.scheduler.enter": 2,
    "sched.scheduler.enterabs": 2,
    "signal.signal": 1,
    "starlette.background.BackgroundTask": 0,
    "starlette.background.BackgroundTasks.add_task": 0,
    "fastapi.background.BackgroundTasks.add_task": 0,
    "threading.Thread": 1,
    "threading.Timer": 1,
    "trio._core._run.Nursery.start_soon": 0,
    "unittest.case.TestCase.addClassCleanup": 0,
    "unittest.case.TestCase.addCleanup": 0,
    "unittest.case.addModuleCleanup": 0,
    "weakref.finalize": 1,
}
_BY_SIGNATURE = frozenset(
    {
        "Process",
        "Thread",
        "Timer",
        "add_done_callback",
        "add_reader",
        "add_signal_handler",
        "add_writer",
        "call_at",
        "call_later",
        "call_soon",
        "call_soon_threadsafe",
        "start_new_thread",
        "subscribe",
    }
)
# Only the arguments of functions that are called by such a name are looked at, lambdas apart.
CALLBACK_TAKERS = frozenset(name.rpartition(".")[2] for name in _IGNORES) | _BY_SIGNATURE

_TypeOf = Callable[[Expression], Type | None]


def ignored_value(callback: Callback, type_of: _TypeOf) -> Iterator[Type]:
    """The types that the callback at this argument may return, if its callee ignores what it returns."""
    argument = callback.call.args[callback.argument]
    if not is_ignored(callback, type_of):
        return
    if isinstance(argument, nodes.LambdaExpr):
        returned = type_of(argument.expr())
        if returned is not None:
            yield returned
        return
    typ = type_of(argument)
    if typ is not None:
        yield from returned_by(typ)


def ignored_by_decorator(candidate: CallbackDecorator, type_of: _TypeOf) -> Iterator[Type]:
    if _full_name(candidate.decorator, get_proper_type(type_of(candidate.decorator))) in _IGNORES:
        typ = get_proper_type(candidate.function.func.type)
        if isinstance(typ, CallableType):
            yield typ.ret_type


def returned_by(typ: Type) -> Iterator[Type]:
    """What a call of a value of this type returns."""
    proper = get_proper_type(typ)
    if isinstance(proper, CallableType):
        yield proper.ret_type
    elif isinstance(proper, Overloaded):
        for overload in proper.items:
            yield overload.ret_type
    elif isinstance(proper, UnionType):
        for item in proper.items:
            yield from returned_by(item)
    elif isinstance(proper, Instance):
        if proper.type.fullname == "functools.partial":
            yield from proper.args
        else:
            yield from method_returns(proper, "__call__")


def method_returns(owner: Instance, name: str) -> Iterator[Type]:
    """What this method of the class returns, with the type variables of the class."""
    symbol = owner.type.get(name)
    node = symbol.node if symbol is not None else None
    if isinstance(node, nodes.Decorator):
        node = node.func
    if isinstance(node, nodes.FuncDef | nodes.OverloadedFuncDef) and node.type is not None:
        base = map_instance_to_supertype(owner, node.info)
        for returned in returned_by(node.type):
            yield expand_type_by_instance(returned, base)


def is_ignored(callback: Callback, type_of: _TypeOf) -> bool:
    call = callback.call
    callee: Type | None = get_proper_type(type_of(call.callee))
    known = _IGNORES.get(_full_name(call.callee, callee) or "")
    if isinstance(callee, Overloaded):
        callee = callee.items[0]
    if not isinstance(callee, CallableType):
        return False
    formals = map_actuals_to_formals(
        call.arg_kinds, call.arg_names, callee.arg_kinds, callee.arg_names, lambda _: AnyType(TypeOfAny.special_form)
    )
    formal = next((formal for formal, actuals in enumerate(formals) if callback.argument in actuals), None)
    if formal is None:
        return False
    if known is not None:
        return formal == known
    in_stubs = _is_parameter_of_the_stubs(callee, formal)
    return any(_returns_nothing(function, in_stubs) for function in _callables(callee.arg_types[formal]))


def _full_name(callee: Expression, typ: Type | None) -> str | None:
    if isinstance(callee, nodes.RefExpr) and callee.fullname and isinstance(callee.node, nodes.TypeInfo):
        return callee.fullname
    function = typ.items[0] if isinstance(typ, Overloaded) else typ
    definition = function.definition if isinstance(function, CallableType) else None
    if isinstance(definition, nodes.Decorator):
        definition = definition.func
    if isinstance(definition, nodes.FuncDef | nodes.OverloadedFuncDef):
        return definition.fullname
    return callee.fullname if isinstance(callee, nodes.RefExpr) else None


def _is_parameter_of_the_stubs(callee: CallableType, formal: int) -> bool:
    """Whether the standard library declares this parameter, rather than the function whose parameters it hands on."""
    definition = callee.definition.func if isinstance(callee.definition, nodes.Decorator) else callee.definition
    if not isinstance(definition, nodes.FuncDef) or not isinstance(definition.type, CallableType):
        return False
    return definition.fullname.split(".")[0] in sys.stdlib_module_names and (
        callee.arg_names[formal] in definition.type.arg_names
    )


def _callables(typ: Type) -> Iterable[CallableType]:
    proper = get_proper_type(typ)
    items = proper.items if isinstance(proper, UnionType) else [proper]
    return (item for item in map(get_proper_type, items) if isinstance(item, CallableType))


def _returns_nothing(function: CallableType, object_is_nothing: bool) -> bool:
    """`Callable[..., None]` says that it ignores what it gets, and `Callable[..., object]` by the convention of the
    standard library's stubs."""
    returned = get_proper_type(function.ret_type)
    return isinstance(returned, NoneType) or (
        object_is_nothing and isinstance(returned, Instance) and returned.type.fullname == "builtins.object"
    )
