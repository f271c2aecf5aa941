"""mypy plugin: a Result that nobody handles is a type error."""

from mypy.plugin import Plugin

from returns_must_use.plugin import MustUsePlugin


def plugin(_version: str) -> type[Plugin]:
    """mypy's entry point."""
    return MustUsePlugin
