"""Which local names of a function are assigned and never read."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mypy.nodes import Expression, NameExpr, Statement

# Functions that may read any local name without naming it.
_READ_BY_STRING = frozenset({"locals", "vars", "eval", "exec", "dir"})

# The way to a part of an unpacked value: an index for a name, a slice for a starred name, of each level.
Path: TypeAlias = tuple[int | slice, ...]


@dataclass(frozen=True)
class Site:
    """A place between statements: in this list, beside this statement (None: before the first one)."""

    body: list[Statement]
    beside: Statement | None
    before: bool = False  # nothing runs after the statement
    managers: tuple[Expression, ...] = ()  # the context managers of the `with` block that ends with the statement


@dataclass(frozen=True)
class Store:
    """An assignment to plain names: `name = value`, `a = b = value`, or one element of an unpacking."""

    target: NameExpr
    names: frozenset[str]
    value: Expression  # what is assigned, or what it is an element of
    site: Site
    path: Path | None = ()  # where in the value the name's part is; None: a context manager's value
    overwritten: bool = False  # a following statement assigns the name again, and none between reads it


@dataclass
class Scope:
    """The names of a module, class, function (or lambda) or comprehension."""

    kind: Literal["module", "class", "function", "comprehension"]
    parent: "Scope | None" = None
    bound: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)  # read by a scope inside this one, perhaps at any later time
    declared_outer: set[str] = field(default_factory=set)  # under `global` or `nonlocal`: stored for others
    stores: list[Store] = field(default_factory=list)

    def assigned_by_walrus(self) -> "Scope":
        """The scope that `:=` binds in: a comprehension passes it on."""
        return self.parent.assigned_by_walrus() if self.kind == "comprehension" and self.parent else self

    def close(self) -> list[Store]:
        """Hand the names that are not its own on to the scopes around it, and tell the stores that nobody reads.

        A scope is closed before the one around it.
        """
        used = self.read | self.captured
        free = used if self.kind == "class" else (used - self.bound) | (used & self.declared_outer)
        around = self.parent
        while around is not None:
            around.captured |= free
            if around.kind != "class":  # a class hides its names from its methods, not from its own body
                break
            around = around.parent
        return [] if used & _READ_BY_STRING else [store for store in self.stores if self._is_lost(store)]

    def _is_lost(self, store: Store) -> bool:
        if self.kind != "function" and store.names != {"_"}:
            return False  # others may read the names of a module or class
        if not store.names.isdisjoint(self.captured | self.declared_outer):
            return False
        return store.overwritten != store.names.isdisjoint(self.read)
