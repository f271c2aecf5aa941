"""What mypy, once it has checked a statement, knows of the values in it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from mypy import nodes
from mypy.checker import TypeChecker
from mypy.checkexpr import has_any_type
from mypy.nodes import Expression
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    Overloaded,
    ProperType,
    Type,
    TypeVarType,
    UninhabitedType,
    UnionType,
    get_proper_type,
)

from returns_must_use.callbacks import method_returns
from returns_must_use.candidates import Dropped
from returns_must_use.carriers import at
from returns_must_use.syntax import is_kept, position

_WAITS = frozenset({"asyncio.tasks.wait", "concurrent.futures._base.wait"})
_EXPECT_A_RAISE = frozenset(
    {
        "_pytest.python_api.RaisesContext",
        "_pytest.raises.RaisesExc",
        "_pytest.raises.RaisesGroup",
        "unittest.case._AssertRaisesContext",
    }
)
_TAKES_OUT = frozenset({"get", "get_nowait", "pop", "popitem", "popleft", "receive", "receive_nowait", "setdefault"})
_CONTAINERS = frozenset(
    {
        "typing.MutableMapping",
        "typing.MutableSequence",
        "typing.MutableSet",
        "asyncio.queues.Queue",
        "anyio.abc._streams.UnreliableObjectReceiveStream",
        "multiprocessing.queues.Queue",
        "multiprocessing.queues.SimpleQueue",
        "queue.Queue",
        "_queue.SimpleQueue",
        "queue.SimpleQueue",
    }
)


Holds: TypeAlias = Callable[[Type], bool]


@contextmanager
def experiment(chk: TypeChecker) -> Iterator[None]:
    """Let mypy check an expression once more and forget everything about it: errors, types, narrowings, deferrals."""
    deferred, nodes_deferred = chk.current_node_deferred, list(chk.deferred_nodes)
    partial = [(scope, dict(scope.map), [(var, var.type) for var in scope.map]) for scope in chk.partial_types]
    chk._type_maps.append({})
    try:
        with chk.msg.filter_errors(filter_deprecated=True), chk.binder.frame_context(can_skip=True, fall_through=0):
            yield
    finally:
        chk._type_maps.pop()
        chk.current_node_deferred = deferred
        chk.deferred_nodes[:] = nodes_deferred
        for scope, variables, types in partial:
            scope.map.clear()
            scope.map.update(variables)
            for var, typ in types:
                var.type = typ


def check_early(chk: TypeChecker, stmt: nodes.Statement | None) -> None:
    """Check what a statement returns or raises before mypy comes to it, in an experiment."""
    expressions = [stmt.expr] if isinstance(stmt, nodes.ReturnStmt) else []
    if isinstance(stmt, nodes.RaiseStmt):
        expressions = [stmt.expr, stmt.from_expr]
    for expr in expressions:
        if expr is not None:
            context = _return_context(chk) if isinstance(stmt, nodes.ReturnStmt) else None
            chk.expr_checker.accept(expr, context)


def _return_context(chk: TypeChecker) -> Type | None:
    function = chk.scope.current_function()
    if function is None or not chk.return_types:
        return None
    if function.is_generator:
        return chk.get_generator_return_type(chk.return_types[-1], function.is_coroutine)
    return chk.get_coroutine_return_type(chk.return_types[-1]) if function.is_coroutine else chk.return_types[-1]


def types_of(chk: TypeChecker, candidate: Dropped) -> Iterator[Type]:
    """The types the value may be of: the first is the one that mypy found."""
    if candidate.path is None:
        typ = type_of(chk, candidate.place)
        if typ is not None:
            yield typ
        return
    typ = _type_of_whole(chk, candidate.value)
    if typ is None:
        return
    yield from at(typ, candidate.path)
    named = candidate.place is not candidate.value and candidate.overwritten is None
    if named and has_any_type(typ) and chk.has_type(candidate.value):
        # mypy takes `_`, and what is declared as Any, for an Any that it also makes of the value's own type arguments.
        with experiment(chk):
            again = chk.expr_checker.accept(candidate.value)
        yield from at(again, candidate.path)


def _type_of_whole(chk: TypeChecker, expr: Expression) -> Type | None:
    """The type of an expression; for a method that is not called, of the object that is lost with it."""
    typ = type_of(chk, expr)
    if isinstance(expr, nodes.MemberExpr) and isinstance(get_proper_type(typ), CallableType | Overloaded):
        return type_of(chk, expr.expr) if isinstance(expr.expr, nodes.CallExpr | nodes.AwaitExpr) else typ
    return typ


def type_of(chk: TypeChecker, expr: Expression) -> Type | None:
    for types in reversed(chk._type_maps):
        if expr in types:
            return types[expr]
    if not _is_checked_in_copies(chk):
        return None
    # mypy checks a function with constrained type variables once for each constraint, each time in a fresh copy.
    where = position(expr)
    copies = (
        typ
        for types in reversed(chk._type_maps)
        for node, typ in reversed(types.items())
        if type(node) is type(expr) and position(node) == where
    )
    return next(copies, None)


def _is_checked_in_copies(chk: TypeChecker) -> bool:
    for item in chk.scope.stack:
        if isinstance(item, nodes.TypeInfo):
            variables: Iterable[object] = item.defn.type_vars
        else:
            variables = (
                item.type.variables if isinstance(item, nodes.FuncItem) and isinstance(item.type, CallableType) else []
            )
        if any(isinstance(variable, TypeVarType) and variable.values for variable in variables):
            return True
    return False


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


def starts_empty(chk: TypeChecker, expr: Expression, holds: Holds) -> bool:
    """Whether a new container is made of nothing that holds a Result: `set()`, `dict()`, `deque(maxlen=3)`."""
    if not isinstance(expr, nodes.CallExpr):
        return False
    callee = expr.callee.base if isinstance(expr.callee, nodes.IndexExpr) else expr.callee
    if not isinstance(callee, nodes.RefExpr) or not isinstance(callee.node, nodes.TypeInfo | nodes.TypeAlias):
        return False
    typ = get_proper_type(type_of(chk, expr))
    if not isinstance(typ, Instance) or not typ.type.has_base("typing.Collection"):
        return False
    arguments = (type_of(chk, argument) for argument in expr.args)
    return not any(holds(argument) for argument in arguments if argument is not None)


def gets_from_arguments(chk: TypeChecker, expr: Expression, holds: Holds) -> bool:
    """Whether a call has its Results from a variable that keeps them: `enumerate(results)`, `as_completed(tasks)`."""
    if isinstance(expr, nodes.CallExpr):
        parts = expr.args
    elif isinstance(expr, nodes.TupleExpr | nodes.ListExpr | nodes.SetExpr):
        parts = expr.items
    else:
        return False
    return any(
        (is_kept(argument) and (typ := type_of(chk, argument)) is not None and holds(typ))
        or gets_from_arguments(chk, argument, holds)
        for argument in parts
    )


def expects_a_raise(chk: TypeChecker, managers: Iterable[Expression]) -> bool:
    """Whether the statement is there to raise, and so never has a value: `with pytest.raises(ValueError): save()`."""
    return any(_is_raises(chk, manager) for manager in managers)


def _is_raises(chk: TypeChecker, manager: Expression) -> bool:
    typ = get_proper_type(type_of(chk, manager))
    if isinstance(typ, Instance):
        return typ.type.fullname in _EXPECT_A_RAISE
    # pytest may be missing where mypy runs: then only the name tells.
    match manager:
        case nodes.CallExpr(callee=nodes.NameExpr(name="raises") | nodes.MemberExpr(name="raises")):
            return isinstance(typ, AnyType)
    return False


def may_swallow(chk: TypeChecker, manager: Expression) -> bool:
    """Whether a `with` block of this manager can end early without an exception, as with `suppress`."""
    typ = get_proper_type(type_of(chk, manager))
    if not isinstance(typ, Instance):
        return True
    returned = [*method_returns(typ, "__exit__"), *method_returns(typ, "__aexit__")]
    return not returned or any(_may_be_true(get_proper_type(result)) for result in returned)


def _may_be_true(typ: ProperType) -> bool:
    if isinstance(typ, Instance) and typ.args and typ.type.fullname in {"typing.Coroutine", "typing.Awaitable"}:
        return _may_be_true(get_proper_type(typ.args[-1]))
    if isinstance(typ, LiteralType):
        return typ.value is not False
    if isinstance(typ, UnionType):
        # `bool | None` says a manager that does not think about it; mypy takes it for one that swallows nothing.
        return False
    return not isinstance(typ, NoneType | UninhabitedType)


def is_never_false(typ: Type) -> bool:
    """Whether an instance of nothing but classes that leave their truth to Python, where every object is true."""
    proper = get_proper_type(typ)
    if isinstance(proper, UnionType):
        return all(is_never_false(item) for item in proper.items)
    return isinstance(proper, Instance) and not (proper.type.get("__bool__") or proper.type.get("__len__"))
