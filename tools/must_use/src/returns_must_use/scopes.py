"""Which local names of a function are assigned and never read."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mypy.nodes import Block, Expression, NameExpr, Statement

# Functions that may read any local name without naming it.
_READ_BY_STRING = frozenset({"locals", "vars", "eval", "exec", "dir"})

# The way to a part of an unpacked value: an index for a name, a slice for a starred name, of each level. A slice of
# everything is any element of what a loop runs over.
Path: TypeAlias = tuple[int | slice, ...]
EACH = slice(None)


@dataclass(slots=True, eq=False)
class Site:
    """A place between statements: in this list, beside this statement (None: before the first one)."""

    body: list[Statement]
    beside: Statement | None
    before: bool = False  # nothing runs after the statement
    managers: tuple[Expression, ...] = ()  # the context managers of the `with` block that ends with the statement


@dataclass(slots=True, eq=False)
class Store:
    """An assignment to plain names: `name = value`, `a = b = value`, or one element of an unpacking."""

    target: NameExpr
    names: Collection[str]
    value: Expression  # what is assigned, or what it is an element of
    site: Site
    path: Path | None = ()  # where in the value the name's part is; None: a context manager's value
    computes: bool = True  # what nobody else has
    place: Expression | None = None  # where to report, if not at the target
    in_loop: bool = False


@dataclass(slots=True)
class Scope:
    """The names of a module, class, function (or lambda) or comprehension."""

    kind: Literal["module", "class", "function", "comprehension"]
    parent: "Scope | None" = None
    body: Block | None = None  # of a function
    bound: dict[str, int] = field(default_factory=dict)  # and how often
    read: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)  # read by a scope inside this one, perhaps at any later time
    declared_outer: set[str] = field(default_factory=set)  # under `global` or `nonlocal`: stored for others
    stores: list[Store] = field(default_factory=list)

    def bind(self, name: str) -> None:
        self.bound[name] = self.bound.get(name, 0) + 1

    def assigned_by_walrus(self) -> "Scope":
        """The scope that `:=` binds in: a comprehension passes it on."""
        return self.parent.assigned_by_walrus() if self.kind == "comprehension" and self.parent else self

    def close(self) -> tuple[list[Store], list[Store]]:
        """Hand the names that are not its own on to the scopes around it, and tell which stores nobody reads, and
        which of them perhaps only the next store of the same name makes useless.

        A scope is closed before the one around it.
        """
        used = self.read | self.captured if self.captured else self.read
        if self.kind == "class":
            free = used
        else:
            free = used - self.bound.keys()
            if self.declared_outer:
                free |= used & self.declared_outer
        around = self.parent
        while around is not None:
            around.captured |= free
            if around.kind != "class":  # a class hides its names from its methods, not from its own body
                break
            around = around.parent
        if not self.stores or used & _READ_BY_STRING:
            return [], []
        own = [store for store in self.stores if self._is_own(store)]
        return (
            [store for store in own if self.read.isdisjoint(store.names)],
            [store for store in own if not self.read.isdisjoint(store.names) and self._may_be_overwritten(store)],
        )

    def _is_own(self, store: Store) -> bool:
        if self.kind != "function" and any(name != "_" for name in store.names):
            return False  # others may read the names of a module or class
        return self.captured.isdisjoint(store.names) and self.declared_outer.isdisjoint(store.names)

    def _may_be_overwritten(self, store: Store) -> bool:
        return (
            self.kind == "function"
            and store.computes
            and len(store.names) == 1
            and (store.in_loop or self.bound[store.target.name] > 1)
        )
