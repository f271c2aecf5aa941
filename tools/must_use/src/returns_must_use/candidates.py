"""What the scan of a file finds: values that may go nowhere, each to be judged once mypy knows its type."""

from dataclasses import dataclass
from typing import TypeAlias

from mypy.nodes import Block, CallExpr, Decorator, Expression, Statement

from returns_must_use.scopes import Path


@dataclass(slots=True, eq=False)
class Dropped:
    """A value that goes nowhere; an error if its type says that it must not."""

    value: Expression
    problem: str  # completes the sentence "Value of type ... "
    place: Expression  # what is dropped, or the name that it is assigned to
    managers: tuple[Expression, ...] = ()  # that see what the statement raises
    path: Path | None = ()  # the part of the value that counts; None: what the name at `place` gets from a manager
    if_never_false: bool = False  # the left side of `and` is also a test, but not of what is always true
    awaits: "Awaited | None" = None
    overwritten: "Overwritten | None" = None


@dataclass(slots=True, eq=False)
class Awaited:
    """`await task` as a statement drops nothing if the function looks at the task otherwise, or has cancelled it."""

    chains: frozenset[str]
    function: Block


@dataclass(slots=True, eq=False)
class Overwritten:
    """A store of a name that is read somewhere, but perhaps not on any way from this statement."""

    statement: Statement
    name: str
    function: Block


@dataclass(slots=True, eq=False)
class Callback:
    """An argument of a call: the callee's signature tells what becomes of the value that it returns."""

    call: CallExpr
    argument: int


@dataclass(slots=True, eq=False)
class CallbackDecorator:
    """A decorator that registers a function and calls it later."""

    decorator: Expression
    function: Decorator


@dataclass(slots=True, eq=False)
class SpecialMethod:
    """A statement makes Python call this method, and Python ignores what it returns."""

    owner: Expression
    method: str


@dataclass(slots=True, eq=False)
class Looped:
    """What a generator returns is lost on a loop over it."""

    iterable: Expression


@dataclass(slots=True, eq=False)
class Unwrap:
    """`.unwrap()` or `.failure()`, the decorators of the function around it, and the outermost body around that."""

    call: CallExpr
    receiver: Expression
    method: str
    decorators: tuple[Expression, ...]
    body: list[Statement]


Candidate: TypeAlias = Dropped | Callback | CallbackDecorator | SpecialMethod | Looped | Unwrap
