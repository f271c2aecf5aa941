"""What mypy, once it has checked a statement, knows of the values in it."""

import sys
from collections.abc import Iterable

from mypy import nodes
from mypy.argmap import map_actuals_to_formals
from mypy.checker import TypeChecker
from mypy.nodes import Expression
from mypy.types import AnyType, CallableType, Instance, NoneType, Type, TypeOfAny, UnionType, get_proper_type

from returns_must_use.carriers import at
from returns_must_use.scan import Callback, Candidate
from returns_must_use.syntax import position

_WAITS = frozenset({"asyncio.tasks.wait", "concurrent.futures._base.wait"})
_EXPECT_A_RAISE = frozenset(
    {
        "_pytest.python_api.RaisesContext",
        "_pytest.raises.RaisesExc",
        "_pytest.raises.RaisesGroup",
        "unittest.case._AssertRaisesContext",
    }
)
_TAKES_OUT = frozenset({"pop", "popitem", "popleft", "setdefault"})
_CONTAINERS = frozenset({"typing.MutableMapping", "typing.MutableSequence", "typing.MutableSet"})


def types_of(chk: TypeChecker, candidate: Candidate) -> Iterable[Type]:
    """The types the value may be of: the first is the one that mypy found."""
    if candidate.path is None:
        typ = type_of(chk, candidate.place)
        return [typ] if typ else []
    typ = type_of(chk, candidate.value)
    found = at(typ, candidate.path) if typ else []
    if candidate.place is not candidate.value and chk.has_type(candidate.value):
        # mypy takes `_`, and what is declared as Any, for an Any that it also makes of the value's own type arguments.
        with chk.msg.filter_errors():
            found += at(chk.get_expression_type(candidate.value), candidate.path)
    return found


def type_of(chk: TypeChecker, expr: Expression) -> Type | None:
    if chk.has_type(expr):
        return chk.lookup_type(expr)
    # mypy checks a function with constrained type variables once for each constraint, each time in a fresh copy.
    where = position(expr)
    copies = (
        typ
        for types in reversed(chk._type_maps)
        for node, typ in reversed(types.items())
        if type(node) is type(expr) and position(node) == where
    )
    return next(copies, None)


def hands_back(chk: TypeChecker, expr: Expression) -> bool:
    """Whether a call returns what its caller already had: the tasks it waited for, or an element of a container."""
    if isinstance(expr, nodes.AwaitExpr):
        return hands_back(chk, expr.expr)
    match expr:
        case nodes.CallExpr(callee=nodes.RefExpr(fullname=fullname)) if fullname in _WAITS:
            return True
        case nodes.CallExpr(callee=nodes.MemberExpr(expr=container, name=name)) if name in _TAKES_OUT:
            typ = get_proper_type(type_of(chk, container))
            return isinstance(typ, Instance) and any(base.fullname in _CONTAINERS for base in typ.type.mro)
    return False


def expects_a_raise(chk: TypeChecker, managers: Iterable[Expression]) -> bool:
    """Whether the statement is there to raise, and so never has a value: `with pytest.raises(ValueError): save()`."""
    types = (get_proper_type(type_of(chk, manager)) for manager in managers)
    return any(isinstance(typ, Instance) and typ.type.fullname in _EXPECT_A_RAISE for typ in types)


def ignores_what_it_returns(chk: TypeChecker, callback: Callback) -> bool:
    """Whether the callee's signature says that it ignores what the callback at this argument returns.

    `Callable[..., None]` says so, and `Callable[..., object]` by the convention of the standard library's stubs.
    """
    call = callback.call
    if not chk.has_type(call.callee):  # the call is what a statement returns: mypy comes to it after the probe
        with chk.msg.filter_errors():
            chk.get_expression_type(call)
    callee = get_proper_type(type_of(chk, call.callee))
    if not isinstance(callee, CallableType):
        return False
    formals = map_actuals_to_formals(
        call.arg_kinds, call.arg_names, callee.arg_kinds, callee.arg_names, lambda _: AnyType(TypeOfAny.special_form)
    )
    formal = next((formal for formal, actuals in enumerate(formals) if callback.argument in actuals), None)
    return formal is not None and any(
        _returns_nothing(function, object_is_nothing=_is_parameter_of_the_stubs(callee, formal))
        for function in _callables(callee.arg_types[formal])
    )


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
    returned = get_proper_type(function.ret_type)
    return isinstance(returned, NoneType) or (
        object_is_nothing and isinstance(returned, Instance) and returned.type.fullname == "builtins.object"
    )
