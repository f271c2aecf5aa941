"""What the model calls a tool of a server."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from agents.tools.registry import LOCAL_TOOLS

MAX_LENGTH = 64
_HASH_LENGTH = 8
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")

type Owned = tuple[str, str]
"""A server and the name that it gives to a tool."""


def legal_names(tools: Sequence[Owned]) -> dict[Owned, str]:
    """A name for each that every provider takes and no other tool has; the server's own where that is one.

    It depends on which tools there are, never on their order: what clashes gets a hash of server and name, all of it,
    and so does what is as a tool of our own is called, also one that is switched off.
    """
    wanted = {tool: _legal(tool[1]) for tool in dict.fromkeys(tools)}
    taken = Counter(map(_key, [*wanted.values(), *LOCAL_TOOLS]))
    named = {
        tool: name if taken[_key(name)] == 1 and len(name) <= MAX_LENGTH else _hashed(tool, name)
        for tool, name in wanted.items()
    }
    return _only_once(named)


def _only_once(named: dict[Owned, str]) -> dict[Owned, str]:
    """A server may offer what another one's name with its hash is."""
    seen: set[str] = {_key(name) for name in LOCAL_TOOLS}
    kept: dict[Owned, str] = {}
    for tool in sorted(named):
        if _key(named[tool]) not in seen:
            seen.add(_key(named[tool]))
            kept[tool] = named[tool]
    return kept


def _legal(name: str) -> str:
    cleaned = _ILLEGAL.sub("_", name)
    return cleaned if cleaned[:1].isalpha() or cleaned[:1] == "_" else f"_{cleaned}"


def _key(name: str) -> str:
    """The framework tells no dash from an underscore."""
    return name.replace("-", "_")


def _hashed(tool: Owned, name: str) -> str:
    digest = hashlib.sha256("\n".join(tool).encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]
    return f"{name[: MAX_LENGTH - _HASH_LENGTH - 1]}_{digest}"
